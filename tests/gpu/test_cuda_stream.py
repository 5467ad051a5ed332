"""The events of CUDA's runtime library, through its real C interface on a small fake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from gpu_process import compiled

SOURCE = Path(__file__).with_name("fake_cudart.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled(SOURCE, tmp_path_factory.mktemp("cudart") / "libcudart.so.13")


def ask(library, code):
    program = f"import json\nfrom profiler.runtimes._cuda import Stream\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"LD_LIBRARY_PATH": str(library), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_device_time_is_the_time_between_the_marks(library):
    code = """
stream = Stream()
stream.begin()
stream.end()
stream.wait()
print(json.dumps([stream.device_ns(), stream.address > 0]))
"""
    assert ask(library, code) == [2_500_000, True]


def test_an_error_of_cuda_is_raised_with_its_text(library):
    code = """
try:
    Stream().wait()
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    assert ask(library, code) == "CUDA failure 400 in cudaEventSynchronize: invalid resource handle"


def test_without_the_library_the_remedy_is_named(tmp_path):
    code = """
from profiler.runtimes import _cuda
_cuda._NAMES, _cuda.sysconfig.get_paths = (), lambda: {"purelib": "nowhere"}
try:
    Stream()
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""
    kind, text = ask(tmp_path, code)
    assert kind == "UnavailableError"
    assert "install CUDA" in text
