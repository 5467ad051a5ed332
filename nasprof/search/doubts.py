"""Sentences on reported networks whose measurement cannot be relied on as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.core.outcome import Measurement
from profiler.core.summary import Verdict
from profiler.store.records import TrialRecord
from profiler.store.store import Store


def doubts(reported: Sequence[TrialRecord], name: str, store: Store) -> list[str]:
    """One sentence for each network and target that was noisy or invalid when measured last.

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
                found.append(
                    f"the latency of #{trial.number} on {outcome.target.runtime} is "
                    f"{latency.verdict}: {'; '.join(latency.reasons)}"
                )
    return found
