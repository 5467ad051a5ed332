"""Seeded value objects for the store's tests."""

from __future__ import annotations

import numpy as np

from profiler.core.cost import GraphCost, NodeCost, OpCost
from profiler.core.environment import Conditions, Environment
from profiler.core.outcome import (
    Attempt,
    Failure,
    FailureKind,
    OutputError,
    Placement,
    Round,
    Stage,
)
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec

SHA = "a" * 64
TARGET = Target("onnxruntime-cpu", options=(("graph", "all"),))
PLAN = BenchPlan(processes=2, max_processes=4, dims=(("batch", 1),))
INPUTS = (TensorSpec("x", "float32", (1, 3, "h", None)), TensorSpec("y", "int64", None))
CONDITIONS = Conditions(load=0.5, cpu_pressure=None, frequency_mhz=2500.0, temperature_c=None)
ENVIRONMENT = Environment(
    cpu_model="Made-up CPU",
    cores_online=2,
    cores_allowed=(0, 1),
    memory_bytes=4 << 30,
    governor=None,
    boost=None,
    smt=False,
    cpu_quota=1.5,
    hypervisor=True,
    kernel="6.1",
    gpu=None,
    versions=(("onnx", "1.23.2"),),
)
COST = GraphCost(
    macs=10**12,
    flops=2 * 10**12,
    params=5,
    module_params=None,
    weight_bytes=20,
    peak_activation_bytes=None,
    bytes_read=1,
    bytes_written=2,
    by_op=(OpCost("Conv", 1, 10, 20, 1, 2),),
    nodes=(NodeCost("n", "Conv", None, 1, None, 2),),
    uncounted=(("Foo", 2),),
    unknown=("bar",),
)


def attempt(seed: int = 0, rounds: int = 5, samples: int = 30) -> Attempt:
    rng = np.random.default_rng(seed)

    def block() -> Round:
        wall = tuple(int(n) for n in rng.integers(900_000, 1_000_000, samples))
        flips = tuple(int(n) for n in rng.integers(0, 2, samples))
        return Round(wall, wall, flips, (0,) * samples, 2, 0.25)

    return Attempt(
        started_ns=1,
        load_ns=2_000_000,
        first_run_ns=3_000_000,
        warmup_runs=5,
        warmup_settled=True,
        rounds=tuple(block() for _ in range(rounds)),
        base_rss_bytes=50 << 20,
        peak_rss_bytes=80 << 20,
        placement=(Placement("cpu", "fp32", None),),
        effective=(("threads", "1"),),
        output_error=OutputError(1e-6, 1e-7, 1.0, None),
        before=CONDITIONS,
        after=CONDITIONS,
    )


def failure(session: str = "s1", message: str = "died", label: str = "m") -> Failure:
    return Failure(
        model_sha256=SHA,
        label=label,
        target=TARGET,
        plan=PLAN,
        environment_key=ENVIRONMENT.key,
        session=session,
        stage=Stage.LOADED,
        kind=FailureKind.CRASHED,
        message=message,
        exit_code=None,
        signal=11,
        log_tail="tail\x00",
        elapsed_s=1.5,
    )
