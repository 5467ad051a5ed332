"""Count single nodes: ask the rule, take down what it says, carry out arithmetic on sizes.

Nodes with the same attributes and the same input types are asked once, which is most of the nodes
of a network of repeated blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from exporters.onnx_types import DTYPES, Node, Tensor
from profiler.cost.call import Array, Call, Result, Rule
from profiler.cost.evaluate import FUNCTIONS, LARGEST, evaluate, of_shape
from profiler.cost.scope import Scope, completed, is_complete
from profiler.cost.steps import Step
from profiler.cost.table import Entry
from profiler.cost.values import (
    NOTHING_KNOWN,
    UNKNOWN,
    Type,
    UnknownSize,
    Value,
    bytes_of,
    size,
)

# What a rule or an evaluation raises for a node that is malformed or not known well enough.
NOT_COUNTABLE = (
    UnknownSize, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError,
    AttributeError,
)  # fmt: skip
# Attributes up to this size are compared; a longer key is never looked up.
KEY_BYTES = 4096
_SIZES = frozenset({"Shape", "Size"})
_INTEGERS = frozenset({2, 3, 4, 5, 6, 21, 22, 25, 26})
_NAMES = {code: name for code, (name, _) in DTYPES.items()}


class _Known(NamedTuple):
    """What a rule said of a call."""

    result: Result | None
    outputs: tuple[Value | None, ...]
    complete: bool
    read: int
    written: int
    sizes: tuple[int, ...]


class Nodes:
    """Counts plain nodes, those that have no body."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self._known: dict[object, _Known] = {}
        # For nodes whose rule looks at values: which inputs it looked at.
        self._looked_at: dict[object, tuple[int, ...]] = {}

    def count(self, node: Node, scope: Scope, path: str, entry: Entry) -> Step:
        """Count a node by its rule, and put its outputs into the scope."""
        op_type, domain, _, own_name, names, made, _, attributes, _, _, _ = node
        types = scope.types
        inputs = tuple([types.get(name, NOTHING_KNOWN) if name else None for name in names])
        key = (op_type, domain, attributes, inputs, len(made), self.opset)
        known = self._known.get(key)
        if known is None:
            known = self._ask(node, scope, inputs, entry.rule, key)
        if (op_type in FUNCTIONS and _may_be_evaluated(node, scope)) or op_type in _SIZES:
            self._evaluate(node, scope, inputs, known.outputs)
        result, outputs, complete, read, written, sizes = known
        if complete:
            for name, value in zip(made, outputs, strict=False):
                types[name] = value  # type: ignore[assignment]
        else:
            outputs = self._completed(node, scope, outputs)
            sizes = tuple(map(bytes_of, outputs))
            if result is not None and result.written is None:
                written = sum(sizes)
        fixed = scope.fixed
        if not names or names[0] in fixed or not names[0]:
            self._note(node, scope)
        if op_type == "DequantizeLinear":
            scope.stored[made[0]] = dtype_of(inputs[0])
        precision = _precision(node, scope, inputs) if scope.stored else precision_of(inputs)
        return Step(
            node, path + (own_name or (made[0] if made else "")), entry.kind, inputs, outputs,
            result, True, read, written, sizes, precision, fixed,
        )  # fmt: skip

    def _ask(
        self,
        node: Node,
        scope: Scope,
        inputs: tuple[Value | None, ...],
        rule: Rule,
        key: object,
    ) -> _Known:
        looked_at = self._looked_at.get(key)
        if looked_at is not None:
            known = self._known.get((key, _values(node, scope, looked_at)))
            if known is not None:
                return known
        call = self._call(node, scope, inputs)
        known = _taken_down(rule, call, len(node.outputs))
        if len(node.key) > KEY_BYTES:
            return known
        if call.looked_at:
            # The next node of this kind is the same only if the values that the rule saw are.
            looked_at = self._looked_at[key] = call.looked_at
            values = _values(node, scope, looked_at)
            if values is not None:
                self._known[key, values] = known
        else:
            self._known[key] = known
        return known

    def _call(self, node: Node, scope: Scope, inputs: tuple[Value | None, ...]) -> Call:
        def numbers(index: int) -> Array | None:
            return scope.array(node.inputs[index])

        return Call(node.op_type, node.attributes, inputs, len(node.outputs), self.opset, numbers)

    def _completed(
        self, node: Node, scope: Scope, outputs: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        """Fill gaps by what was computed and by what the file declares."""
        found = []
        for name, value in zip(node.outputs, outputs, strict=False):
            if name in scope.arrays and isinstance(value, Type):
                value = Type(value.dtype, scope.arrays[name].shape)
            elif not is_complete(value):
                value = completed(value, scope.declared(name))
            scope.types[name] = value if value is not None else NOTHING_KNOWN
            found.append(value)
        return tuple(found)

    def _note(self, node: Node, scope: Scope) -> None:
        """Remember what does not depend on the inputs of the graph."""
        fixed = scope.fixed
        if node.op_type == "Constant" and not node.inputs:
            _constant(node, scope)
        elif node.inputs and all(name in fixed for name in node.inputs if name):
            fixed.update(dict.fromkeys(node.outputs))

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
                made = evaluate(call, _arrays(node, scope, outputs))
        except NOT_COUNTABLE:
            return
        scope.arrays.update(zip(node.outputs, made, strict=False))


def _values(
    node: Node, scope: Scope, indices: tuple[int, ...]
) -> tuple[tuple[int, bytes | None], ...] | None:
    """The values of some inputs, to be compared; None where they are not all numbers."""
    found: list[tuple[int, bytes | None]] = []
    for index in indices:
        array = scope.array(node.inputs[index]) if index < len(node.inputs) else None
        if array is not None and array.dtype == object:
            return None
        found.append((index, None if array is None else array.tobytes()))
    return tuple(found)


def _taken_down(rule: Rule, call: Call, outputs: int) -> _Known:
    try:
        result = rule(call)
        sizes = tuple(map(bytes_of, result.outputs))
        read = sum(map(bytes_of, call.inputs)) if result.read is None else result.read
        written = sum(sizes) if result.written is None else result.written
        complete = all(map(is_complete, result.outputs))
    except NOT_COUNTABLE:
        nothing = (NOTHING_KNOWN,) * outputs
        return _Known(None, nothing, False, UNKNOWN, UNKNOWN, (UNKNOWN,) * outputs)
    return _Known(result, result.outputs, complete, read, written, sizes)


def _may_be_evaluated(node: Node, scope: Scope) -> bool:
    if node.domain or not node.inputs:
        return False
    arrays, constants = scope.arrays, scope.constants
    for name in node.inputs:  # noqa: SIM110 - a generator takes twice as long, for every node
        if name and name not in arrays and name not in constants:
            return False
    return True


def _arrays(node: Node, scope: Scope, outputs: tuple[Value | None, ...]) -> tuple[Array, ...]:
    # How large a NonZero is only its values tell, and they are no more than its input's.
    if node.op_type != "NonZero" and not all(map(_small, outputs)):
        raise UnknownSize
    arrays = [scope.array(name) for name in node.inputs if name]
    found = tuple(array for array in arrays if array is not None)
    if len(found) < len(arrays):
        raise UnknownSize
    return found


def _small(value: Value | None) -> bool:
    if not isinstance(value, Type) or value.shape is None:
        return False
    elements = size(value.shape)
    return elements is not UNKNOWN and elements <= LARGEST


def _constant(node: Node, scope: Scope) -> None:
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


def _are_numbers(items: object) -> bool:
    return type(items) is tuple and all(isinstance(item, (int, float)) for item in items)


def dtype_of(value: Value | None) -> int:
    """The element type of a value; 0 when it is not known."""
    return value.dtype if isinstance(value, Type) else 0


def _precision(node: Node, scope: Scope, inputs: tuple[Value | None, ...]) -> str:
    """The type that a node calculates in: its first input's, or the one below a dequantisation.

    A node whose inputs were all dequantised just before is what a runtime fuses to integers.
    """
    if len(node.inputs) > 1:
        stored = [scope.stored.get(name, 0) for name in node.inputs[:2]]
        if all(dtype in _INTEGERS for dtype in stored):
            return _NAMES[stored[0]]
    return precision_of(inputs)


def precision_of(inputs: tuple[Value | None, ...]) -> str:
    """The type of the first input; empty where there is none."""
    return _NAMES.get(dtype_of(inputs[0]), "") if inputs else ""
