from __future__ import annotations

import json

import pytest

from profiler.core.cost import GraphCost, NodeCost, by_operator
from profiler.cost.calibrate import calibrate, peaks
from profiler.cost.roofline import Peaks, roofline

PEAKS = Peaks({"float32": 100e9, "int8": 400e9}, 10e9)


def graph(*nodes: NodeCost, weight_bytes: int = 0) -> GraphCost:
    by_op = by_operator(nodes)
    return GraphCost(
        macs=sum(op.macs for op in by_op),
        flops=sum(op.flops for op in by_op),
        params=0,
        module_params=None,
        weight_bytes=weight_bytes,
        peak_activation_bytes=0,
        bytes_read=sum(op.bytes_read for op in by_op),
        bytes_written=sum(op.bytes_written for op in by_op),
        by_op=by_op,
        nodes=nodes,
        uncounted=(),
        unknown=tuple(node.name for node in nodes if node.flops is None),
    )


def node(flops: int | None, read: int, precision: str = "float32") -> NodeCost:
    return NodeCost("n", "MatMul", 0, flops, read, 0, "matrix product", precision)


def test_a_node_takes_the_longer_of_arithmetic_and_traffic() -> None:
    busy, starved = roofline(graph(node(1_000_000, 1_000), node(1_000, 1_000_000)), PEAKS).nodes
    assert (busy.bound, starved.bound) == ("compute", "memory")
    assert busy.least_ns == pytest.approx(10_000)
    assert starved.least_ns == pytest.approx(100_000)
    assert busy.intensity == 1000


def test_the_graph_is_the_sum_and_its_hard_bound_is_below() -> None:
    cost = graph(node(1_000_000, 1_000), node(1_000, 1_000_000), weight_bytes=500_000)
    found = roofline(cost, PEAKS)
    assert found.least_ns == pytest.approx(110_000)
    assert found.memory_bound_share == pytest.approx(100_000 / 110_000)
    assert found.compute_ns == pytest.approx(50_000)


def test_precisions_have_their_own_peak() -> None:
    (found,) = roofline(graph(node(4_000_000, 10, "int8")), PEAKS).nodes
    assert found.compute_ns == pytest.approx(10_000)
    assert PEAKS.ridge("int8") == 40
    assert PEAKS.of("float16") == PEAKS.of("float32")


def test_what_is_not_known_stays_unknown() -> None:
    found = roofline(graph(node(None, 10)), PEAKS)
    assert (found.nodes[0].bound, found.least_ns) == (None, None)


def test_calibration_gives_plain_numbers_that_a_machine_can_reach() -> None:
    found = calibrate(threads=1, seconds=0.02)
    assert json.loads(json.dumps(found))["threads"] == 1
    measured = peaks(found)
    assert 1e8 < measured.flops_per_s["float32"] < 1e13
    assert 1e8 < measured.bytes_per_s < 1e13
    assert found["flops_per_s"]["int8"] > 0
    assert all(work > 0 and ns > 0 for work, ns in found["samples"]["copy"])
