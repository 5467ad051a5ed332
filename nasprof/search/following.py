"""Network Coding Propagation inside a search loop: the network is trained on what was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nasprof.predict._predictor import MIN_ROWS, Predictor
from nasprof.predict.ncp import NcpModel, Training, train
from nasprof.search.beliefs import predict_accuracy, predict_costs, standing
from nasprof.search.codes import Code, code_of
from nasprof.search.cost_features import cost_features
from nasprof.search.features import features
from nasprof.search.problem import SearchProblem, scored
from nasprof.search.propagation import STEPS, Cap, Pull, Stage
from nasprof.spaces._genes import sample, sample_distinct
from nasprof.spaces._space import Genes
from profiler.core.choice import Constraint
from profiler.core.plugins import load
from profiler.store.records import TrialRecord

_ELITE, _FRESH = 3, 2


class _Walk(Protocol):
    """`propagate` or `climb`."""

    def __call__(
        self, code: Code, start: Genes, pulls: Sequence[Pull], *, cap: Cap | None, steps: int
    ) -> list[Stage]:
        """The path from a network."""
        ...


@dataclass(frozen=True, slots=True)
class Following:
    """Walk from the best networks and from random ones, try what a second predictor likes best.

    A limit becomes a cap whose multiplier learns, with a head of the network that predicts the
    logarithm of the cost; the limit that the starts exceed most is the one. All networks on all
    paths compete.
    Source: Ding et al., ICLR 2022; the loop around it is ours.
    """

    name: str
    walk: _Walk
    batch: int = 10
    second: str = "ridge-pairs"
    training: Training | None = None

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose up to `count` candidates."""
        space, known = problem.space, scored(problem, history)
        tried = [trial for trial in history if trial.accuracy is not None]
        if len(known) < problem.initial or len(tried) < 2 * MIN_ROWS:
            return sample_distinct(space, count, rng, known)
        seed = int(rng.integers(2**31))
        code = code_of(space)
        pull, cap = self._trained(problem, history, tried, code, seed)
        elite = sorted(known, key=lambda form: known[form], reverse=True)[:_ELITE]
        found: dict[Genes, Genes] = {}
        for start in (*elite, *sample(space, _FRESH, rng)):
            for stage in self.walk(code, start, [pull], cap=cap, steps=STEPS):
                form = space.canonical(stage.genes) if space.valid(stage.genes) else None
                if form is not None and form not in known:
                    found.setdefault(form, stage.genes)
        ranked = self._ranked(problem, history, list(found.values()), seed)[:count]
        seen = {*known, *map(space.canonical, ranked)}
        return ranked + sample_distinct(space, count - len(ranked), rng, seen)

    def _ranked(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        candidates: list[Genes],
        seed: int,
    ) -> list[Genes]:
        """Candidates by the second predictor, best first, without those surely outside a limit."""
        if not candidates:
            return []
        predictor: Predictor = load("nasprof.predict", self.second)
        x = features(problem.space, candidates)
        scores = predict_accuracy(predictor, problem, history, x, seed).mean
        costs = cost_features(problem.space, candidates, problem.elsewhere)
        outside = standing(predict_costs(problem, history, costs), len(candidates)).outside
        order = [i for i in np.argsort(-scores, kind="stable").tolist() if not outside[i]]
        return [candidates[i] for i in order]

    def _trained(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        tried: Sequence[TrialRecord],
        code: Code,
        seed: int,
    ) -> tuple[Pull, Cap | None]:
        accuracies = np.array([[trial.accuracy or 0.0] for trial in tried])
        pull = Pull(
            train(
                code.encode([trial.candidate.genes for trial in tried]),
                [accuracies],
                seed,
                training=self.training,
            )
        )
        caps = [
            (np.mean(costs > np.log(constraint.limit)), constraint, rows, costs)
            for constraint in problem.constraints
            for rows, costs in [_measured(history, constraint, code)]
            if len(costs) >= 2 * MIN_ROWS
        ]
        if not caps:
            return pull, None
        _, constraint, rows, costs = max(caps, key=lambda entry: float(entry[0]))
        model: NcpModel = train(rows, [costs[:, None]], seed, training=self.training)
        return pull, Cap(model, 0, float(np.log(constraint.limit)))


def _measured(
    history: Sequence[TrialRecord], constraint: Constraint, code: Code
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and logarithms of the cost of the trials in which it is known."""
    known = [
        (trial.candidate.genes, value)
        for trial in history
        if (value := trial.metrics.get(constraint.key)) is not None and value > 0
    ]
    return code.encode([genes for genes, _ in known]), np.log([value for _, value in known])
