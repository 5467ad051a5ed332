"""Every constant of a model, wherever it hides, and whether its size is what it claims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from exporters.onnx_types import (
    DTYPES,
    STRING,
    Attribute,
    Graph,
    Node,
    SparseTensor,
    Structure,
    Tensor,
    TypeInfo,
)

_MOST_ELEMENTS = 2**63 - 1
# TensorProto.float_data, raw_data and double_data take as many bytes as their elements.
_FIXED_SIZE_FIELDS = frozenset({4, 9, 10})


def all_tensors(model: Structure) -> Iterator[Tensor]:
    """Walk every tensor: initializers, sparse ones, attributes, subgraphs, functions, training."""
    for graph in (model.graph, *model.training):
        yield from _in_graph(graph)
    for function in model.functions:
        yield from _in_attributes(function.defaults)
        yield from _in_nodes(function.nodes)


def _in_graph(graph: Graph) -> Iterator[Tensor]:
    yield from graph.initializers
    for sparse in graph.sparse:
        yield from _in_sparse(sparse)
    yield from _in_nodes(graph.nodes)


def _in_nodes(nodes: Iterable[Node]) -> Iterator[Tensor]:
    for node in nodes:
        if node.attributes:
            yield from _in_attributes(node.attributes)


def _in_attributes(attributes: Mapping[str, Attribute]) -> Iterator[Tensor]:
    for attribute in attributes.values():
        # Named tuples are tuples too, so a list of tensors is told apart by its first item.
        items = attribute if type(attribute) is tuple else (attribute,)
        for item in items:
            if isinstance(item, Tensor):
                yield item
            elif isinstance(item, Graph):
                yield from _in_graph(item)
            elif isinstance(item, SparseTensor):
                yield from _in_sparse(item)


def _in_sparse(sparse: SparseTensor) -> Iterator[Tensor]:
    yield sparse.values
    if sparse.indices is not None:
        yield sparse.indices


def size_fault(tensor: Tensor) -> str | None:
    """Say what is wrong with the declared size of a constant; None when nothing is.

    The arithmetic is on Python's integers, and nothing is allocated.
    """
    if (fault := dims_fault(tensor.dims)) or tensor.dtype == STRING:
        return fault
    if tensor.dtype not in DTYPES:
        return f"has the unknown element type {tensor.dtype}"
    if tensor.external is not None:
        return None
    stored = _stored_bytes(tensor)
    if stored is not None and stored != tensor.size_bytes:
        return f"needs {tensor.size_bytes} bytes and holds {stored}"
    return None


def _stored_bytes(tensor: Tensor) -> int | None:
    # Packed lists of variable-length numbers cannot be checked without reading them.
    if tensor.raw is not None:
        return len(tensor.raw)
    if tensor.payload is not None and tensor.payload.field in _FIXED_SIZE_FIELDS:
        return tensor.payload.length
    return None


def dims_fault(dims: Iterable[int | str | None]) -> str | None:
    """Say what is wrong with dimensions; None when nothing is."""
    elements = 1
    for dim in dims:
        if not isinstance(dim, int):
            continue
        if dim < 0:
            return f"has the negative dimension {dim}"
        elements *= max(dim, 1)
    return "has more elements than can be counted" if elements > _MOST_ELEMENTS else None


def type_dims(info: TypeInfo | None) -> tuple[int | str | None, ...]:
    """The dimensions of a type, or none where it has no shape."""
    while info is not None and info.element is not None:
        info = info.element
    return info.shape or () if info is not None else ()
