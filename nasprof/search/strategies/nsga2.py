"""NSGA-II, Optuna's: accuracy and every traded cost as objectives, limits as constraints."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasprof.search.optuna import distributions, genes_of, optuna, values_of
from nasprof.search.problem import SearchProblem, overrun
from nasprof.spaces._genes import sample_distinct
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord, TrialState

_IDLE = 20
"""Generations without anything new after which the rest is drawn at random."""


@dataclass(frozen=True, slots=True)
class Nsga2:
    """The whole evolution is replayed from the seed over what is known, a generation at a time.

    Candidates met again cost nothing. A candidate outside a limit has no accuracy and the worst
    objectives; among such the smaller overrun wins.
    Source: Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002, as in
    Optuna, with a population of 10 because searches are short.
    """

    name: str = "nsga2"
    batch: int = 10
    population: int = 10
    several: bool = True

    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose up to `count` candidates of the first generation that has unknown ones."""
        space = problem.space
        known = {space.canonical(trial.candidate.genes): trial for trial in history}
        study = _study(problem, self.population)
        idle = 0
        while idle < _IDLE:
            asked = [study.ask(distributions(space)) for _ in range(self.population)]
            found: dict[Genes, Genes] = {}
            for trial in asked:
                genes = genes_of(space, trial.params)
                if not space.valid(genes):
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                elif (form := space.canonical(genes)) in known:
                    _tell(study, trial, problem, known[form])
                else:
                    found.setdefault(form, genes)
            if found:
                return list(found.values())[:count]
            idle += 1
        return sample_distinct(space, count, rng, known)


def _study(problem: SearchProblem, population: int) -> optuna.Study:
    optuna.logging.disable_default_handler()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=problem.seed)
    towards = optuna.study.StudyDirection
    directions = [towards.MAXIMIZE, *[towards.MINIMIZE] * len(problem.traded)]
    return optuna.create_study(directions=directions, sampler=sampler)


def _tell(
    study: optuna.Study, trial: optuna.Trial, problem: SearchProblem, record: TrialRecord
) -> None:
    if record.state is not TrialState.DONE:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    over = overrun(problem, record)
    trial.set_constraint("limits", over if np.isfinite(over) else 1e9)
    study.tell(trial, values_of(problem, record))


PLUGIN = Nsga2()
