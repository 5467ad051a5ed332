"""Network Coding Propagation from rows of networks with known metrics, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.predict._predictor import Array, Fitted
from nasprof.predict.ensemble import Ensemble
from nasprof.predict.ncp import train
from nasprof.search.codes import code_of
from nasprof.search.features import features, gene_rows
from nasprof.search.propagation import STEPS, Cap, Pull, Stage, climb, propagate, turning_point
from nasprof.search.structures._structure import structure_of
from nasprof.spaces._genes import check
from nasprof.spaces._space import Genes, Space
from profiler.core.errors import InputError

FEWEST = 20


@dataclass(frozen=True, slots=True)
class Propagated:
    """The whole path, what the second predictor says of each step, and the step it likes best.

    Shapes: opinions [steps, tasks], in the units of the rows. `stages[i].predicted` is what the
    network that was followed says of the same tasks.
    """

    space: Space
    tasks: tuple[str, ...]
    stages: tuple[Stage, ...]
    opinions: Array
    best: int

    @property
    def genes(self) -> Genes:
        """The network at the best step."""
        return self.stages[self.best].genes

    @property
    def text(self) -> str:
        """The network at the best step, as the space writes it."""
        return self.space.describe(self.genes)


def propagate_rows(
    space: Space,
    networks: Sequence[Genes],
    tasks: Mapping[str, Sequence[float]],
    *,
    start: Genes,
    costs: Sequence[float] | None = None,
    limit: float | None = None,
    winner_takes_all: bool = False,
    steps: int = STEPS,
    seed: int = 0,
) -> Propagated:
    """Train predictors on networks, let a start's code follow them, and say where to stop.

    Every task is a metric to raise; several are raised together. With `costs` above zero and a
    `limit` the cost is kept at or below it: by a multiplier that learns, or with
    `winner_takes_all` by taking no step beyond.
    Raises: InputError for fewer than 20 rows, lengths that differ, or a limit without costs.
    Source: see `nasprof.search.propagation`.
    """
    _check(networks, tasks, costs, limit)
    start = check(space, start)
    code = code_of(space)
    rows = code.encode(networks)
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in tasks.items()}
    pulls = [Pull(train(rows, [values[:, None]], seed)) for values in columns.values()]
    cap = None
    if costs is not None and limit is not None:
        logs = np.log(np.asarray(costs, dtype=np.float64))
        cap = Cap(train(rows, [logs[:, None]], seed), 0, float(np.log(limit)))
    walk = climb if winner_takes_all else propagate
    stages = walk(code, start, pulls, cap=cap, steps=steps)
    seconds = _seconds(space, networks, [*columns.values()], seed)
    opinions = np.stack([fitted.predict(_features(space, [s.genes for s in stages])).mean
                         for fitted in seconds], axis=1)  # fmt: skip
    units = opinions / np.array([values.std() or 1.0 for values in columns.values()])
    total = units.sum(axis=1)
    if cap is not None:
        predicted = cap.model.predict(code.encode([stage.genes for stage in stages]))[:, 0]
        within = predicted <= cap.limit
        total = np.where(within, total, total.min() - 1 - np.maximum(predicted - cap.limit, 0))
    best = turning_point(stages, lambda _: total)
    return Propagated(space, tuple(columns), tuple(stages), opinions, best)


def _seconds(
    space: Space, networks: Sequence[Genes], columns: Sequence[Array], seed: int
) -> list[Fitted]:
    x = _features(space, networks)
    return [Ensemble().fit(x, values, seed) for values in columns]


def _features(space: Space, candidates: Sequence[Genes]) -> Array:
    """What the space's structure says of candidates, else their genes."""
    structure = structure_of(space.name)
    if structure is None:
        return features(space, candidates)
    return np.concatenate(structure.walks(gene_rows(space, candidates)), axis=1)


def _check(
    networks: Sequence[Genes],
    tasks: Mapping[str, Sequence[float]],
    costs: Sequence[float] | None,
    limit: float | None,
) -> None:
    if len(networks) < FEWEST:
        raise InputError(
            f"propagation needs {FEWEST} networks or more to learn from, not {len(networks)}"
        )
    if not tasks:
        raise InputError("propagation needs a task: a name with the metric of every network")
    given = {**tasks, **({} if costs is None else {"costs": costs})}
    for name, values in given.items():
        if len(values) != len(networks):
            raise InputError(f"{name} has {len(values)} values for {len(networks)} networks")
    if (limit is None) != (costs is None):
        raise InputError("a limit needs the costs of the networks, and costs need a limit")
    if costs is not None and min(costs) <= 0:
        raise InputError("costs must be above zero")
