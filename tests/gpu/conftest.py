"""A GPU without a GPU: NVML's real Python binding on a small library that is compiled here."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from gpu_process import compiled

SOURCE = Path(__file__).with_name("fake_nvml.c")


@dataclass(frozen=True)
class FakeGpu:
    """The fake library's folder and the file that its state lies in."""

    library: Path
    state: Path

    def set(self, **values):
        with self.state.open("a") as file:
            file.writelines(f"{name} {value}\n" for name, value in values.items())

    def get(self, name):
        found = dict(line.split() for line in self.state.read_text().splitlines())
        return int(found[name]) if name in found else None

    def environment(self, **more):
        return {
            **os.environ,
            "LD_LIBRARY_PATH": str(self.library),
            "FAKE_NVML_STATE": str(self.state),
            **more,
        }


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory):
    return compiled(SOURCE, tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1")


@pytest.fixture
def fake_gpu(fake_library, tmp_path):
    found = FakeGpu(fake_library, tmp_path / "state")
    found.set(max_sm_mhz=1980, sm_mhz=1410, memory_mhz=2619, power_limit_mw=700000, power_mw=95500)
    found.set(temperature=41, ecc=1, mig=0, persistence=1, held_back=0, energy_mj=5000)
    return found
