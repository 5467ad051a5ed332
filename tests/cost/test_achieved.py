"""The work of fused kernels, worked by hand."""

import pytest

from exporters.onnx_types import Graph, Node, Tensor, ValueInfo
from profiler.core.cost import GraphCost, NodeCost
from profiler.core.kernels import Kernel
from profiler.cost.achieved import missing_macs, work_of
from profiler.cost.roofline import Peaks


def node(op_type, name, inputs, outputs, **attributes):
    return Node(op_type, "", "", name, inputs, outputs, attributes, b"", None)


GRAPH = Graph(
    "g",
    (
        node("Conv", "c", ("x", "w"), ("a",), group=8),
        node("Sigmoid", "s", ("a",), ("b",)),
        node("Mul", "m", ("a", "b"), ("y",)),
        node("Exp", "e", ("y",), ("z",)),
    ),
    (Tensor("w", 1, (8, 1, 3, 3), None, None, None, None),),
    (),
    (ValueInfo("x", None),),
    (ValueInfo("z", None),),
    (),
)


def graph_cost(**changes):
    nodes = (
        NodeCost("c", "Conv", 100, 200, 60, 40, "convolution", "float32", "block.conv"),
        NodeCost("s", "Sigmoid", 0, 10, 40, 40, "elementwise", "float32", "block.act"),
        NodeCost("m", "Mul", 0, 10, 80, 40, "elementwise", "float32", "block.act"),
        NodeCost("e", "Exp", 0, 10, 40, 40, "elementwise", "float32", "head"),
    )
    return GraphCost(100, 230, 9, None, 36, None, 220, 160, (), nodes, (), (), **changes)


KERNELS = (
    Kernel("c", "Conv", ("x", "w"), ("t",)),
    Kernel("copy", "ReorderOutput", ("t",), ("y",)),
    Kernel("e", "Exp", ("y",), ("z",)),
)


def test_fused_nodes_move_only_what_goes_in_or_out():
    conv, copy, exp = work_of(GRAPH, graph_cost(), KERNELS, None)
    assert conv.sources == ("c", "s", "m")
    assert (conv.macs, conv.flops) == (100, 220)
    # x and w are read, y is written; a (read twice) and b stay inside.
    assert conv.bytes == 60 + 40
    assert (exp.flops, exp.bytes) == (10, 80)
    assert (copy.sources, copy.macs, copy.bytes) == ((), 0, None)


def test_a_kernel_is_named_by_its_window_and_belongs_to_the_module_that_works_most():
    conv, copy, exp = work_of(GRAPH, graph_cost(), KERNELS, None)
    assert conv.what == "Conv 3x3 depthwise"
    assert [work.module for work in (conv, copy, exp)] == ["block.conv", "block.conv", "head"]


def test_the_bound_is_the_longer_of_arithmetic_and_traffic():
    conv, copy, exp = work_of(GRAPH, graph_cost(), KERNELS, Peaks({"float32": 1e9}, 1e9))
    assert (conv.bound, conv.bound_ns) == ("compute", pytest.approx(220))
    assert (exp.bound, exp.bound_ns) == ("memory", pytest.approx(80))
    assert (copy.bound, copy.bound_ns) == (None, None)


def test_macs_without_a_kernel_are_missed_but_those_on_weights_alone_are_not():
    assert missing_macs(graph_cost(), work_of(GRAPH, graph_cost(), KERNELS[2:], None)) == 100
    constant = graph_cost(constant_macs=100)
    assert missing_macs(constant, work_of(GRAPH, constant, KERNELS[2:], None)) == 0
