from dataclasses import replace

import pytest

from profiler.core.diagnosis import findings, unknowns
from profiler.core.environment import Conditions, Environment
from profiler.core.outcome import Attempt, Measurement, Round
from profiler.core.target import BenchPlan, Target

QUIET = Environment(
    cpu_model="a CPU",
    cores_online=4,
    cores_allowed=(0, 1, 2, 3),
    memory_bytes=2**33,
    governor="performance",
    boost=False,
    smt=False,
    cpu_quota=None,
    hypervisor=False,
    kernel="6.0",
    gpu=None,
    versions=(),
)
STEADY = Conditions(load=0.1, cpu_pressure=0.0, frequency_mhz=3000.0, temperature_c=50.0)
NOTHING = Conditions(load=None, cpu_pressure=None, frequency_mhz=None, temperature_c=None)


def block(centre=1_000_000, switches=0, load=0.0):
    return Round((centre - 100, centre, centre + 100), (1,) * 3, (switches,) * 3, (0,) * 3, 1, load)


def attempt(*rounds, after=STEADY, settled=True):
    return Attempt(
        started_ns=0,
        load_ns=1,
        first_run_ns=1,
        warmup_runs=5,
        warmup_settled=settled,
        rounds=rounds or (block(), block(1_000_500)),
        base_rss_bytes=1,
        peak_rss_bytes=2,
        placement=(),
        effective=(),
        output_error=None,
        before=STEADY if after is not NOTHING else NOTHING,
        after=after,
    )


def measured(*attempts, threads=1):
    return Measurement(
        model_sha256="0" * 64,
        label="a model",
        target=Target("onnxruntime-cpu", threads=threads),
        plan=BenchPlan(),
        environment_key="",
        session="s",
        inputs=(),
        attempts=attempts or (attempt(), attempt(), attempt()),
    )


def test_on_a_quiet_machine_nothing_is_found_and_nothing_is_unknown():
    assert findings(measured(), QUIET) == ()
    assert unknowns(measured(), QUIET) == ()


def test_what_can_not_be_read_is_unknown_and_no_finding():
    blind = replace(QUIET, governor=None, boost=None, smt=None, hypervisor=None)
    silent = measured(attempt(block(load=None), after=NOTHING))
    assert findings(silent, blind) == ()
    assert unknowns(silent, blind) == (
        "governor", "boost", "hyper-threading", "load of others", "CPU pressure", "frequency",
        "temperature",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "observed", "remedy"),
    [
        ({"governor": "powersave"}, "'powersave'", "cpupower"),
        ({"boost": True}, "boost is on", "cpufreq/boost"),
        ({"smt": True}, "hyper-threading is on", "smt/control"),
        ({"cpu_quota": 1.5}, "may use 1.5 cores", "--cpuset-cpus"),
        ({"hypervisor": True}, "virtual machine", "dedicated host"),
        ({"cores_allowed": (0,)}, "1 threads on 1 allowed cores", "allow more cores"),
    ],
)
def test_each_fact_of_the_machine_has_its_finding(changed, observed, remedy):
    (found,) = findings(measured(), replace(QUIET, **changed))
    assert observed in found.observed
    assert remedy in found.remedy


def hot(celsius=50.0, megahertz=3000.0):
    return replace(STEADY, temperature_c=celsius, frequency_mhz=megahertz)


@pytest.mark.parametrize(
    ("attempts", "observed"),
    [
        ([attempt(block(load=1.25))] * 2, "used 1.2 cores meanwhile, 1.2 at most"),
        ([attempt(block(switches=1), block())] * 2, "50% of the samples were interrupted"),
        ([attempt(), attempt(settled=False)], "in 1 of 2 processes"),
        ([attempt(), attempt(after=hot(65.0))], "from 50 to 65 C"),
        ([attempt(), attempt(after=hot(megahertz=2000.0))], "between 2000 and 3000 MHz"),
        (
            [attempt(block(c), block(c + 500)) for c in (1_000_000, 1_050_000, 1_100_000)],
            "differs by 4.8% from process to process",
        ),
    ],
)
def test_each_disturbance_of_the_processes_has_its_finding(attempts, observed):
    (found,) = findings(measured(*attempts), QUIET)
    assert observed in found.observed
