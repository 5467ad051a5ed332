"""Count what a torch module called, by the rules that count exported files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from exporters.meta_operators import MOVE, VIEW
from exporters.meta_trace import Trace
from exporters.onnx_types import Node, TypeInfo
from profiler.core.cost import GraphCost, by_operator
from profiler.cost.call import VIEW as SHARES_MEMORY
from profiler.cost.call import Call, Result
from profiler.cost.choose import convention as look_up
from profiler.cost.conventions._convention import figure
from profiler.cost.count import constant_macs, node_cost
from profiler.cost.memory import Event, peaks
from profiler.cost.nodes import NOT_COUNTABLE, precision_of
from profiler.cost.steps import Step
from profiler.cost.table import TABLE
from profiler.cost.values import Type, Value, bytes_of, known

_NEWEST = 28


def count_trace(trace: Trace, convention: str = "nasprof") -> GraphCost:
    """Count a trace as `count_file` counts an export; every shape is torch's own.

    Unit: as count_file.
    Raises: InputError for an unknown convention.
    """
    steps = steps_of(trace)
    nodes = tuple(node_cost(step) for step in steps if step.counted)
    by_op = by_operator(nodes)
    sizes = {
        name: bytes_of(_type(info))
        for name, info in trace.types.items()
        if name not in trace.weights
    }
    events: list[Event] = [
        (s.node.inputs, s.node.outputs, s.result.reuse if s.result else "", 0, 0) for s in steps
    ]
    memory = peaks(events, sizes, trace.inputs, trace.outputs)
    cost = GraphCost(
        macs=sum(op.macs for op in by_op),
        flops=sum(op.flops for op in by_op),
        params=trace.params,
        module_params=trace.params,
        weight_bytes=trace.weight_bytes,
        peak_activation_bytes=known(memory.plain),
        peak_in_place_bytes=known(memory.in_place),
        bytes_read=sum(op.bytes_read for op in by_op),
        bytes_written=sum(op.bytes_written for op in by_op),
        by_op=by_op,
        nodes=nodes,
        uncounted=tuple(sorted(Counter(s.operator for s in steps if not s.counted).items())),
        unknown=tuple(node.name for node in nodes if node.flops is None),
        figure=sum(op.macs for op in by_op),
        constant_macs=constant_macs(steps),
    )
    if convention == "nasprof":
        return cost
    rules = look_up(convention)
    return replace(cost, convention=convention, figure=figure(steps, rules))


def steps_of(trace: Trace) -> tuple[Step, ...]:
    """The operators of a trace as they were counted, for conventions and explanations."""
    types = {name: _type(info) for name, info in trace.types.items()}
    fixed = set(trace.weights)
    steps = []
    for node in trace.nodes:
        if all(name in fixed for name in node.inputs):
            fixed.update(node.outputs)
        steps.append(_step(node, types, fixed))
    return tuple(steps)


def _type(info: TypeInfo) -> Type:
    shape = tuple(dim for dim in info.shape or () if isinstance(dim, int))
    return Type(info.dtype, shape)


def _step(node: Node, types: Mapping[str, Type], fixed: set[str]) -> Step:
    inputs: tuple[Value | None, ...] = tuple(types.get(name) for name in node.inputs)
    outputs = tuple(types[name] for name in node.outputs)
    result, kind, counted = _counted(node, inputs, outputs)
    sizes = tuple(map(bytes_of, outputs))
    read = sum(map(bytes_of, inputs))
    written = sum(sizes)
    if result is not None:
        read = read if result.read is None else result.read
        written = written if result.written is None else result.written
    return Step(
        node, node.name, kind, inputs, outputs, result, counted, read, written, sizes,
        precision_of(inputs), fixed,
    )  # fmt: skip


def _counted(
    node: Node, inputs: tuple[Value | None, ...], outputs: tuple[Type, ...]
) -> tuple[Result | None, str, bool]:
    if node.domain == VIEW:
        return Result(outputs, reuse=SHARES_MEMORY, read=0, written=0), "movement", True
    if node.domain == MOVE:
        return Result(outputs, read=sum(map(bytes_of, outputs))), "movement", True
    entry = TABLE.get((node.domain, node.op_type))
    if entry is None:
        return None, "uncounted", False
    call = Call(node.op_type, node.attributes, inputs, len(outputs), _NEWEST, lambda index: None)
    try:
        return entry.rule(call)._replace(outputs=outputs), entry.kind, True
    except NOT_COUNTABLE:
        return None, entry.kind, True
