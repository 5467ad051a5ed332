from dataclasses import replace

import pytest

from profiler.bench.environment import capture
from profiler.bench.preflight import preflight, refuse_load
from profiler.core.errors import MeasurementError

FINE = replace(capture(), cores_allowed=(0, 1), cpu_quota=None, governor=None)


def test_a_quiet_machine_gets_no_warning():
    assert preflight(FINE, 1, 0.1) == ()
    assert preflight(FINE, 1, None) == ()


def test_every_warning_has_a_remedy():
    busy = replace(FINE, cpu_quota=1.5, governor="powersave")
    found = preflight(busy, 4, 1.2)
    assert [line.split(";")[0] for line in found] == [
        "others use 1.2 cores now",
        "4 threads on 2 allowed cores",
        "4 threads on a CPU quota of 1.5 cores",
        "the frequency governor is 'powersave'",
    ]
    assert all(len(line.split(";")[1]) > 10 for line in found)


@pytest.mark.parametrize(
    ("load", "words"), [(1.24, "others use 1.2 cores now"), (None, "can't be read")]
)
def test_a_machine_that_must_be_quiet_is_refused_in_one_line(load, words):
    with pytest.raises(MeasurementError, match=words) as caught:
        refuse_load(load)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    refuse_load(0.2)
