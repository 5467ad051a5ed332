"""What the store gives and takes beside outcomes: models, searches, trials, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from profiler.core.choice import Candidate, Constraint, Objective
from profiler.core.outcome import Outcome
from profiler.core.tensor import TensorSpec


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as a report names it; `subject` is what the person asked for, where known.

    Unit: `size_bytes` of the model with every external file. `opsets` are (domain, version) pairs.
    """

    sha256: str
    label: str
    subject: str | None
    size_bytes: int
    opsets: tuple[tuple[str, int], ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """The best that a machine was seen to do, measured by `nasprof devices --calibrate`.

    Unit: operations a second by precision (two for each MAC), None where the machine has no
    kernels for it; bytes read and written a second; samples are (work, ns) of single runs.
    """

    environment_key: str
    threads: int
    flops_per_s: Mapping[str, float | None]
    bytes_per_s: float
    samples: Mapping[str, tuple[tuple[int, int], ...] | None]
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """An outcome with its UTC time label; `number` is the attempt (of a measurement, its last)."""

    outcome: Outcome
    number: int
    created_at: str


class SearchState(StrEnum):
    """How a search stands."""

    RUNNING = "running"
    DONE = "done"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search as it was asked for; `config` holds what has no field here, in JSON's types."""

    name: str
    space: str
    strategy: str
    accuracy: str
    constraints: tuple[Constraint, ...]
    queries: int
    seed: int
    config: Mapping[str, Any] = field(default_factory=dict)
    state: SearchState = SearchState.RUNNING
    created_at: str = ""
    objectives: tuple[Objective, ...] = ()


class TrialState(StrEnum):
    """How far one candidate of a search came; only a proposed one may still change."""

    PROPOSED = "proposed"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One candidate of a search with what was found out about it.

    Unit: `accuracy` is a share in 0..1 (a training-free score may be any finite number). `metrics`
    are in base units (ns, bytes, counts) by `Constraint.key`, for example
    `latency@onnxruntime-cpu`, and may hold `macs` and `params`; unknown is None. `session` and
    `model_sha256` lead to the measurement. `record` is anything else in JSON's types, for example
    how the accuracy was found and what was predicted.
    """

    number: int
    candidate: Candidate
    state: TrialState
    accuracy: float | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    session: str | None = None
    model_sha256: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinalistRecord:
    """A candidate of the Pareto set, measured again in a session of its own.

    Unit: as in `TrialRecord`.
    """

    number: int
    session: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One bench session or one search, as a line of `nasprof history`.

    `created_at` and `ended_at` are UTC labels; a search counts its trials under `measurements`.
    `verdicts` are (verdict, number of measurements) pairs of a bench session, `environments` the
    keys of the machines as they were; figures of different ones are never pooled.
    """

    kind: str
    name: str
    created_at: str
    ended_at: str
    models: int
    measurements: int
    failures: int
    targets: tuple[str, ...]
    state: str | None = None
    verdicts: tuple[tuple[str, int], ...] = ()
    environments: tuple[str, ...] = ()
