"""Compare models, targets or stored runs: fresh processes in turns, or what the store holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from nasprof.measuring import Ready, Sizes, dims_of, measure_models
from profiler.bench.measure import Progress
from profiler.core.comparison import (
    ENOUGH,
    FEWEST,
    SAME_WITHIN,
    Compared,
    Comparison,
    Decision,
    Pair,
    compare_apart,
    compare_pairs,
    pairs_of,
)
from profiler.core.environment import Environment
from profiler.core.errors import InputError
from profiler.core.outcome import Failure, Measurement, Outcome
from profiler.core.target import BenchPlan, Target
from profiler.core.units import printable
from profiler.store.records import OutcomeRecord
from profiler.store.store import Store

LOOKS = 3
"""How many times `ENOUGH` passes are measured at most until everything is decided."""


@dataclass(frozen=True, slots=True)
class Race:
    """What is to be compared: the first model on the first target is the base of all others.

    `plan` says how each process measures; how many there are the comparison decides.
    """

    models: tuple[Ready, ...]
    targets: tuple[Target, ...]
    sizes: Sizes
    seed: int = 0
    same_within: float = SAME_WITHIN
    looks: int = LOOKS
    plan: BenchPlan = field(default_factory=BenchPlan.quick)

    @property
    def against_itself(self) -> bool:
        """Whether one model on one target is compared with itself."""
        return len(self.models) == 2 and len(self.targets) == 1 and self._distinct == 1

    def check(self) -> None:
        """See that there are two or more things to compare, each another.

        Raises: InputError.
        """
        count = len(self.models) * len(self.targets)
        if count < 2:
            raise InputError("one model on one target is nothing to compare; name a second one")
        if self._distinct < len(self.models) and not self.against_itself:
            labels = ", ".join(printable(ready.label) for ready in self.models)
            raise InputError(
                f"two of {labels} are the same model, byte by byte; leave one of them out "
                "(a model can be compared with itself as the only pair on one target)"
            )

    @property
    def _distinct(self) -> int:
        return len({ready.model.sha256 for ready in self.models})


def plan_for(race: Race) -> BenchPlan:
    """Many short processes: what differs between processes limits a comparison, not their length.

    A model compared with itself is one work in the store, with the processes of both sides.
    """
    processes = ENOUGH * (2 if race.against_itself else 1)
    return replace(
        race.plan,
        seed=race.seed,
        dims=tuple(sorted(dims_of(race.sizes).items())),
        processes=processes,
        max_processes=processes,
        max_s=race.plan.max_s * processes / race.plan.processes,
    )


def compare(race: Race, store: Store, on_progress: Progress) -> tuple[Compared, ...]:
    """Measure in passes of one fresh process each until everything is decided.

    Ten passes decide what is plain; there are up to `looks` times as many while something is not
    and as many pairs were undisturbed as make a decision possible by the end.
    Every process is stored as it ends.
    Raises: InputError when there is nothing to compare.
    """
    race.check()
    plan, sides = plan_for(race), list[Outcome]()
    for look in range(race.looks):
        found = measure_models(
            race.models[: 1 if race.against_itself else None], race.targets, race.sizes, plan,
            store, _after(on_progress, look, race.looks),
        )  # fmt: skip
        sides = found if look == 0 else [_joined(*both) for both in zip(sides, found, strict=True)]
        compared = _judged(race, sides)
        if not any(_worth_more(one.comparison, look + 1, race.looks) for one in compared):
            break
    return compared


def compare_stored(
    store: Store, sessions: Sequence[str], same_within: float = SAME_WITHIN
) -> tuple[Compared, ...]:
    """Compare what bench runs have measured; the first is the base of the others.

    Runs of one model and one target each are compared whatever those are; else what has the same
    label, target and sizes in both.
    Raises: InputError when a run does not exist or nothing in it can be compared.
    """
    if len(sessions) < 2:
        raise InputError("one run is nothing to compare; name a second one, see nasprof history")
    if len(set(sessions)) < len(sessions):
        raise InputError("a run can't be compared with itself; name two different ones")
    runs = [_run(store, session) for session in sessions]
    found = []
    for session, run in zip(sessions[1:], runs[1:], strict=True):
        matched = _matched(runs[0], run)
        if not matched:
            raise InputError(
                f"runs {sessions[0]!r} and {session!r} have no model, target and sizes in common"
            )
        found += [_stored_pair(store, *both, same_within) for both in matched]
    return tuple(found)


def itself(measured: Measurement, seed: int) -> tuple[Pair, ...]:
    """Pairs of processes of one model, two in a row; chance says which of the two is the base."""
    rng = random.Random(seed)
    turns = [measured.attempts[i : i + 2] for i in range(0, len(measured.attempts) - 1, 2)]
    turns = [turn if rng.random() < 0.5 else turn[::-1] for turn in turns]
    sides = [replace(measured, attempts=tuple(turn[side] for turn in turns)) for side in range(2)]
    return pairs_of(*sides)


def _judged(race: Race, sides: Sequence[Outcome]) -> tuple[Compared, ...]:
    base = sides[0]
    if race.against_itself:
        pairs = itself(base, race.seed) if isinstance(base, Measurement) else ()
        return (Compared(base, base, compare_pairs(pairs, race.same_within) if pairs else None),)
    return tuple(Compared(base, new, _paired(base, new, race.same_within)) for new in sides[1:])


def _paired(base: Outcome, new: Outcome, same_within: float) -> Comparison | None:
    if isinstance(base, Failure) or isinstance(new, Failure):
        return None
    return compare_pairs(pairs_of(base, new), same_within)


def _worth_more(found: Comparison | None, done: int, looks: int) -> bool:
    """Whether it is undecided, and would have enough undisturbed pairs at the rate so far."""
    if found is None or found.decision is not Decision.CANNOT_TELL:
        return False
    undisturbed = ENOUGH * done - found.disturbed
    return undisturbed * looks >= FEWEST * done


def _joined(before: Outcome, now: Outcome) -> Outcome:
    """What was measured before and now as one; a failure on either side stays a failure."""
    if isinstance(before, Failure) or isinstance(now, Failure):
        return before if isinstance(before, Failure) else now
    return replace(now, attempts=before.attempts + now.attempts)


def _after(on_progress: Progress, look: int, looks: int) -> Progress:
    def step(done: int, total: int, text: str) -> None:
        on_progress(look * total + done, looks * total, f"{text}, at most")

    return step


def _run(store: Store, session: str) -> dict[tuple[str, str, str], OutcomeRecord]:
    records = [
        record
        for record in store.records(sessions=[session])
        if isinstance(record.outcome, Measurement)
    ]
    if not records:
        raise InputError(
            f"the store {store.name} has no finished measurement of a run {printable(session)!r}; "
            "nasprof history lists the runs"
        )
    return {_name(record.outcome): record for record in reversed(records)}


def _name(found: Outcome) -> tuple[str, str, str]:
    return found.label, found.target.key, f"{found.plan.dims} {found.plan.streams}"


def _matched(
    base: dict[tuple[str, str, str], OutcomeRecord], new: dict[tuple[str, str, str], OutcomeRecord]
) -> list[tuple[OutcomeRecord, OutcomeRecord]]:
    if len(base) == len(new) == 1:
        return list(zip(base.values(), new.values(), strict=True))
    return [(record, new[name]) for name, record in base.items() if name in new]


def _stored_pair(
    store: Store, base: OutcomeRecord, new: OutcomeRecord, same_within: float
) -> Compared:
    one, other = base.outcome, new.outcome
    assert isinstance(one, Measurement)
    assert isinstance(other, Measurement)
    notes = [
        f"{printable(other.label)}: measured apart, {_day(base)} and {_day(new)} (UTC); what the "
        "machine did between is not in the interval"
    ]
    notes += _differences(
        store.environment(one.environment_key), store.environment(other.environment_key)
    )
    return Compared(one, other, compare_apart(one, other, same_within), tuple(notes))


def _day(record: OutcomeRecord) -> str:
    return record.created_at[:16].replace("T", " ")


def _differences(base: Environment | None, new: Environment | None) -> list[str]:
    """What differs between two environments, one line a fact."""
    if base is None or new is None or base.key == new.key:
        return []
    lines = [
        f"{one.name.replace('_', ' ')} differs: {getattr(base, one.name)} before, "
        f"{getattr(new, one.name)} now"
        for one in fields(Environment)
        if one.name != "versions" and getattr(base, one.name) != getattr(new, one.name)
    ]
    before, now = dict(base.versions), dict(new.versions)
    return lines + [
        f"{name} differs: {before.get(name, 'absent')} before, {now.get(name, 'absent')} now"
        for name in sorted(before | now)
        if before.get(name) != now.get(name)
    ]
