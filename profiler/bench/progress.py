"""How far one work of a bench run has come, read from the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.bench.attempt import Work
from profiler.core.outcome import Failure, FailureKind, Measurement, Outcome
from profiler.core.stopping import why_stopped
from profiler.core.target import BenchPlan
from profiler.store.store import Store

_CRASHES_ALLOWED = 1


@dataclass(frozen=True, slots=True)
class WorkState:
    """The rows of one work in one session: what was measured, and what failed in order."""

    measured: Measurement | None
    failures: tuple[Failure, ...]

    @property
    def rows(self) -> int:
        """Rows in the store; the next attempt has this number."""
        return len(self.failures) + (len(self.measured.attempts) if self.measured else 0)

    @property
    def processes(self) -> int:
        """Worker processes that measured."""
        return len(self.measured.attempts) if self.measured else 0

    @property
    def failed(self) -> Failure | None:
        """The failure that ends this work: any but an interruption, and a second crash."""
        hard = [f for f in self.failures if f.kind is not FailureKind.INTERRUPTED]
        crashes = [f for f in hard if f.kind is FailureKind.CRASHED]
        ending = [f for f in hard if f.kind is not FailureKind.CRASHED]
        return next(iter([*ending, *crashes[_CRASHES_ALLOWED:]]), None)

    def wants_more(self, plan: BenchPlan) -> bool:
        """Whether another process should measure: none is the reason to stop yet."""
        if self.failed is not None:
            return False
        if self.measured is None or self.processes < plan.processes:
            return True
        return why_stopped(self.measured) is None

    @property
    def outcome(self) -> Outcome:
        """The measurement, or the failure that prevented it."""
        found = self.failed or self.measured
        if found is None:
            raise AssertionError("the work has no outcome yet")
        return found


def read_state(store: Store, session: str, work: Work) -> WorkState:
    """Read a work's state; a run that was killed is continued from it."""
    return _state(
        store.outcomes(
            sessions=[session],
            models=[work.model.sha256],
            targets=[work.target.key],
            complete=False,
        )
    )


def _state(outcomes: Sequence[Outcome]) -> WorkState:
    measured = [found for found in outcomes if isinstance(found, Measurement)]
    failures = [found for found in outcomes if isinstance(found, Failure)]
    return WorkState(measured[0] if measured else None, tuple(reversed(failures)))
