"""What a strategy is: a pure function of what was tried to what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nasprof.search.problem import SearchProblem
from nasprof.spaces._space import Genes
from profiler.store.records import TrialRecord


class Strategy(Protocol):
    """Proposes candidates; `batch` is how many it wants tried before it is asked again.

    It keeps no state: the same problem, history and generator give the same proposals, so a search
    that was killed continues as if it had not been. With several objectives `accuracy` in the
    history is one score of them all, unless the strategy has an attribute `several` that is true.
    """

    @property
    def name(self) -> str: ...
    @property
    def batch(self) -> int: ...
    def propose(
        self,
        problem: SearchProblem,
        history: Sequence[TrialRecord],
        count: int,
        rng: np.random.Generator,
    ) -> list[Genes]:
        """Propose up to `count` candidates that were not tried; none when there is nothing left.

        `rng` depends on the problem's seed and the number of trials in the history.
        """
        ...
