"""The command line holds the GPU's clock while it measures, and refuses plainly where it can't."""

import subprocess
import sys


def bench(fake_gpu, tmp_path, *options):
    return subprocess.run(
        [
            sys.executable, "-m", "nasprof", "bench", "nasbench201:857", "--quick", "--json",
            "--store", str(tmp_path / "s.db"), *options,
        ],
        env=fake_gpu.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_clock_that_cannot_be_held_is_an_error_before_anything_is_measured(fake_gpu, tmp_path):
    fake_gpu.set(forbidden=1)
    done = bench(fake_gpu, tmp_path, "--lock-gpu-clock", "1200")
    assert done.returncode == 2
    assert "cannot be locked at 1200 MHz" in done.stderr
    assert "run as root" in done.stderr
    assert not done.stdout


def test_the_environment_says_the_clock_and_it_is_free_afterwards(fake_gpu, tmp_path):
    done = bench(fake_gpu, tmp_path, "--lock-gpu-clock", "1200")
    assert done.returncode == 0, done.stderr
    assert fake_gpu.get("locked") == 0
    from profiler.store.store import open_store

    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        (outcome,) = store.outcomes()
        gpu = store.environment(outcome.environment_key).gpu
    assert (gpu.name, gpu.locked_mhz) == ("Fake GPU", 1200)
