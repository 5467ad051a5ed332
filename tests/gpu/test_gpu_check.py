"""`make gpu-check` without a GPU: everything is skipped by name, nothing is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_check.py"
# As on a machine that has neither; `None` makes an import fail.
WITHOUT = "import sys; sys.modules['sqlalchemy'] = sys.modules['platformdirs'] = None"


def check(output, *options):
    code = (
        f"{WITHOUT}\nimport runpy\nsys.argv = {['gpu_check.py', '--output', str(output), *options]}"
    )
    code += f"\nrunpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has an NVIDIA GPU")
def test_without_a_gpu_everything_is_skipped_by_name_and_nothing_is_written(tmp_path):
    done = check(tmp_path / "out")
    assert done.returncode == 0, done.stderr
    *lines, counts = done.stdout.splitlines()
    assert all(line.startswith("skipped") and "no NVIDIA GPU" in line for line in lines)
    assert counts == f"0 passed, 0 failed, {len(lines)} skipped"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_it_measures_without_a_database_and_writes_what_it_found(tmp_path):
    options = ("--runtime", "torch-cpu", "--networks", "nasbench201:857", "--seconds", "10")
    done = check(tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = tmp_path.iterdir()
    found = json.loads(file.read_text())
    assert found["measurements"][0]["median_ns"] > 0
    assert found["measurements"][0]["error_relative"] < 1e-4
    assert any(one["status"] == "passed" for one in found["checks"])
