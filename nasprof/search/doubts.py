"""Reported networks whose measurement cannot be relied on as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.core.outcome import Measurement
from profiler.core.summary import Verdict
from profiler.store.records import TrialRecord
from profiler.store.store import Store


@dataclass(frozen=True, slots=True)
class Doubt:
    """A network that was noisy or invalid on a runtime when it was measured last."""

    trial: int
    runtime: str
    verdict: Verdict
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence."""
        return (
            f"the latency of #{self.trial} on {self.runtime} is {self.verdict}: "
            f"{'; '.join(self.reasons)}"
        )


def doubts(reported: Sequence[TrialRecord], name: str, store: Store) -> list[Doubt]:
    """Each network and target that was noisy or invalid when measured last.

    `name` is the search; its second measurements count, and first ones only without them.
    """
    again = {record.number: record.session for record in store.finalists(name)}
    found = []
    for trial in reported:
        session = again.get(trial.number, trial.session)
        if session is None or trial.model_sha256 is None:
            continue
        for outcome in store.outcomes(sessions=[session], models=[trial.model_sha256]):
            if not isinstance(outcome, Measurement):
                continue
            latency = outcome.latency
            if latency.verdict is not Verdict.VALID:
                runtime = outcome.target.runtime
                found.append(Doubt(trial.number, runtime, latency.verdict, latency.reasons))
    return found
