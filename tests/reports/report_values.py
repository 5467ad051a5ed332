"""A store as a week of use leaves it, made of seeded random numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from profiler.core.choice import Candidate, Constraint
from profiler.core.cost import GraphCost, OpCost
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
from profiler.store.records import (
    FinalistRecord,
    ModelRecord,
    SearchRecord,
    SearchState,
    TrialRecord,
    TrialState,
)
from profiler.store.store import Store

LATENCY = "latency@onnxruntime-cpu"
LIMIT_NS = 2e6
ORT = Target("onnxruntime-cpu")
ORT2 = Target("onnxruntime-cpu", threads=2)
OPENVINO = Target("openvino-cpu")
PLAN = BenchPlan(processes=5, max_processes=6, dims=(("batch", 1),))
QUICK = BenchPlan.quick()
SEARCH = "nasbench201-weaknas-1"
# Everything that a name of a model can try on a page, a spreadsheet and a terminal.
HOSTILE = (
    '=cmd|"/c calc"!A1</title><script>alert(1)</script><img src=x onerror=alert(2)>'
    "]]>--><svg onload=alert(3)>{{7*7}}${1}$x^2$&amp;\x1b[31m\n../../x\x00'\"\u202e"
)
ENVIRONMENT = Environment(
    cpu_model="Made-up Xeon @ 2.50GHz",
    cores_online=2,
    cores_allowed=(0, 1),
    memory_bytes=8 << 30,
    governor=None,
    boost=None,
    smt=False,
    cpu_quota=None,
    hypervisor=True,
    kernel="6.1.0",
    gpu=None,
    versions=(("nasprof", "0.1.0"), ("onnxruntime", "1.31.1"), ("openvino", "2026.4.1")),
)
NAMED = (
    ("reference:resnet18", 1814e6, 11.69e6, 28.0),
    ("reference:resnet50", 4089e6, 25.56e6, 62.0),
    ("reference:mobilenet_v2", 300.8e6, 3.50e6, 7.9),
    ("reference:vit_tiny", 1080e6, 5.72e6, 21.0),
    ("light_squeezenet.onnx", 349e6, 1.24e6, 5.1),
    ("light_shufflenet.onnx", 125e6, 1.37e6, 4.6),
)


@dataclass(frozen=True)
class Names:
    """What models, the search and messages are called."""

    prefix: str = ""
    search: str = SEARCH
    message: str = "the worker died of signal 11 (segmentation fault)"

    def of(self, name: str) -> str:
        return f"{self.prefix}{name}"


PLAIN = Names()


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def attempt(rng: np.random.Generator, median_ns: float, rounds: int, noise: float) -> Attempt:
    def block() -> Round:
        centre = median_ns * (1 + rng.normal(0, noise / 4))
        wall = centre * (1 + rng.gamma(1.5, noise / 2, 36) - noise / 3)
        wall[rng.random(36) < 0.02] *= 1.6
        flips = tuple(int(n) for n in rng.random(36) < 0.2)
        walls = tuple(int(n) for n in wall)
        return Round(walls, walls, flips, (0,) * 36, 1, 0.02)

    now = Conditions(load=0.4, cpu_pressure=None, frequency_mhz=None, temperature_c=None)
    return Attempt(
        started_ns=0,
        load_ns=int(median_ns * 8),
        first_run_ns=int(median_ns * 3),
        warmup_runs=8,
        warmup_settled=True,
        rounds=tuple(block() for _ in range(rounds)),
        base_rss_bytes=60 << 20,
        peak_rss_bytes=int((64 << 20) + median_ns * 8),
        placement=(Placement("cpu", "fp32", None),),
        effective=(("threads", "1"),),
        output_error=OutputError(2e-6, float(rng.uniform(1e-7, 9e-7)), 1.0, 1.0),
        before=now,
        after=now,
    )


def cost(macs: float, params: float) -> GraphCost:
    whole = int(macs)
    split = (("Conv", 0.93, 0.55, 20), ("Gemm", 0.07, 0.12, 1), ("Relu", 0, 0.2, 17))
    ops = tuple(
        OpCost(name, n, int(whole * m), int(2 * whole * m) + n, int(whole * b / 90), whole // 120)
        for name, m, b, n in (*split, ("Add", 0, 0.1, 8), ("GlobalAveragePool", 0, 0.03, 1))
    )
    return GraphCost(
        macs=whole,
        flops=2 * whole,
        params=int(params),
        module_params=int(params),
        weight_bytes=int(4 * params),
        peak_activation_bytes=1 << 20,
        bytes_read=sum(op.bytes_read for op in ops),
        bytes_written=sum(op.bytes_written for op in ops),
        by_op=ops,
        nodes=(),
        uncounted=(("Mystery", 2),),
        unknown=(),
    )


def put_model(store: Store, name: str, macs: float, params: float, plan: BenchPlan) -> str:
    inputs = (TensorSpec("input", "float32", ("batch", 3, 224, 224)),)
    digest = sha(name)
    record = ModelRecord(digest, name, name, int(4 * params), (("", 18),), inputs)
    store.put_model(record, cost(macs, params), plan.dims)
    return digest


def put_measurement(
    store: Store,
    rng: np.random.Generator,
    name: str,
    target: Target,
    plan: BenchPlan,
    session: str,
    median_ns: float,
    noise: float = 0.01,
) -> float:
    inputs = (TensorSpec("input", "float32", (1, 3, 224, 224)),)
    for number in range(plan.processes):
        value = attempt(rng, median_ns, plan.rounds, noise)
        store.put_attempt(
            session, number, sha(name), name, target, plan, ENVIRONMENT.key, inputs, value
        )
    found = store.measurement(session, sha(name), target, plan)
    assert found is not None
    return found.latency.median_ns


def fill(store: Store, names: Names = PLAIN, trials: int = 60, models: int = 6) -> None:
    """Six models on three targets, two failures, and a search with finalists."""
    rng = np.random.default_rng(7)
    store.put_environment(ENVIRONMENT)
    for plain, macs, params, ms in NAMED[:models]:
        name = names.of(plain)
        put_model(store, name, macs, params, PLAN)
        for target, factor in ((ORT, 1.0), (ORT2, 0.61), (OPENVINO, 0.83)):
            noise = 0.08 if (plain, target) == ("light_shufflenet.onnx", ORT2) else 0.008
            put_measurement(store, rng, name, target, PLAN, "bench-1", ms * 1e6 * factor, noise)
    for kind, target in ((FailureKind.CRASHED, OPENVINO), (FailureKind.HUNG, ORT)):
        store.put_failure(_failure(names, kind, target), 0)
    if trials:
        _fill_search(store, rng, names, trials)


def _failure(names: Names, kind: FailureKind, target: Target) -> Failure:
    name = names.of("broken.onnx")
    return Failure(
        model_sha256=sha(name),
        label=name,
        target=target,
        plan=PLAN,
        environment_key=ENVIRONMENT.key,
        session="bench-1",
        stage=Stage.LOADED,
        kind=kind,
        message=names.message,
    )


def _fill_search(store: Store, rng: np.random.Generator, names: Names, trials: int) -> None:
    limits = (Constraint("latency", "onnxruntime-cpu", LIMIT_NS),)
    record = SearchRecord(
        name=names.search,
        space="nasbench201",
        strategy="weaknas",
        accuracy="digits",
        constraints=limits,
        queries=40,
        seed=0,
        config={"threads": 1},
    )
    store.create_search(record)
    inside = []
    for number in range(trials):
        trial = _trial(store, rng, names, number)
        store.put_trial(names.search, trial)
        if trial.accuracy is not None and trial.state is TrialState.DONE:
            inside.append(trial)
    best = sorted(inside, key=lambda trial: -(trial.accuracy or 0.0))[:6]
    for trial in best:
        name = names.of(_arch(trial.candidate.genes))
        old = trial.metrics[LATENCY] or 0.0
        new = put_measurement(store, rng, name, ORT, PLAN, f"again-{trial.number}", old * 1.003)
        store.put_finalist(
            names.search, FinalistRecord(trial.number, f"again-{trial.number}", {LATENCY: new})
        )
    store.set_search_state(names.search, SearchState.DONE)


def _trial(store: Store, rng: np.random.Generator, names: Names, number: int) -> TrialRecord:
    genes = tuple(int(n) for n in rng.integers(0, 5, 6))
    candidate = Candidate("nasbench201", genes)
    if number % 29 == 28:
        return TrialRecord(
            number, candidate, TrialState.FAILED, record={"error": f"Failed: {names.message}"}
        )
    work = sum({2: 0.25, 3: 1.0}.get(gene, 0.05) for gene in genes)
    name = names.of(_arch(genes))
    macs, params = 8e6 + 30e6 * work, 7e4 + 2e5 * work
    put_model(store, name, macs, params, QUICK)
    median = (0.55 + 0.62 * work) * 1e6 * float(rng.uniform(0.9, 1.1))
    session = f"trial-{number}"
    found = put_measurement(store, rng, name, ORT, QUICK, session, median, 0.03)
    accuracy = None
    if found <= LIMIT_NS:
        accuracy = float(np.clip(0.9 + 0.03 * work - rng.gamma(1.3, 0.03), 0.1, 0.995))
        accuracy = 0.102 if work < 0.4 else accuracy
    metrics = {LATENCY: found, "macs": macs, "params": params}
    return TrialRecord(
        number, candidate, TrialState.DONE, accuracy, metrics, session, sha(name), {"batch": 0}
    )


def _arch(genes: tuple[int, ...]) -> str:
    ops = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    edges = [f"{ops[gene]}~{n}" for gene, n in zip(genes, (0, 0, 1, 0, 1, 2), strict=True)]
    return f"nasbench201:|{edges[0]}|+|{'|'.join(edges[1:3])}|+|{'|'.join(edges[3:])}|"
