import pytest

from profiler.core.outcome import Energy, Round
from profiler.worker import energy
from profiler.worker.energy import Meter, Metered, find_meter, idle, spend


@pytest.fixture
def powercap(tmp_path):
    """A powercap tree as Linux lays it out, of two packages with parts and the whole board."""
    for zone, name in (
        ("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):  # fmt: skip
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "max_energy_range_uj").write_text("1000000000\n")
        count(tmp_path, zone, 5_000_000)
    return tmp_path


def count(tree, zone, microjoules):
    (tree / zone / "energy_uj").write_text(f"{microjoules}\n")


def test_packages_are_added_and_parts_of_them_and_the_board_are_not(powercap):
    meter = find_meter(None, powercap)
    before = meter.read()
    count(powercap, "intel-rapl:0", 7_000_000)
    count(powercap, "intel-rapl:1", 5_500_000)
    count(powercap, "intel-rapl:0:0", 900_000_000)
    count(powercap, "intel-rapl:2", 900_000_000)
    assert meter.name == "RAPL"
    assert meter.read() - before == pytest.approx(2.5)


def test_a_counter_that_starts_again_at_zero_goes_on(powercap):
    count(powercap, "intel-rapl:0", 999_000_000)
    meter = find_meter(None, powercap)
    before = meter.read()
    count(powercap, "intel-rapl:0", 3_000_000)
    assert meter.read() - before == pytest.approx(4.0)
    count(powercap, "intel-rapl:0", 1_000_000)
    assert meter.read() - before == pytest.approx(1002.0)


def test_no_meter_and_one_that_may_not_be_read_are_unknown(powercap, tmp_path):
    assert find_meter(None, tmp_path / "nowhere") is None
    for zone in ("intel-rapl:0", "intel-rapl:1"):
        (powercap / zone / "energy_uj").unlink()
        (powercap / zone / "energy_uj").mkdir()
    assert find_meter(None, powercap) is None


def test_idle_power_is_taken_off_by_hand_worked_case():
    # 30 J in 2 s, of which 5 W x 2 s are idle, for 100 inferences: 200 mJ each.
    assert Energy("RAPL", 30.0, 2.0, 100, 5.0).per_run_mj == pytest.approx(200.0)


def test_rounds_are_metered_from_before_the_first_to_after_the_last():
    counter = iter([10.0, 16.0])
    rounds = [Round((5, 5, 5), (5, 5, 5), (0, 0, 0), (0, 0, 0), runs_per_sample=4)] * 2
    taken, found = spend(Metered(Meter("RAPL", lambda: next(counter)), 1.5), lambda: rounds)
    assert taken == rounds
    assert (found.joules, found.runs, found.idle_w, found.meter) == (6.0, 24, 1.5, "RAPL")
    assert spend(None, lambda: rounds) == (rounds, None)


def test_idle_watts_are_joules_by_time(monkeypatch):
    clock, joules = iter([100.0, 102.0]), iter([7.0, 27.0])
    monkeypatch.setattr(energy.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(energy.time, "perf_counter", lambda: next(clock))
    assert idle(Meter("RAPL", lambda: next(joules))).idle_w == pytest.approx(10.0)
    assert idle(None) is None
