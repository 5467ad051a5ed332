"""From a reference to a smaller network: train, score, cut, fine-tune, export, with a report."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from exporters.destination import check_destination
from exporters.quiet import quiet
from exporters.seeding import seeded
from exporters.weights import load_weights
from nasprof import exporting, inspecting
from nasprof.evaluate._training import Arrays, Schedule, accuracy
from nasprof.exporting import Reference
from nasprof.prune._choice import SPREADS, below
from nasprof.prune._data import fitted, open_data
from nasprof.prune._latency import measured_table, search_counts
from nasprof.prune._limits import Limit, parse_limits
from nasprof.prune._method import Goal, Method, Plain, open_method
from nasprof.prune._report import Figures, LayerChange, Pruned, Timing
from nasprof.prune._stopwatch import Stopwatch, target_of
from nasprof.prune._surgery import Operation, counts_for, prepare
from nasprof.prune._training import Bare, train
from nasprof.subjects._subject import InputShape, Subject
from profiler.core.errors import InputError
from profiler.core.target import BenchPlan
from profiler.store.store import Store

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """What is to be pruned and how.

    Unit: `rate` is the highest of the one-cycle schedule; the fine-tuning has a fifth of it.
    `epochs` train the unpruned network (none where `weights` has it trained) and again the
    network with a method's gates; `fine_tune` None is half as many. `quick` measures shorter.
    """

    subject: Reference
    method: str
    limits: tuple[str, ...] = ()
    data: str = "digits"
    epochs: int = 8
    fine_tune: int | None = None
    batch: int = 64
    rate: float = 0.1
    spread: str = "global"
    seed: int = 0
    weights: Path | None = None
    input_shape: InputShape | None = None
    quick: bool = False


@dataclass(frozen=True, slots=True)
class _Task:
    """A request whose parts have been looked up and fit together."""

    request: PruneRequest
    subject: Subject
    method: Method
    limits: tuple[Limit, ...]
    arrays: Arrays
    example: tuple[torch.Tensor, ...]
    notes: tuple[str, ...]
    watch: Stopwatch | None = None

    @property
    def schedule(self) -> Schedule:
        """The training of the whole network, and of that with gates."""
        request = self.request
        return Schedule(request.epochs, request.batch, request.rate)

    @property
    def tuning(self) -> Schedule | None:
        """The training of the pruned network; None where there is none."""
        epochs = self.request.fine_tune
        epochs = (self.request.epochs + 1) // 2 if epochs is None else epochs
        return replace(self.schedule, epochs=epochs, rate=self.request.rate / 5) if epochs else None


def prune(
    request: PruneRequest,
    output: Path | None = None,
    *,
    force: bool = False,
    store: Store | None = None,
    on_progress: Progress = lambda done, total, text: None,
) -> Pruned:
    """Prune a subject; with `output` it is exported and verified as any network.

    With a limit on the latency networks are measured in workers, and what was measured is in the
    `store`.
    Raises: InputError for bad input, before any training where it can be seen before;
    MeasurementError where a latency can't be measured.
    """
    if output is not None:
        check_destination(output, force)
    task = _task(request)
    timed = _timed(task.limits)
    if timed is not None:
        if store is None:
            raise InputError(f"limit {timed.text!r} needs a store to keep measurements in")
        assert timed.target is not None
        task = replace(
            task,
            watch=Stopwatch(
                target_of(timed.target), task.subject.inputs, task.subject.text, store,
                on_progress, _plan(request),
            ),
        )  # fmt: skip
    with seeded(request.seed):
        done = _pruned(task, on_progress)
    if output is None:
        return done
    made = replace(
        exporting.subject_of_module(done.network, task.subject.inputs),
        text=f"{task.subject.text} pruned by {request.method}",
        trained=True,
    )
    return replace(done, exported=exporting.export(made, output, force=force))


def figures(network: nn.Module, task_inputs: Any, found: float) -> Figures:
    """The accuracy with MACs by nasprof's counter and the module's parameters."""
    cost = inspecting.count(inspecting.Question(network, input_shape=task_inputs))
    return Figures(found, cost.macs, sum(p.numel() for p in network.parameters()))


def _task(request: PruneRequest) -> _Task:
    method, limits = open_method(request.method), parse_limits(request.limits)
    if method.needs_limit and not limits:
        raise InputError(f"{method.name} needs a limit, for example macs<=50%")
    if request.spread not in SPREADS:
        raise InputError(f"unknown spread {request.spread!r}; there are: {', '.join(SPREADS)}")
    if request.epochs < 1 or (request.fine_tune or 0) < 0 or request.batch < 2:
        raise InputError("a pruning needs 1 epoch or more and batches of 2 or more")
    subject = exporting.resolve(request.subject, request.input_shape)
    if len(subject.inputs) != 1:
        raise InputError(f"{subject.text} has {len(subject.inputs)} inputs; pruning takes one")
    arrays, notes = fitted(open_data(request.data), subject.inputs[0])
    return _Task(request, subject, method, limits, arrays, (arrays.train_images[:1],), notes)


def _pruned(task: _Task, on_progress: Progress) -> Pruned:
    stages = _Stages(task, on_progress)
    network = _trained(task, stages)
    before = figures(network, task.subject.inputs, accuracy(network, task.arrays))
    whole_ns = None if task.watch is None else task.watch.latency_ns(network, "whole")
    goal = Goal(task.limits, task.arrays, task.schedule, task.request.seed)
    gated = task.method.wrap(copy.deepcopy(network), task.example, goal)
    if task.method.trains:
        train(gated, task.arrays, task.schedule, on_epoch=stages.of("training with gates"))
    smaller, layers, whole = _cut(task, gated.plain(), before, whole_ns)
    cut_accuracy = found = accuracy(smaller.network, task.arrays)
    if task.tuning is not None:
        bare = Bare(smaller.network, smaller.hold)
        found = train(bare, task.arrays, task.tuning, on_epoch=stages.of("fine-tuning"))
    return Pruned(
        network=smaller.network.eval(),
        subject=task.subject.text,
        inputs=task.subject.inputs,
        method=task.request.method,
        limits=tuple(limit.text for limit in task.limits),
        before=before,
        after=figures(smaller.network, task.subject.inputs, found),
        cut_accuracy=cut_accuracy,
        layers=layers,
        whole=whole,
        notes=task.notes,
        timing=_timing(task, network, smaller.network, whole_ns),
        findings=smaller.examine and smaller.examine(smaller.network, task.example),
    )


def _timing(
    task: _Task, network: nn.Module, smaller: nn.Module, whole_ns: float | None
) -> Timing | None:
    """Both networks measured a second time, after all is done."""
    if task.watch is None or whole_ns is None:
        return None
    limit = _timed(task.limits)
    assert limit is not None
    again_ns = task.watch.latency_ns(network, "whole")
    return Timing(
        target=task.watch.target.key,
        limit_ns=limit.of(whole_ns if limit.share is None else again_ns),
        before_ns=again_ns,
        after_ns=task.watch.latency_ns(smaller, "pruned"),
    )


def _plan(request: PruneRequest) -> BenchPlan:
    return BenchPlan.quick(seed=request.seed) if request.quick else BenchPlan(seed=request.seed)


def _timed(limits: tuple[Limit, ...]) -> Limit | None:
    return next((limit for limit in limits if limit.metric == "latency"), None)


def _trained(task: _Task, stages: _Stages) -> nn.Module:
    """The whole network, with the person's weights or trained on the images."""
    with quiet():
        network = task.subject.build(task.request.seed)
    outputs = network.eval()(task.example[0])
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2:
        raise InputError(f"{task.subject.text} gives no scores of classes, [images, classes]")
    if outputs.shape[1] < task.arrays.classes:
        raise InputError(
            f"{task.subject.text} tells {outputs.shape[1]} classes apart and the data has "
            f"{task.arrays.classes}"
        )
    if task.request.weights is not None:
        load_weights(network, task.request.weights)
    elif not task.subject.trained:
        train(Bare(network), task.arrays, task.schedule, on_epoch=stages.of("training"))
    return network


def _cut(
    task: _Task, plain: Plain, before: Figures, whole_ns: float | None
) -> tuple[Plain, tuple[LayerChange, ...], tuple[tuple[str, str], ...]]:
    """Remove channels where the method scores them; a network with masks stays as it is."""
    if plain.importance is None:
        return plain, (), ()
    own = figures(plain.network, task.subject.inputs, 0.0)
    operation = prepare(plain, task.example, own.macs)
    limits = {
        limit.metric: limit.of(getattr(before, limit.metric))
        for limit in task.limits
        if limit.metric != "latency"
    }
    if whole_ns is None:
        counts = counts_for(operation, limits, task.request.spread, plain.threshold)
    else:
        counts = _timed_counts(task, plain, operation, limits, whole_ns)
    smaller = replace(plain, network=operation.cut(counts))
    return smaller, operation.changes(counts), tuple(operation.groups.whole.items())


def _timed_counts(
    task: _Task, plain: Plain, operation: Operation, limits: Mapping[str, float], whole_ns: float
) -> list[int]:
    """How many units each group loses for a limit on the latency, as it is measured."""
    watch, limit, size = task.watch, _timed(task.limits), operation.size
    assert watch is not None
    assert limit is not None
    nothing = size.nothing_lost
    gone = nothing if plain.threshold is None else below(operation.groups, plain.threshold)
    return search_counts(
        operation,
        measured_table(operation, watch),
        limit.of(whole_ns),
        task.request.spread,
        gone,
        lambda counts: all(size.metric(name, counts) <= most for name, most in limits.items()),
        lambda counts: watch.latency_ns(operation.cut(counts), "pruned"),
    )


class _Stages:
    """Progress over the trainings, epoch by epoch."""

    def __init__(self, task: _Task, on_progress: Progress) -> None:
        whole = task.request.weights is None and not task.subject.trained
        times = int(whole) + int(task.method.trains)
        tuning = task.tuning.epochs if task.tuning else 0
        self._total = times * task.schedule.epochs + tuning
        self._done = 0
        self._on_progress = on_progress
        on_progress(0, self._total, "preparing")

    def of(self, text: str) -> Callable[[int], None]:
        """What a training calls after each epoch."""

        def step(epoch: int) -> None:
            self._done += 1
            self._on_progress(self._done, self._total, text)

        return step
