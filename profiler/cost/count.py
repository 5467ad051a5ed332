"""Count the static cost of an ONNX file: MACs, FLOPs, parameters, bytes, live memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from exporters.model_file import read_structure
from exporters.onnx_types import Structure
from profiler.core.cost import GraphCost, NodeCost, by_operator
from profiler.cost.blocked_channels import unpadded
from profiler.cost.conventions._convention import figure
from profiler.cost.modules import module_path
from profiler.cost.steps import Step, Walked
from profiler.cost.values import UNKNOWN, known
from profiler.cost.walk import Walker
from profiler.cost.weights import count_weights

# What nasprof's own exports say about the torch module.
_MODULE_PARAMS = "nasprof.params"
_NONE: Mapping[str, int] = {}


def count_file(
    path: Path, dims: Mapping[str, int] = _NONE, convention: str = "nasprof"
) -> GraphCost:
    """Count one inference of a model; weights are not read, and external files may be missing.

    `dims` gives sizes to symbolic dimensions; nodes that hang on one without are named in
    `unknown`, and the symbol in `symbols`.
    Unit: `macs` multiply-accumulates, `flops` 2 x MACs + the other arithmetic, bytes.
    Raises: ModelError for a file that is no model; InputError for an unknown convention.
    Source: docs/cost.md.
    """
    path = Path(path)
    model = unpadded(path, read_structure(path))
    walker = Walker(model, dims)
    walked = walker.model()
    cost = _graph_cost(path, model, walked, walker, dims)
    return cost if convention == "nasprof" else _in_convention(cost, walked.steps, convention)


def walk_file(path: Path, dims: Mapping[str, int] = _NONE) -> tuple[Step, ...]:
    """The nodes of a model as they were counted, for conventions and explanations.

    Raises: ModelError for a file that is no model.
    """
    path = Path(path)
    return tuple(Walker(unpadded(path, read_structure(path)), dims).model().steps)


def _graph_cost(
    path: Path, model: Structure, walked: Walked, walker: Walker, dims: Mapping[str, int]
) -> GraphCost:
    nodes = tuple([node_cost(step) for step in walked.steps if step.counted])
    weights = count_weights(path, model)
    by_op = by_operator(nodes)
    macs = sum([op.macs for op in by_op])
    return GraphCost(
        macs=macs,
        flops=sum([op.flops for op in by_op]),
        params=weights.params,
        module_params=_module_params(model),
        weight_bytes=weights.bytes,
        peak_activation_bytes=known(walked.peak),
        peak_in_place_bytes=known(walked.peak_in_place),
        bytes_read=sum([op.bytes_read for op in by_op]),
        bytes_written=sum([op.bytes_written for op in by_op]),
        by_op=by_op,
        nodes=nodes,
        uncounted=_uncounted(walked.steps),
        unknown=tuple([node.name for node in nodes if node.flops is None]),
        symbols=tuple(sorted(walker.unbound)),
        dims=tuple(sorted(dims.items())),
        figure=macs,
        constant_macs=constant_macs(walked.steps),
    )


def constant_macs(steps: Sequence[Step]) -> int:
    """The MACs that do not depend on the inputs of the graph."""
    macs = 0
    for step in steps:
        names = step.node.inputs
        # Most nodes read an activation first; that is seen without a call.
        if names and names[0] in step.fixed and step.result is not None and step.is_constant:
            macs += (known(step.result.macs) or 0) * step.times
    return macs


def _in_convention(cost: GraphCost, steps: Sequence[Step], name: str) -> GraphCost:
    # Looked up here only: entry points of other distributions take longer to list than to count.
    from profiler.cost.choose import convention

    return replace(cost, convention=name, figure=figure(steps, convention(name)))


def node_cost(step: Step) -> NodeCost:
    """The figures of one node, as they are shown and stored."""
    node, result, times = step.node, step.result, step.times
    op_type = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    if result is None:
        return NodeCost(
            step.name, op_type, None, None, None, None, step.kind, step.precision,
            module_path(node), times,
        )  # fmt: skip
    macs = result.macs * times
    flops = 2 * macs + result.flops * times
    read, written = step.read * times, step.written * times
    return NodeCost(
        step.name,
        op_type,
        None if macs is UNKNOWN else macs,
        None if flops is UNKNOWN else flops,
        None if read is UNKNOWN else read,
        None if written is UNKNOWN else written,
        step.kind,
        step.precision,
        module_path(node),
        times,
    )


def _uncounted(steps: Sequence[Step]) -> tuple[tuple[str, int], ...]:
    counts = Counter([step.operator for step in steps if not step.counted])
    return tuple(sorted(counts.items()))


def _module_params(model: Structure) -> int | None:
    text = dict(model.metadata).get(_MODULE_PARAMS, "")
    return int(text) if text.isascii() and text.isdigit() else None
