"""An ONNX model as read from its file: structure and small constants, weights left where they are.

Named tuples rather than dataclasses: thousands are made for one model, and these are made fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import NamedTuple, TypeAlias

# Element type of a TensorProto: (NumPy's name, bits).
DTYPES: Mapping[int, tuple[str, int]] = {
    1: ("float32", 32), 2: ("uint8", 8), 3: ("int8", 8), 4: ("uint16", 16), 5: ("int16", 16),
    6: ("int32", 32), 7: ("int64", 64), 8: ("string", 0), 9: ("bool", 8), 10: ("float16", 16),
    11: ("float64", 64), 12: ("uint32", 32), 13: ("uint64", 64), 14: ("complex64", 64),
    15: ("complex128", 128), 16: ("bfloat16", 16), 17: ("float8_e4m3fn", 8),
    18: ("float8_e4m3fnuz", 8), 19: ("float8_e5m2", 8), 20: ("float8_e5m2fnuz", 8),
    21: ("uint4", 4), 22: ("int4", 4), 23: ("float4_e2m1fn", 4), 24: ("float8_e8m0fnu", 8),
    25: ("uint2", 2), 26: ("int2", 2), 27: ("float6_e2m3fn", 6), 28: ("float6_e3m2fn", 6),
}  # fmt: skip
STRING = 8

Dim: TypeAlias = int | str | None


class Span(NamedTuple):
    """A message that was not read further: it lies between two places of `data`."""

    data: bytes
    start: int
    end: int


class Payload(NamedTuple):
    """Where the bytes of a tensor lie in the model file when they were not read.

    `field` is the number of the TensorProto field that holds them.
    """

    offset: int
    length: int
    field: int


class Tensor(NamedTuple):
    """A constant: its bytes (`raw`) or numbers (`values`) where small, else where they lie.

    Shapes: `dims`. `external` are the key-value pairs of data in another file.
    """

    name: str
    dtype: int
    dims: tuple[int, ...]
    raw: bytes | None
    values: tuple[int | float | bytes, ...] | None
    external: tuple[tuple[str, str], ...] | None
    payload: Payload | None

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.dims)

    @property
    def size_bytes(self) -> int:
        """The bytes that the elements take, packed."""
        return (self.elements * DTYPES.get(self.dtype, ("", 0))[1] + 7) // 8


class SparseTensor(NamedTuple):
    """A constant of which only the non-zero values are kept."""

    values: Tensor
    indices: Tensor | None
    dims: tuple[int, ...]


class TypeInfo(NamedTuple):
    """The type of a value: `kind` is tensor, sparse, sequence, optional, map or opaque."""

    kind: str
    dtype: int
    shape: tuple[Dim, ...] | None
    element: TypeInfo | None = None


class ValueInfo(NamedTuple):
    """A named value with its type; None where the file gives none."""

    name: str
    type: TypeInfo | None


class Reference(NamedTuple):
    """An attribute of a function's body that takes the value of the caller's attribute."""

    name: str


class Node(NamedTuple):
    """One operator call; `key` is equal for nodes with the same attributes and cheap to hash.

    `metadata` holds the bytes with its metadata entries, which are looked at when asked for, and
    where among them they begin and end. Of a traced module, `caller` is the class of the innermost
    module around the call and `function` the function of torch that it is a part of.
    """

    op_type: str
    domain: str
    overload: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    key: bytes
    metadata: tuple[bytes, int, int] | None
    caller: str = ""
    function: str = ""


class Graph(NamedTuple):
    """Nodes in the order of execution, constants, and what goes in and out.

    `value_info` are runs of fields of the GraphProto, in which number 13 declares types.
    """

    name: str
    nodes: tuple[Node, ...]
    initializers: tuple[Tensor, ...]
    sparse: tuple[SparseTensor, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    value_info: tuple[Span, ...]


class Function(NamedTuple):
    """A function that the model itself defines."""

    domain: str
    name: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    defaults: Mapping[str, Attribute]
    nodes: tuple[Node, ...]
    opsets: tuple[tuple[str, int], ...]


class Structure(NamedTuple):
    """A whole model without its weights.

    `tensors` is every TensorProto of the file wherever it stands: initializers, sparse ones,
    attributes, subgraphs, functions, training graphs; those of equal attributes once.
    """

    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    producer: str
    graph: Graph
    functions: tuple[Function, ...]
    training: tuple[Graph, ...]
    metadata: tuple[tuple[str, str], ...]
    tensors: tuple[Tensor, ...]


Attribute: TypeAlias = (
    int
    | float
    | str
    | tuple[int, ...]
    | tuple[float, ...]
    | tuple[str, ...]
    | Tensor
    | tuple[Tensor, ...]
    | SparseTensor
    | tuple[SparseTensor, ...]
    | Graph
    | tuple[Graph, ...]
    | TypeInfo
    | tuple[TypeInfo, ...]
    | Reference
)


def bodies(node: Node) -> Iterator[Graph]:
    """The graphs that a node runs: branches of an If, the body of a Loop."""
    for attribute in node.attributes.values():
        # A graph is a tuple too, but not a list of graphs.
        for part in attribute if type(attribute) is tuple else (attribute,):
            if isinstance(part, Graph):
                yield part
