"""OP-NAS: evolution whose mutations prefer operations that did well at that place before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.predict._predictor import Array
from nasprof.search.problem import Fitness, SearchProblem, scored
from nasprof.spaces._genes import mutate, sample
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord

_REPEATS = 50


@dataclass(frozen=True, slots=True)
class OpNas:
    """Parents win tournaments; the new value of a mutated gene is drawn by operation priority.

    Candidates met again cost nothing. Scores are the ranks of the fitness among all that is known,
    as shares, so that limits and accuracies of any kind compare.
    Source: Gao et al., "AutoBERT-Zero", AAAI 2022: p = softmax(u), u = mean score + alpha
    sqrt(2 ln N / N_i), where N_i counts the networks that had value i there and N all of them; a
    value never tried comes first. alpha is not published; 1 is ours.
    """

    name: str = "op-nas"
    batch: int = 1
    population: int = 20
    tournament: int = 5
    alpha: float = 1.0

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose the next candidate of the replayed evolution."""
        space, known = problem.space, scored(problem, history)
        rng = np.random.default_rng(problem.seed)
        alive: deque[tuple[Fitness, Genes]] = deque(maxlen=self.population)
        priorities = _Priorities(problem, known, self.alpha)
        for _ in range(_REPEATS * (len(known) + self.population)):
            if len(alive) < self.population:
                child = sample(space, 1, rng)[0]
            else:
                drawn = rng.choice(len(alive), size=self.tournament, replace=False)
                parent = max((alive[i] for i in drawn), key=lambda member: member[0])[1]
                child = priorities.mutated(parent, rng)
            form = space.canonical(child)
            if form not in known:
                return [child]
            alive.append((known[form], child))
        return []


def priorities(scores: Array, counts: Array, alpha: float) -> Array:
    """The probability of each value of a gene.

    Shapes: scores (mean), counts [values]. Source: see `OpNas`.
    """
    if np.any(counts == 0):
        fresh = (counts == 0).astype(np.float64)
        return np.asarray(fresh / fresh.sum())
    u = scores + alpha * np.sqrt(2 * np.log(counts.sum()) / counts)
    weights = np.exp(u - u.max())
    return np.asarray(weights / weights.sum())


class _Priorities:
    """Mean scores and counts of every value of every gene over what is known."""

    def __init__(self, problem: SearchProblem, known: dict[Genes, Fitness], alpha: float) -> None:
        self._space, self._alpha = problem.space, alpha
        order = sorted(known, key=lambda genes: known[genes])
        shares = np.arange(1, len(order) + 1) / max(len(order), 1)
        rows = np.array(order, dtype=np.int64).reshape(len(order), len(problem.space.sizes))
        self._counts: list[Array] = []
        self._means: list[Array] = []
        for place, size in enumerate(problem.space.sizes):
            counts = np.bincount(rows[:, place], minlength=size).astype(np.float64)
            totals = np.bincount(rows[:, place], weights=shares, minlength=size)
            self._counts.append(counts)
            self._means.append(totals / np.maximum(counts, 1))

    def mutated(self, parent: Genes, rng: np.random.Generator) -> Genes:
        """A valid candidate that differs from the parent in one gene, as priorities have it."""
        space = self._space
        for _ in range(50):
            place = int(rng.integers(len(parent)))
            counts = np.delete(self._counts[place], parent[place])
            if len(counts) == 0:
                continue
            means = np.delete(self._means[place], parent[place])
            drawn = int(rng.choice(len(counts), p=priorities(means, counts, self._alpha)))
            value = drawn + (drawn >= parent[place])
            child = (*parent[:place], value, *parent[place + 1 :])
            if space.valid(child) and space.canonical(child) != space.canonical(parent):
                return child
        return mutate(space, parent, rng)


PLUGIN = OpNas()
