"""Operators with bodies: If, Loop, Scan, SequenceMap, FlexAttention.

A branch that is known is taken, else the larger one; a body counts as often as it is known to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from exporters.onnx_types import Graph, Node
from profiler.cost import values
from profiler.cost.call import Array, Call, axis_of
from profiler.cost.rules.attention import flex_attention
from profiler.cost.scope import Scope, is_complete, joined
from profiler.cost.steps import Step, Walked
from profiler.cost.values import BOOL, FLOAT, INT64, NOTHING_KNOWN, Type, UnknownSize, Value

# Loops of which every turn differs are unrolled up to this many turns.
_UNROLLED = 64

# The walker, which imports this module.
Walker: TypeAlias = Any
Inputs: TypeAlias = tuple[Value | None, ...]
Control: TypeAlias = Callable[[Walker, Node, Scope, str, Inputs], Walked]


def if_(walker: Walker, node: Node, scope: Scope, path: str, inputs: Inputs) -> Walked:
    """If: the branch that is taken where that is known, else the one of more arithmetic."""
    branches = [_graph(node, "then_branch"), _graph(node, "else_branch")]
    condition = scope.array(node.inputs[0])
    if condition is not None and condition.size == 1:
        branch = branches[0 if bool(condition.ravel()[0]) else 1]
        return _walk(walker, branch, Scope(scope), f"{path}{node.name}/")
    walked = [_walk(walker, branch, Scope(scope), f"{path}{node.name}/") for branch in branches]
    larger, smaller = sorted(walked, key=_work, reverse=True)
    # A node that cannot be counted in the smaller branch may have made it the larger one.
    doubtful = [step for step in smaller.steps if step.result is None]
    outputs = tuple(joined(a, b) for a, b in zip(larger.outputs, smaller.outputs, strict=False))
    return Walked(
        larger.steps + doubtful,
        outputs,
        (None,) * len(outputs),
        _larger(larger.peak, smaller.peak),
        _larger(larger.peak_in_place, smaller.peak_in_place),
    )


def loop(walker: Walker, node: Node, scope: Scope, path: str, inputs: Inputs) -> Walked:
    """Loop: its body times its trips, where their number is a constant and no turn can end it."""
    body = _graph(node, "body")
    carried = list(inputs[2:])
    trips = _trips(node, scope)
    turn = _Turns(walker, node, body, scope, path)
    if trips == 0:
        return Walked([], _nothing(body, len(carried), carried), (), 0, 0)
    walked = turn.run([Type(INT64, ()), Type(BOOL, ()), *carried], {})
    stable = _same(walked.outputs[1 : 1 + len(carried)], carried) and _all_counted(walked)
    goes_on = walked.arrays[0] is not None or _passes_on(body)
    if trips is None or not goes_on:
        raise UnknownSize
    if stable:
        return turn.repeated(walked, len(carried), trips)
    if trips > _UNROLLED:
        raise UnknownSize
    return turn.unrolled(carried, _arrays(scope, node.inputs[2:]), trips)


class _Turns:
    """The turns of one loop."""

    def __init__(self, walker: Walker, node: Node, body: Graph, scope: Scope, path: str) -> None:
        self._walker = walker
        self._body = body
        self._scope = scope
        self._path = f"{path}{node.name}/"
        self._names = [info.name for info in body.inputs]

    def run(self, types: Sequence[Value | None], arrays: Mapping[int, Array]) -> Walked:
        """Walk the body once with types and known values for its inputs."""
        inner = Scope(self._scope)
        for position, (name, found) in enumerate(zip(self._names, types, strict=True)):
            inner.types[name] = found if found is not None else NOTHING_KNOWN
            if position in arrays:
                inner.arrays[name] = arrays[position]
        return _walk(self._walker, self._body, inner, self._path)

    def repeated(self, walked: Walked, carried: int, trips: int) -> Walked:
        """Every turn is like the first."""
        scanned = tuple(_stacked(found, trips) for found in walked.outputs[1 + carried :])
        outputs = (*walked.outputs[1 : 1 + carried], *scanned)
        steps = [_times(step, trips) for step in walked.steps]
        return walked._replace(steps=steps, outputs=outputs, arrays=())

    def unrolled(
        self, carried: list[Value | None], arrays: list[Array | None], trips: int
    ) -> Walked:
        """Every turn by itself."""
        steps: list[Step] = []
        scanned: list[Value | None] = []
        peaks = [(0, 0)]
        for index in range(trips):
            known = {2 + place: a for place, a in enumerate(arrays) if a is not None}
            known[0] = np.array(index, np.int64)
            known[1] = np.array(True)
            walked = self.run([Type(INT64, ()), Type(BOOL, ()), *carried], known)
            steps += walked.steps
            carried = list(walked.outputs[1 : 1 + len(carried)])
            arrays = list(walked.arrays[1 : 1 + len(carried)])
            turn = walked.outputs[1 + len(carried) :]
            scanned = [joined(a, b) for a, b in zip(scanned or turn, turn, strict=True)]
            peaks.append((walked.peak, walked.peak_in_place))
        outputs = (*carried, *(_stacked(found, trips) for found in scanned))
        highest = [_largest([peak[plan] for peak in peaks]) for plan in (0, 1)]
        return Walked(steps, outputs, tuple(arrays), *highest)


def scan(walker: Walker, node: Node, scope: Scope, path: str, inputs: Inputs) -> Walked:
    """Scan: its body times the length of what it scans; opset 8 has a batch axis and is refused."""
    body = _graph(node, "body")
    scanned = node.attributes.get("num_scan_inputs", 0)
    if not isinstance(scanned, int) or len(body.inputs) != len(inputs):
        raise UnknownSize
    states = len(inputs) - scanned
    axes = _list(node, "scan_input_axes", scanned)
    parts = [_part(found, axis) for found, axis in zip(inputs[states:], axes, strict=True)]
    trips = parts[0][1]
    if trips is values.UNKNOWN:
        raise UnknownSize
    turn = _Turns(walker, node, body, scope, path)
    walked = turn.run([*inputs[:states], *(part for part, _ in parts)], {})
    if not _same(walked.outputs[:states], inputs[:states]):
        raise UnknownSize
    out_axes = _list(node, "scan_output_axes", len(walked.outputs) - states)
    stacked = tuple(
        _stacked(found, trips, axis)
        for found, axis in zip(walked.outputs[states:], out_axes, strict=True)
    )
    steps = [_times(step, trips) for step in walked.steps]
    return walked._replace(steps=steps, outputs=(*walked.outputs[:states], *stacked), arrays=())


def sequence_map(walker: Walker, node: Node, scope: Scope, path: str, inputs: Inputs) -> Walked:
    """SequenceMap: its body for every item; further inputs may be sequences or single values."""
    first = inputs[0]
    if not isinstance(first, values.Sequence) or first.items is None:
        raise UnknownSize
    turn = _Turns(walker, node, _graph(node, "body"), scope, path)
    steps: list[Step] = []
    results: list[tuple[Value | None, ...]] = []
    peaks = [(0, 0)]
    for index in range(len(first.items)):
        given = [_item(found, index) for found in inputs]
        walked = turn.run(given, {})
        steps += walked.steps
        results.append(walked.outputs)
        peaks.append((walked.peak, walked.peak_in_place))
    outputs = tuple(_sequence(items) for items in zip(*results, strict=True))
    highest = [_largest([peak[plan] for peak in peaks]) for plan in (0, 1)]
    return Walked(steps, outputs, (), *highest)


def flex_attention_(walker: Walker, node: Node, scope: Scope, path: str, inputs: Inputs) -> Walked:
    """FlexAttention: its products, and its modifiers once over the matrix of scores."""
    call = Call(node.op_type, node.attributes, inputs, 1, 1, lambda index: None)
    result = flex_attention(call)
    scores = (*call.shape(0)[:3], call.shape(1)[2])
    name = node.name or node.outputs[0]
    sizes = tuple(map(values.bytes_of, result.outputs))
    read = sum(map(values.bytes_of, inputs))
    own = Step(
        node, path + name, "attention", inputs, result.outputs, result, True, read, sum(sizes),
        sizes, "", scope.fixed,
    )  # fmt: skip
    steps = [own]
    for modifier in ("score_mod", "prob_mod"):
        if modifier in node.attributes:
            turn = _Turns(walker, node, _graph(node, modifier), scope, path)
            steps += turn.run([Type(FLOAT, scores)], {}).steps
    inner = values.bytes_of(Type(FLOAT, scores))
    return Walked(steps, result.outputs, (), inner, inner)


def _walk(walker: Walker, graph: Graph, scope: Scope, path: str) -> Walked:
    found: Walked = walker.graph(graph, scope, path)
    return found


def _graph(node: Node, name: str) -> Graph:
    found = node.attributes.get(name)
    if not isinstance(found, Graph):
        raise ValueError(f"no {name}")
    return found


def _trips(node: Node, scope: Scope) -> int | None:
    limit = scope.array(node.inputs[0]) if node.inputs and node.inputs[0] else None
    start = scope.array(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
    if start is not None and not bool(start.ravel()[0]):
        return 0
    if len(node.inputs) > 1 and node.inputs[1] and start is None:
        return None
    return max(int(limit.ravel()[0]), 0) if limit is not None else None


def _passes_on(body: Graph) -> bool:
    """Whether the condition leaves the body as it came in, perhaps through copies."""
    name = body.outputs[0].name
    for node in reversed(body.nodes):
        if node.outputs[:1] == (name,):
            if node.op_type not in ("Identity", "Cast") or node.domain:
                return False
            name = node.inputs[0]
    return len(body.inputs) > 1 and name == body.inputs[1].name


def _nothing(body: Graph, states: int, carried: Sequence[Value | None]) -> tuple[Value | None, ...]:
    return (*carried, *(NOTHING_KNOWN,) * (len(body.outputs) - 1 - states))


def _arrays(scope: Scope, names: Sequence[str]) -> list[Array | None]:
    return [scope.array(name) if name else None for name in names]


def _same(one: Sequence[Value | None], other: Sequence[Value | None]) -> bool:
    return all(a == b and is_complete(a) for a, b in zip(one, other, strict=True))


def _all_counted(walked: Walked) -> bool:
    return all(step.result is not None for step in walked.steps)


def _work(walked: Walked) -> tuple[int, int]:
    counted = [(step.result, step.times) for step in walked.steps if step.result is not None]
    macs = values.total(result.macs * times for result, times in counted)
    return macs, values.total(result.flops * times for result, times in counted)


def _times(step: Step, trips: int) -> Step:
    return step._replace(times=step.times * trips)


def _larger(one: int, other: int) -> int:
    return _largest([one, other])


def _largest(numbers: Sequence[int]) -> int:
    return values.UNKNOWN if any(n is values.UNKNOWN for n in numbers) else max(numbers)


def _stacked(found: Value | None, trips: int, axis: int = 0) -> Value:
    if not isinstance(found, Type) or found.shape is None:
        return NOTHING_KNOWN
    place = axis_of(axis, len(found.shape) + 1)
    return Type(found.dtype, (*found.shape[:place], trips, *found.shape[place:]))


def _part(found: Value | None, axis: int) -> tuple[Type, int]:
    if not isinstance(found, Type) or found.shape is None:
        raise UnknownSize
    place = axis_of(axis, len(found.shape))
    return Type(found.dtype, found.shape[:place] + found.shape[place + 1 :]), found.shape[place]


def _list(node: Node, name: str, count: int) -> tuple[int, ...]:
    found: Any = node.attributes.get(name)
    return found if isinstance(found, tuple) and found else (0,) * count


def _item(found: Value | None, index: int) -> Value | None:
    if not isinstance(found, values.Sequence):
        return found
    return found.items[index] if found.items is not None else found.element


def _sequence(items: tuple[Value | None, ...]) -> Value:
    tensors = tuple(item if isinstance(item, Type) else NOTHING_KNOWN for item in items)
    return values.Sequence(tensors, tensors[0])


CONTROL: Mapping[tuple[str, str], Control] = {
    ("", "If"): if_,
    ("", "Loop"): loop,
    ("", "Scan"): scan,
    ("", "SequenceMap"): sequence_map,
    ("ai.onnx.preview", "FlexAttention"): flex_attention_,
}
