from profiler.core.outcome import Round
from profiler.core.pace import ENOUGH, FEWEST, at_pace, enough, full_pace_ns
from profiler.core.selection import POOLED
from profiler.core.summary import Verdict, summarise

FULL, SLOW = 20_000, 38_000


def block(full, slow=0, wall_ns=1_000_000, slow_wall_ns=1_200_000):
    """A round with so many samples at full pace, and so many beside a neighbour."""
    walls = (wall_ns,) * full + (slow_wall_ns,) * slow
    zeros = (0,) * len(walls)
    pace = (FULL,) * full + (SLOW,) * slow
    return Round(walls, walls, zeros, zeros, 1, 0.0, pace_ns=pace)


def test_a_neighbour_on_the_core_does_not_move_the_estimate():
    found = summarise([[block(20, 80)] * 3, [block(15, 85)] * 3, [block(40, 60)] * 3])
    assert found.median_ns == 1_000_000
    assert found.pace_share == 0.25
    assert found.clean_share == 1.0
    assert not found.off_pace
    assert found.verdict is Verdict.VALID
    assert (found.q1_ns, found.q3_ns, found.mad_ns) == (1_000_000, 1_000_000, 0)


def test_a_process_that_a_neighbour_slowed_all_through_is_left_out():
    found = summarise([[block(30)] * 3, [block(0, 30)] * 3, [block(30)] * 3])
    assert found.median_ns == 1_000_000
    assert found.high_ns == 1_000_000


def test_without_knowledge_of_the_machine_a_measurement_slowed_all_through_looks_fine():
    slowed = [[block(0, 100)] * 3] * 3
    assert not summarise(slowed).off_pace
    found = summarise(slowed, known_pace_ns=FULL)
    assert found.off_pace
    assert found.pace_share == 0.0
    assert found.verdict is Verdict.NOISY
    assert any("full pace" in reason for reason in found.reasons)


def test_one_process_at_full_pace_of_three_says_little():
    # The fastest sample is 1.0 ms; 60 of 180 samples ran at full pace, so their median is 1.2 ms.
    found = summarise([[block(20)] * 3, [block(0, 20)] * 3, [block(0, 20)] * 3])
    assert found.median_ns == 1_000_000
    assert (found.low_ns, found.high_ns) == (1_000_000, 1_200_000)
    assert found.verdict is Verdict.NOISY


def test_few_samples_at_full_pace_make_the_estimate_but_are_not_relied_on():
    found = summarise([[block(FEWEST - 1, 50)]] * 3, known_pace_ns=FULL)
    assert found.off_pace
    assert found.verdict is Verdict.NOISY
    assert (found.median_ns, found.low_ns, found.high_ns) == (1_000_000, 1_000_000, 1_200_000)
    one, none = [block(1, 50)], [block(0, 50)]
    assert summarise([one] * POOLED, known_pace_ns=FULL).median_ns == 1_000_000
    assert summarise([one] * (POOLED - 1) + [none], known_pace_ns=FULL).median_ns == 1_200_000
    assert not summarise([[block(FEWEST, 50)]] * 3, known_pace_ns=FULL).off_pace


def test_the_full_pace_is_the_fastest_hundredth_and_earlier_processes_count():
    blocks = [block(2, 98), block(0, 100)]
    assert full_pace_ns(blocks) == SLOW
    assert full_pace_ns([block(3, 98)]) == FULL
    assert full_pace_ns(blocks, 30_000) == 30_000
    assert full_pace_ns(blocks, 90_000) == SLOW


def test_where_no_pace_was_timed_nothing_is_left_out_and_nothing_claimed():
    plain = Round((1, 2), (1, 2), (0, 1), (0, 0))
    assert full_pace_ns([plain], 20_000) is None
    assert at_pace(plain, 20_000) == [True, False]
    assert enough([plain], 20_000)
    assert summarise([[plain]], known_pace_ns=20_000).pace_share is None


def test_a_switch_counts_whatever_the_pace():
    tagged = Round((1, 1), (1, 1), (0, 1), (0, 0), pace_ns=(FULL, FULL))
    assert at_pace(tagged, FULL) == [True, False]


def test_a_process_goes_on_until_enough_samples_ran_at_full_pace():
    assert not enough([block(ENOUGH - 1, 10)], FULL)
    assert enough([block(ENOUGH - 1, 10), block(1, 10)], FULL)
