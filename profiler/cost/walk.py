"""Walk a graph node by node: shapes, small values, arithmetic, live memory.

Nothing here runs a model or allocates by a size that the file declares, so any file may be walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from exporters.onnx_types import (
    DTYPES,
    Attribute,
    Function,
    Graph,
    Node,
    Reference,
    Structure,
    Tensor,
)
from profiler.core.errors import ModelError
from profiler.core.outcome import FailureKind
from profiler.cost.call import Array, Call, Result, Rule
from profiler.cost.control import CONTROL
from profiler.cost.evaluate import FUNCTIONS, LARGEST, evaluate, of_shape
from profiler.cost.memory import Event, peak
from profiler.cost.scope import Declared, Scope, completed, from_info, is_complete
from profiler.cost.steps import Step, Walked
from profiler.cost.table import TABLE
from profiler.cost.values import (
    INT64,
    NOTHING_KNOWN,
    UNKNOWN,
    Type,
    UnknownSize,
    Value,
    bytes_of,
    size,
)

# A file of a few kB can nest loops and functions so that they unfold without end.
_MOST_NODES = 1_000_000
_MALFORMED = (
    UnknownSize, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError,
    AttributeError,
)  # fmt: skip
_INTEGERS = frozenset({2, 3, 4, 5, 6, 21, 22, 25, 26})


class _Known(NamedTuple):
    """What a rule said of a call, kept for nodes with the same attributes and input types."""

    result: Result | None
    outputs: tuple[Value | None, ...]
    complete: bool


class Walker:
    """Walks one model with given sizes for its symbols."""

    def __init__(self, model: Structure, dims: Mapping[str, int]) -> None:
        self.dims = dims
        self.unbound: set[str] = set()
        self._model = model
        self._functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self._opset = dict(model.opsets).get("", 1)
        self._known: dict[object, _Known] = {}
        self._left = _MOST_NODES
        self._depth = 0

    def model(self) -> Walked:
        """Walk the main graph."""
        graph, scope = self._model.graph, Scope()
        constants = {tensor.name for tensor in graph.initializers}
        for info in graph.inputs:
            if info.name not in constants:
                found = from_info(info.type, self.dims, info.name, self.unbound)
                scope.types[info.name] = found
        return self.graph(graph, scope, "")

    def graph(self, graph: Graph, scope: Scope, path: str) -> Walked:
        """Walk a graph whose inputs are in the scope already."""
        for tensor in graph.initializers:
            scope.add_constant(tensor)
        for sparse in graph.sparse:
            scope.types[sparse.values.name] = Type(sparse.values.dtype, sparse.dims)
            scope.fixed[sparse.values.name] = None
        scope.declared = Declared(graph, self._model.data, self.dims)
        inputs = [info.name for info in graph.inputs if info.name not in scope.fixed]
        return self.body(graph.nodes, scope, path, inputs, [info.name for info in graph.outputs])

    def body(
        self,
        nodes: Sequence[Node],
        scope: Scope,
        path: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> Walked:
        """Walk nodes in order."""
        steps: list[Step] = []
        events: list[Event] = []
        sizes = {name: bytes_of(scope.types.get(name)) for name in inputs}
        reused: list[Event] = []
        for node in nodes:
            self._left -= 1
            if self._left < 0:
                message = f"more than {_MOST_NODES} nodes to count, with loops and functions"
                raise ModelError(FailureKind.UNSUPPORTED, message)
            found, inner, inner_in_place = self._node(node, scope, path)
            steps += found
            reuse = found[0].result.reuse if len(found) == 1 and found[0].result else ""
            reads = (*node.inputs, *_captured(node)) if inner is not None else node.inputs
            events.append(Event(reads, node.outputs, reuse, inner or 0))
            reused.append(events[-1]._replace(inner=inner_in_place or 0))
            if node.op_type != "Constant":
                for name in node.outputs:
                    sizes[name] = bytes_of(scope.types.get(name)) if name else 0
        return Walked(
            steps,
            tuple(scope.types.get(name, NOTHING_KNOWN) for name in outputs),
            tuple(scope.array(name) for name in outputs),
            peak(events, sizes, inputs, outputs, in_place=False),
            peak(reused, sizes, inputs, outputs, in_place=True),
        )

    def _node(
        self, node: Node, scope: Scope, path: str
    ) -> tuple[list[Step], int | None, int | None]:
        """Count one node; returns its steps and what its subgraphs need of memory, both plans."""
        key = (node.domain, node.op_type)
        if self._functions and (node.domain, node.op_type, node.overload) in self._functions:
            return self._function(node, scope, path)
        if key in CONTROL:
            return self._control(node, scope, path)
        inputs = tuple(
            [scope.types.get(name, NOTHING_KNOWN) if name else None for name in node.inputs]
        )
        entry = TABLE.get(key)
        if entry is None:
            self._declare(node, scope)
            return [self._step(node, scope, path, "uncounted", inputs, None, False)], None, None
        found = self._apply(node, scope, inputs, entry.rule)
        self._bind(node, scope, found)
        return [self._step(node, scope, path, entry.kind, inputs, found.result, True)], None, None

    def _apply(
        self, node: Node, scope: Scope, inputs: tuple[Value | None, ...], rule: Rule
    ) -> _Known:
        key = (node.op_type, node.domain, node.key, inputs, len(node.outputs), self._opset)
        known = self._known.get(key)
        if known is None:
            known = self._ask(node, scope, inputs, rule, key)
        if node.op_type in FUNCTIONS and not node.domain:
            for name in node.inputs:
                if name and not scope.may_have_array(name):
                    return known
            self._evaluate(node, scope, inputs, known.outputs)
        elif node.op_type in _SIZES:
            self._evaluate(node, scope, inputs, known.outputs)
        return known

    def _ask(
        self,
        node: Node,
        scope: Scope,
        inputs: tuple[Value | None, ...],
        rule: Rule,
        key: object,
    ) -> _Known:
        call = self._call(node, scope, inputs)
        try:
            result = rule(call)
            outputs = result.outputs
        except _MALFORMED:
            result, outputs = None, (NOTHING_KNOWN,) * len(node.outputs)
        known = _Known(result, outputs, all(is_complete(value) for value in outputs))
        if not call.looked and len(node.key) <= _KEY_BYTES:
            self._known[key] = known
        return known

    def _call(self, node: Node, scope: Scope, inputs: tuple[Value | None, ...]) -> Call:
        def numbers(index: int) -> Array | None:
            return scope.array(node.inputs[index])

        return Call(node.op_type, node.attributes, inputs, len(node.outputs), self._opset, numbers)

    def _bind(self, node: Node, scope: Scope, known: _Known) -> None:
        types = scope.types
        for name, value in zip(node.outputs, known.outputs, strict=False):
            if name in scope.arrays and isinstance(value, Type) and not known.complete:
                # What was computed knows its own shape.
                value = Type(value.dtype, scope.arrays[name].shape)
            elif not known.complete and not is_complete(value):
                value = completed(value, scope.declared(name))
            types[name] = value if value is not None else NOTHING_KNOWN
        fixed = scope.fixed
        if node.op_type == "Constant":
            self._constant(node, scope)
        elif node.inputs and all(name in fixed for name in node.inputs if name):
            fixed.update(dict.fromkeys(node.outputs))
        if node.op_type == "DequantizeLinear":
            scope.stored[node.outputs[0]] = _dtype(types.get(node.inputs[0]))

    def _constant(self, node: Node, scope: Scope) -> None:
        name = node.outputs[0]
        scope.fixed[name] = None
        value = node.attributes.get("value")
        if isinstance(value, Tensor):
            scope.constants[name] = value
            return
        for key, dtype in (("value_int", np.int64), ("value_float", np.float32)):
            found = node.attributes.get(key, node.attributes.get(f"{key}s"))
            if isinstance(found, (int, float)) or _are_numbers(found):
                scope.arrays[name] = np.array(found, dtype)

    def _evaluate(
        self,
        node: Node,
        scope: Scope,
        inputs: tuple[Value | None, ...],
        outputs: tuple[Value | None, ...],
    ) -> None:
        """Carry out arithmetic on sizes; a result that cannot be had is just not known."""
        call = self._call(node, scope, inputs)
        try:
            if node.op_type in _SIZES:
                made = of_shape(call)
            else:
                made = evaluate(call, self._arrays(node, scope, outputs))
        except _MALFORMED:
            return
        scope.arrays.update(zip(node.outputs, made, strict=False))

    def _arrays(
        self, node: Node, scope: Scope, outputs: tuple[Value | None, ...]
    ) -> tuple[Array, ...]:
        small = node.op_type == "NonZero" or all(_small(value) for value in outputs)
        arrays = [scope.array(name) for name in node.inputs if name] if small else [None]
        found = tuple(array for array in arrays if array is not None)
        if len(found) < len(arrays):
            raise UnknownSize
        return found

    def _declare(self, node: Node, scope: Scope) -> None:
        for name in node.outputs:
            scope.types[name] = scope.declared(name) or NOTHING_KNOWN

    def _step(
        self,
        node: Node,
        scope: Scope,
        path: str,
        kind: str,
        inputs: tuple[Value | None, ...],
        result: Result | None,
        counted: bool,
    ) -> Step:
        outputs = tuple([scope.types.get(name) if name else None for name in node.outputs])
        name = node.name or (node.outputs[0] if node.outputs else "")
        return Step(
            node, path + name, kind, inputs, outputs, result, counted, 1, scope.fixed,
            _precision(node, scope, inputs),
        )  # fmt: skip

    def _function(
        self, node: Node, scope: Scope, path: str
    ) -> tuple[list[Step], int | None, int | None]:
        function = self._functions[node.domain, node.op_type, node.overload]
        inner = Scope()
        for name, outer in zip(function.inputs, node.inputs, strict=False):
            _pass_on(scope, outer, inner, name)
        nodes = [_filled(child, node.attributes, function.defaults) for child in function.nodes]
        walked = self._inside(function, nodes, inner, f"{path}{node.name or node.op_type}/")
        self.bind_outputs(node, scope, walked.outputs, walked.arrays)
        return walked.steps, walked.peak, walked.peak_in_place

    def _inside(self, function: Function, nodes: Sequence[Node], scope: Scope, path: str) -> Walked:
        self.descend()
        opset, self._opset = self._opset, dict(function.opsets).get("", self._opset)
        try:
            return self.body(nodes, scope, path, function.inputs, function.outputs)
        finally:
            self._opset = opset
            self.ascend()

    def descend(self) -> None:
        """Note that a body inside a body is walked.

        Raises: ModelError when there are too many, as in a function that calls itself.
        """
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            message = f"bodies inside each other more than {_MOST_LEVELS} levels deep"
            raise ModelError(FailureKind.INVALID_MODEL, message)

    def ascend(self) -> None:
        """Note that a body inside a body is done."""
        self._depth -= 1

    def bind_outputs(
        self,
        node: Node,
        scope: Scope,
        values: Sequence[Value | None],
        arrays: Sequence[Array | None],
    ) -> None:
        """Give the outputs of a node with a body their types and values."""
        for name, value in zip(node.outputs, values, strict=False):
            if not is_complete(value):
                value = completed(value, scope.declared(name))
            scope.types[name] = value if value is not None else NOTHING_KNOWN
        for name, array in zip(node.outputs, arrays, strict=False):
            if array is not None:
                scope.arrays[name] = array

    def _control(
        self, node: Node, scope: Scope, path: str
    ) -> tuple[list[Step], int | None, int | None]:
        inputs = tuple(
            scope.types.get(name, NOTHING_KNOWN) if name else None for name in node.inputs
        )
        self.descend()
        try:
            walked = CONTROL[node.domain, node.op_type](self, node, scope, path, inputs)
        except _MALFORMED:
            self._declare(node, scope)
            step = self._step(node, scope, path, "control", inputs, None, True)
            return [step], UNKNOWN, UNKNOWN
        finally:
            self.ascend()
        self.bind_outputs(node, scope, walked.outputs, walked.arrays)
        return walked.steps, walked.peak, walked.peak_in_place


_KEY_BYTES = 4096
_MOST_LEVELS = 60
_SIZES = frozenset({"Shape", "Size"})


def _are_numbers(items: object) -> bool:
    return type(items) is tuple and all(isinstance(item, (int, float)) for item in items)


def _small(value: Value | None) -> bool:
    if not isinstance(value, Type) or value.shape is None:
        return False
    elements = size(value.shape)
    return elements is not UNKNOWN and elements <= LARGEST


def _dtype(value: Value | None) -> int:
    return value.dtype if isinstance(value, Type) else 0


def _precision(node: Node, scope: Scope, inputs: tuple[Value | None, ...]) -> str:
    """The precision that a node calculates in: its first input's, or below a dequantisation.

    A node whose inputs were all dequantised just before is what a runtime fuses to integers.
    """
    stored = [scope.stored.get(name, 0) for name in node.inputs[:2]]
    if stored and all(dtype in _INTEGERS for dtype in stored):
        return DTYPES[stored[0]][0]
    dtype = _dtype(inputs[0]) if inputs else INT64
    return DTYPES.get(dtype, ("", 0))[0]


def _pass_on(outer: Scope, name: str, inner: Scope, inner_name: str) -> None:
    if name in outer.types:
        inner.types[inner_name] = outer.types[name]
    if (array := outer.array(name)) is not None:
        inner.arrays[inner_name] = array
    if name in outer.constants:
        inner.constants[inner_name] = outer.constants[name]
    if name in outer.fixed:
        inner.fixed[inner_name] = None


def _filled(node: Node, given: Mapping[str, Attribute], defaults: Mapping[str, Attribute]) -> Node:
    """A node of a function's body with the caller's attributes in place of references."""
    changed = any(isinstance(value, (Reference, Graph)) for value in node.attributes.values())
    if not changed:
        return node
    attributes: dict[str, Attribute] = {}
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            nodes = tuple(_filled(child, given, defaults) for child in value.nodes)
            attributes[name] = value._replace(nodes=nodes)
        elif not isinstance(value, Reference):
            attributes[name] = value
        elif value.name in given:
            attributes[name] = given[value.name]
        elif value.name in defaults:
            attributes[name] = defaults[value.name]
    # The key no longer tells the attributes apart; a long one is never looked up.
    return node._replace(attributes=attributes, key=bytes(_KEY_BYTES + 1))


def _captured(node: Node) -> tuple[str, ...]:
    """Names of the surrounding graph that the bodies of a node read."""
    names: dict[str, None] = {}
    for attribute in node.attributes.values():
        for graph in attribute if type(attribute) is tuple else (attribute,):
            if isinstance(graph, Graph):
                for inner in graph.nodes:
                    names.update(dict.fromkeys((*inner.inputs, *_captured(inner))))
                names.update(dict.fromkeys(info.name for info in graph.outputs))
    return tuple(names)
