"""Kernels of an optimised graph, mapped to the nodes that they stand for: cases worked by hand."""

from exporters.onnx_types import Graph, Node, Tensor, ValueInfo
from profiler.core.kernels import Kernel
from profiler.cost.kernels import stands_for


def node(op_type, name, inputs, outputs):
    return Node(op_type, "", "", name, tuple(inputs), tuple(outputs), {}, b"", None)


def graph(*nodes, weights=(), inputs=("x",), outputs=("y",)):
    tensors = tuple(Tensor(name, 1, (1,), None, None, None, None) for name in weights)
    put, got = (tuple(ValueInfo(name, None) for name in names) for names in (inputs, outputs))
    return Graph("g", nodes, tensors, (), put, got, ())


RESIDUAL = graph(
    node("Conv", "c1", ["x", "w"], ["a"]),
    node("BatchNormalization", "b1", ["a", "s", "s", "s", "s"], ["b"]),
    node("Relu", "r1", ["b"], ["c"]),
    node("Conv", "c2", ["c", "w"], ["d"]),
    node("Add", "add", ["d", "c"], ["e"]),
    node("Conv", "c3", ["e", "w"], ["f"]),
    node("Clip", "clip", ["f"], ["y"]),
    weights=("w", "s"),
)


def test_what_a_kernel_makes_tells_what_it_fused():
    kernels = [
        Kernel("c1", "FusedConv", ("x", "w"), ("c",)),
        Kernel("fused", "Conv", ("c", "w", "", "c"), ("e",)),
        Kernel("c3", "Conv", ("e", "w"), ("y",)),
    ]
    assert stands_for(RESIDUAL, kernels) == [("c1", "b1", "r1"), ("c2", "add"), ("c3", "clip")]


def test_blocked_layouts_with_new_tensor_names():
    """A sum goes to the convolution that adds it, which only the reader of the result shows."""
    kernels = [
        Kernel("ReorderInput", "ReorderInput", ("x",), ("t0",)),
        Kernel("c_nchwc", "Conv", ("t0", "w"), ("t1",)),
        Kernel("d_nchwc", "Conv", ("t1", "w", "", "t1"), ("t2",)),
        Kernel("y_nchwc", "Conv", ("t2", "w"), ("t3",)),
        Kernel("ReorderOutput", "ReorderOutput", ("t3",), ("y",)),
    ]
    assert stands_for(RESIDUAL, kernels) == [
        (),
        ("c1", "b1", "r1"),
        ("c2", "add"),
        ("c3", "clip"),
        (),
    ]


def test_copies_around_a_kernel_do_not_take_its_work():
    """A MatMul with its bias became a Gemm between two reshapes."""
    source = graph(
        node("MatMul", "fc/MatMul", ["x", "w"], ["m"]),
        node("Add", "fc/Add", ["m", "w"], ["n"]),
        node("Relu", "act", ["n"], ["y"]),
        weights=("w",),
    )
    kernels = [
        Kernel("gemm_input_reshape", "Reshape", ("x",), ("t0",)),
        Kernel("fc/MatMul/MatMulAddFusion", "Gemm", ("t0", "w"), ("t1",)),
        Kernel("gemm_output_reshape", "Reshape", ("t1",), ("n",)),
        Kernel("act", "Relu", ("n",), ("y",)),
    ]
    assert stands_for(source, kernels) == [(), ("fc/MatMul", "fc/Add"), (), ("act",)]


def test_what_hangs_on_weights_alone_belongs_to_no_kernel():
    source = graph(
        node("Transpose", "t", ["w"], ["wt"]),
        node("MatMul", "m", ["x", "wt"], ["y"]),
        weights=("w",),
    )
    assert stands_for(source, [Kernel("m", "MatMul", ("x", "wt"), ("y",))]) == [("m",)]


def test_unnamed_nodes_are_known_by_what_they_make():
    source = graph(node("Relu", "", ["x"], ["h"]), node("Exp", "", ["h"], ["y"]))
    kernels = [Kernel("", "Relu", ("x",), ("h",)), Kernel("", "Exp", ("h",), ("y",))]
    assert stands_for(source, kernels) == [("h",), ("y",)]


def test_a_runtime_that_tells_is_believed():
    source = graph(node("Relu", "r", ["x"], ["h"]), node("Exp", "e", ["h"], ["y"]))
    assert stands_for(source, [Kernel("k", "Sub", sources=("r", "e", "none"))]) == [("r", "e")]


def test_no_node_is_given_away_twice():
    source = graph(
        node("Relu", "r", ["x"], ["h"]),
        node("Exp", "e", ["h"], ["a"]),
        node("Log", "l", ["h"], ["y"]),
        outputs=("a", "y"),
    )
    kernels = [Kernel("k1", "F", ("x",), ("a",)), Kernel("k2", "F", ("x",), ("y",))]
    assert stands_for(source, kernels) == [("r", "e"), ("l",)]
