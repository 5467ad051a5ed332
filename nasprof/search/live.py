"""A search on live measurements: candidates are exported, counted and measured on this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nasprof import inspecting, measuring
from nasprof.evaluate._evaluator import Accuracy, open_evaluator
from nasprof.search.constraints import parse_constraints, parse_objectives
from nasprof.search.doubts import doubts
from nasprof.search.loop import SearchResult, run_search, search_record
from nasprof.search.measured import Bench, metrics, places, verdicts
from nasprof.search.opening import open_searched
from nasprof.search.problem import SearchProblem, check_problem
from nasprof.search.recorded import Cost, LookUps, identity, look_ups
from nasprof.search.trials import Measured
from nasprof.spaces._space import Space
from nasprof.subjects.space import candidate_subject
from profiler.bench.measure import Progress
from profiler.core.choice import RECORDED, Candidate
from profiler.core.cost import GraphCost
from profiler.core.errors import InputError
from profiler.core.plugins import load
from profiler.store.records import SearchRecord, SearchState, TrialRecord, TrialState
from profiler.store.store import Store

Note = Callable[[str], None]

_STATIC: Mapping[str, Callable[[GraphCost], float | None]] = {
    "macs": lambda cost: cost.macs,
    "flops": lambda cost: cost.flops,
    "params": lambda cost: cost.params if cost.module_params is None else cost.module_params,
    "weight_bytes": lambda cost: cost.weight_bytes,
    "peak_memory": lambda cost: cost.peak_activation_bytes,
}
_EXACT = ("macs", "params")
"""What a network's modules say as exactly as its exported graph."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as a person asks for it; texts are in the grammars of the command line.

    Without `accuracy` a space's usual one is taken: digits, or the metric of a table. `genes` and
    `metric` are the columns of a space `table:FILE`. `recorded` is a table to look recorded targets
    up in, instead of the imported ones in the folder `tables`. Unless `measure_all`, a candidate
    that prediction puts on one side of every limit is not measured before it is a finalist.
    `measurements` and `seconds` bound what is spent beside the accuracies.
    """

    space: str
    accuracy: str | None
    limits: tuple[str, ...]
    queries: int
    strategy: str
    threads: int
    seed: int
    name: str | None
    resume: bool
    genes: tuple[str, ...] = ()
    metric: str | None = None
    recorded: Path | None = None
    tables: Path | None = None
    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()
    measure_all: bool = False
    measurements: int | None = None
    seconds: float | None = None


def run(request: SearchRequest, store: Store, on_progress: Progress, on_note: Note) -> SearchResult:
    """Run or resume a search; every trial and measurement is in the store when it ends.

    Raises: InputError for a request that cannot be met, MeasurementError when no candidate works.
    """
    opened = open_searched(request.space, request.genes, request.metric)
    space = opened.space
    constraints = parse_constraints(request.limits)
    objectives = parse_objectives(request.maximize, request.minimize)
    costs: tuple[Cost, ...] = (*constraints, *objectives[1:])
    looked = look_ups(opened, costs, request.recorded, request.tables)
    found = {} if looked.whole else places(costs, request.threads)
    problem = SearchProblem(
        space,
        constraints,
        request.strategy,
        request.queries,
        seed=request.seed,
        objectives=objectives,
        measurements=request.measurements,
        seconds=request.seconds,
        predicted=not request.measure_all
        and request.measurements is None
        and any(c.target in found for c in constraints),
    )
    _check_budget(request, costs)
    check_problem(problem)
    load("nasprof.search.strategies", request.strategy)
    live = _Live(space, costs, Bench(found, request.seed, store), looked)
    accuracy = request.accuracy or opened.accuracy
    evaluate = open_evaluator(accuracy, space, request.seed)
    extra = {**opened.identity, **identity(looked, request.recorded)}
    name = _open_search(request, _record(request, problem, accuracy, extra), store, on_note)
    count = _Counter(problem, space, on_progress)
    result = run_search(
        problem,
        name,
        measure=live.measure,
        evaluate=lambda candidate: _evaluated(evaluate, candidate),
        count=live.known if live.knows else None,
        store=store,
        on_trial=count.show,
    )
    doubtful = doubts(result.pareto, name, store)
    notes = (*result.notes, *looked.notes, *map(str, doubtful))
    flags = {(doubt.trial, doubt.runtime): doubt.verdict.value for doubt in doubtful}
    return replace(result, notes=notes, flags=flags)


def _check_budget(request: SearchRequest, costs: tuple[Cost, ...]) -> None:
    """Raises: InputError for a number of measurements that can't be kept or bounds nothing."""
    if request.measurements is None:
        return
    if request.measure_all:
        raise InputError("--measurements bounds what --measure-all asks for; leave one of them out")
    if all(cost.target is None for cost in costs):
        raise InputError(
            "--measurements bounds nothing: no limit or objective is measured; leave it out, or "
            'give one such as --limit "latency@onnxruntime-cpu<=5ms"'
        )


@dataclass(frozen=True, slots=True)
class _Live:
    """Exports, counts and measures candidates; what is recorded is looked up, both times."""

    space: Space
    costs: tuple[Cost, ...]
    bench: Bench
    looked: LookUps

    def measure(self, candidate: Candidate, *, again: bool) -> Measured:
        """Find every cost of one candidate.

        Raises: MeasurementError with the reason of the first target that gave no number.
        """
        values = self.looked.values(candidate.genes)
        if self.looked.whole:
            return Measured(values, session=RECORDED, record=self.looked.record)
        notes: list[str] = []
        subject = candidate_subject(self.space, candidate.genes)
        bench = self.bench
        ready = measuring.prepare(subject, measuring.Sizes(), bench.seed, bench.store, notes.append)
        found, held = bench.measure(subject, ready, again=again, on_note=notes.append)
        free = {"from_store": True} if held and found else {}
        return Measured(
            metrics=self._counted(ready.cost) | metrics(self.costs, found) | values,
            session=next((m.session for m in found.values()), None),
            model_sha256=ready.model.sha256,
            record={"verdicts": verdicts(found), "notes": notes} | free | self.looked.record,
        )

    @property
    def knows(self) -> bool:
        """Whether some costs are measured and others known before."""
        return not self.looked.whole and bool(self.bench.places) and bool(self._exact)

    def known(self, candidate: Candidate) -> dict[str, float | None]:
        """The costs that need neither an export nor a measurement, by key."""
        values = dict(self.looked.values(candidate.genes))
        counted = [cost.metric for cost in self._exact if cost.target is None]
        if counted:
            subject = candidate_subject(self.space, candidate.genes)
            with suppress(InputError):  # a network that needs data to run: its export decides
                cost = inspecting.count_used(inspecting.Question(subject))
                values |= {name: _STATIC[name](cost) for name in counted}
        return values

    @property
    def _exact(self) -> list[Cost]:
        return [c for c in self.costs if c.recorded or (c.target is None and c.metric in _EXACT)]

    def _counted(self, cost: GraphCost | None) -> dict[str, float | None]:
        """The static costs, with MACs and parameters whether they are asked for or not."""
        static = [c.metric for c in self.costs if c.target is None]
        names = dict.fromkeys(("macs", "params", *static))
        return {name: None if cost is None else _STATIC[name](cost) for name in names}


@dataclass(slots=True)
class _Counter:
    """Counts accuracies found, for the progress bar."""

    problem: SearchProblem
    space: Space
    on_progress: Progress
    found: int = 0

    def show(self, trial: TrialRecord) -> None:
        """Tell how far the search is when a trial begins or ends."""
        if trial.state is TrialState.DONE and trial.accuracy is not None:
            self.found += 1
        text = f"trial {trial.number + 1}: {self.space.describe(trial.candidate.genes)}"
        self.on_progress(self.found, self.problem.queries, text)


def _evaluated(evaluate: Accuracy, candidate: Candidate) -> float:
    return evaluate(candidate.genes)


def _record(
    request: SearchRequest, problem: SearchProblem, accuracy: str, extra: Mapping[str, object]
) -> SearchRecord:
    record = search_record(problem, request.name or "", accuracy)
    asked = {
        "measure_all": request.measure_all or None,
        "measurements": request.measurements,
        "seconds": request.seconds,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    return replace(record, config={**record.config, "threads": request.threads, **given, **extra})


def _open_search(request: SearchRequest, record: SearchRecord, store: Store, on_note: Note) -> str:
    """Find the search to continue, or create a new one, and return its name.

    Raises: InputError when a name is taken by another search or one that is not to be resumed.
    """
    if request.name is not None:
        return _named(request, record, store)
    stem = f"{record.space}-{request.strategy}-{_digest(record)}"
    number = 1
    while (found := store.load_search(f"{stem}-{number}")) is not None:
        if found.state is not SearchState.DONE:
            if request.resume:
                return found.name
            on_note(f"search {found.name} is unfinished; --resume continues it")
        number += 1
    if request.resume and number > 1:
        return f"{stem}-{number - 1}"
    store.create_search(replace(record, name=f"{stem}-{number}"))
    return f"{stem}-{number}"


def _named(request: SearchRequest, record: SearchRecord, store: Store) -> str:
    name = record.name
    found = store.load_search(name)
    if found is None:
        store.create_search(record)
    elif not request.resume:
        raise InputError(
            f"search {name!r} exists; continue it with --resume or choose a new --name"
        )
    elif _digest(found) != _digest(record):
        raise InputError(f"search {name!r} has other settings; choose a new --name")
    return name


def _digest(record: SearchRecord) -> str:
    """A hash over what makes two searches the same: everything but name, state and time."""
    settings = [
        record.space, record.strategy, record.accuracy, record.queries, record.seed,
        [(c.key, c.limit) for c in record.constraints], dict(record.config),
    ]  # fmt: skip
    if record.objectives:
        settings.append([objective.key for objective in record.objectives])
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
