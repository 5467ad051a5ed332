"""What the wheel brings: four top-level names and nothing else, and no file that strangers need."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"nasprof", "profiler", "exporters", "reports"}


@pytest.mark.slow
def test_the_wheel_has_exactly_four_top_level_names(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == ROOMS
    assert any(name.startswith("reports/templates/") for name in names)


def test_package_files_hold_nothing_but_a_docstring():
    for room in ROOMS:
        for path in (ROOT / room).rglob("__init__.py"):
            if path != ROOT / "nasprof" / "__init__.py":
                text = path.read_text().strip()
                assert not text or re.fullmatch(r'"""[^"]*"""', text), path


def test_constraints_pin_torch_and_every_dependency():
    pins = (ROOT / "constraints.txt").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "torch==2.13.0\n" in pins
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in pins.splitlines()}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9-]+", requirement)[0].lower()
        if name not in {"nasprof", "onnxruntime"}:
            assert name in pinned, name
