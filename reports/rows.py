"""One outcome as one flat row: what every table, file and chart of a report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from profiler.core.cost import GraphCost
from profiler.core.outcome import Failure, Measurement, Outcome, OutputError, Placement
from profiler.core.stopping import why_stopped
from profiler.core.summary import Latency
from profiler.core.units import mib, ms
from profiler.parity import doubts

# The enqueue median over which trtexec calls a number host-bound (NVIDIA, sampleReporting.cpp).
_HOST_BOUND = 0.8
# Before a number that is not to be relied on, by its verdict.
MARKS = {"noisy": "~", "invalid": "!"}


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement or a failure; None is unknown or does not apply.

    Unit: in the names; latencies are for one inference of the whole batch, `throughput_per_s` is
    such inferences a second of all streams together, `energy_mj` that of one, less idle. `newest`
    is False for a measurement that was repeated later with the same model, target, plan and
    environment. `again` marks the second measurement of a trial of the search. `fp32_ratio` is the
    median over that of fp32, for smaller precisions.
    """

    status: str
    label: str
    model_sha256: str
    runtime: str
    device: str
    precision: str
    threads: int
    options: str
    batch: str | None
    verdict: str
    median_ns: float | None = None
    low_ns: float | None = None
    high_ns: float | None = None
    p90_ns: float | None = None
    p99_ns: float | None = None
    min_ns: float | None = None
    q1_ns: float | None = None
    q3_ns: float | None = None
    mad_ns: float | None = None
    samples: int | None = None
    processes: int | None = None
    stopped: str | None = None
    clean_share: float | None = None
    pace_share: float | None = None
    drift: float | None = None
    start_ns: float | None = None
    import_ns: float | None = None
    load_ns: float | None = None
    first_run_ns: float | None = None
    peak_rss_bytes: int | None = None
    memory_bytes: int | None = None
    device_ns: float | None = None
    enqueue_ns: float | None = None
    transfer_ns: float | None = None
    gpu_memory_bytes: int | None = None
    streams: int = 1
    throughput_per_s: float | None = None
    energy_mj: float | None = None
    meter: str | None = None
    fp32_ratio: float | None = None
    error_max_abs: float | None = None
    error_relative: float | None = None
    error_cosine: float | None = None
    error_top1: float | None = None
    ran_on: str | None = None
    settings: str | None = None
    reasons: str = ""
    stage: str | None = None
    failure: str | None = None
    message: str | None = None
    macs: int | None = None
    flops: int | None = None
    params: int | None = None
    weight_bytes: int | None = None
    search: str | None = None
    trial: int | None = None
    candidate: str | None = None
    again: bool = False
    newest: bool = True
    session: str = ""
    created_at: str | None = None
    environment_key: str = ""
    plan_key: str = ""
    dims: str = ""
    seed: int = 0

    @property
    def measured(self) -> bool:
        """True when there is a number."""
        return self.median_ns is not None

    @property
    def name(self) -> str:
        """The model's label, or the number and genes of a trial."""
        if self.trial is None:
            return self.label
        return f"#{self.trial}{' again' if self.again else ''} {self.candidate}"

    @property
    def judged(self) -> str:
        """The verdict, and whether a smaller precision is slower than fp32 or broken."""
        slower = self.fp32_ratio is not None and self.fp32_ratio > 1
        return ", ".join([self.verdict, *self.doubts, *["slower than fp32"] * slower])

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is to be said of a smaller precision's outputs."""
        if self.error_max_abs is None or self.error_relative is None:
            return ()
        error = OutputError(
            self.error_max_abs, self.error_relative, self.error_cosine, self.error_top1
        )
        return doubts(error, self.precision)

    @property
    def on_gpu(self) -> str:
        """What the GPU and the work for it took, in one line; empty without a GPU."""
        if self.device_ns is None or self.enqueue_ns is None:
            return ""
        parts = [f"GPU {ms(self.device_ns)} ms", f"host's enqueue {ms(self.enqueue_ns)} ms"]
        if self.transfer_ns is not None:
            parts.append(f"copies to and from the GPU, not part of it, {ms(self.transfer_ns)} ms")
        if self.gpu_memory_bytes is not None:
            parts.append(f"GPU memory {mib(self.gpu_memory_bytes)} MiB")
        if self.enqueue_ns > _HOST_BOUND * self.device_ns:
            parts.append("bound by the host, not by the GPU")
        return ", ".join(parts)

    @property
    def target(self) -> str:
        """Runtime, precision, threads and options in one line."""
        streams = f"{self.streams} streams" if self.streams > 1 else ""
        parts = [self.runtime, self.precision, f"{self.threads}t", self.options, streams]
        return "/".join(part for part in parts if part)


def outcome_row(
    outcome: Outcome, cost: GraphCost | None = None, created_at: str | None = None
) -> Row:
    """Flatten an outcome, with the static cost of its model where that is known."""
    row = _measured(outcome) if isinstance(outcome, Measurement) else _failed(outcome)
    row = replace(row, created_at=created_at)
    if cost is None:
        return row
    return replace(
        row,
        macs=cost.macs,
        flops=cost.flops,
        params=cost.params if cost.module_params is None else cost.module_params,
        weight_bytes=cost.weight_bytes,
    )


def outcome_rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """Flatten outcomes in their order."""
    return [outcome_row(outcome) for outcome in outcomes]


def _measured(found: Measurement) -> Row:
    latency = found.latency if found.samples_ns else None
    error = found.output_error
    row = replace(
        _identity(found, "measurement", latency.verdict.value if latency else "invalid"),
        batch=None if found.batch is None else str(found.batch),
        reasons="; ".join(latency.reasons) if latency else "no samples",
        processes=len(found.attempts),
        stopped=why_stopped(found) if latency else None,
        start_ns=found.start_ns,
        import_ns=found.import_ns,
        load_ns=found.load_ns,
        first_run_ns=found.first_run_ns,
        peak_rss_bytes=found.peak_rss_bytes,
        memory_bytes=found.memory_bytes,
        device_ns=found.device_ns,
        enqueue_ns=found.enqueue_ns,
        transfer_ns=found.transfer_ns,
        gpu_memory_bytes=found.gpu_memory_bytes,
        throughput_per_s=found.throughput if latency else None,
        energy_mj=found.energy_mj,
        meter=found.meter,
        error_max_abs=error.max_abs if error else None,
        error_relative=error.relative if error else None,
        error_cosine=error.cosine if error else None,
        error_top1=error.top1 if error else None,
        ran_on=_ran_on(found.attempts[0].placement),
        settings=" ".join(f"{name}={value}" for name, value in found.attempts[0].effective) or None,
    )
    return row if latency is None else _with_latency(row, latency)


def _with_latency(row: Row, latency: Latency) -> Row:
    return replace(
        row,
        median_ns=latency.median_ns,
        low_ns=latency.low_ns,
        high_ns=latency.high_ns,
        p90_ns=latency.percentile(90.0),
        p99_ns=latency.percentile(99.0),
        min_ns=latency.min_ns,
        q1_ns=latency.q1_ns,
        q3_ns=latency.q3_ns,
        mad_ns=latency.mad_ns,
        samples=latency.samples,
        clean_share=latency.clean_share,
        pace_share=latency.pace_share,
        drift=latency.drift,
    )


def _failed(found: Failure) -> Row:
    return replace(
        _identity(found, "failure", "failed"),
        stage=found.stage.value,
        failure=found.kind.value,
        message=found.message,
    )


def _identity(found: Outcome, status: str, verdict: str) -> Row:
    return Row(
        status=status,
        label=found.label,
        model_sha256=found.model_sha256,
        runtime=found.target.runtime,
        device=found.target.device,
        precision=found.target.precision,
        threads=found.target.threads,
        options="/".join(f"{name}={value}" for name, value in found.target.options),
        batch=None,
        verdict=verdict,
        session=found.session,
        environment_key=found.environment_key,
        plan_key=found.plan.key,
        dims=" ".join(f"{name}={size}" for name, size in found.plan.dims),
        seed=found.plan.seed,
        streams=found.plan.streams,
    )


def _ran_on(placement: Sequence[Placement]) -> str | None:
    parts = [
        f"{p.device} {p.precision}" + ("" if p.nodes is None else f" ({p.nodes} nodes)")
        for p in placement
    ]
    return ", ".join(parts) or None
