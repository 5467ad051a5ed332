"""Environments of their own: made whole or not at all, used by workers, removed."""

import json
import subprocess
import sys
import zipfile

import pytest

import nasprof.api as api
from profiler.bench.devices import probe
from profiler.core.errors import InputError
from profiler.environments._environment import (
    folder_of,
    interpreter_for,
    interpreter_in,
    of_format,
    of_runtime,
)

PLUGIN = """
from pathlib import Path
from profiler.environments._environment import Environment
PLUGIN = Environment(({requirements!r},), Path({pins!r}), "abacus", ("abacus-cpu",), ("beads",))
"""


def wheel(folder, name, version, code=""):
    """A package of one module, as pip installs it."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as packed:
        for path, text in files.items():
            packed.writestr(path, text)


@pytest.fixture
def abacus(tmp_path, monkeypatch):
    """An environment plug-in of another distribution; its packages come from a folder."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("numpy", "nvidia-ml-py", "abacus"):
        wheel(packages, name, "1.0")
    wheel(packages, "abacus", "2.0")
    site = tmp_path / "site"
    info = site / "abacus_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "pins.txt").write_text("abacus==1.0\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nasprof.environments]\nabacus = abacus_plugin:PLUGIN")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": str(packages),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)

    def plugin(requirements="abacus"):
        text = PLUGIN.format(requirements=requirements, pins=str(site / "pins.txt"))
        (site / "abacus_plugin.py").write_text(text)

    plugin()
    for cached in (of_runtime, of_format):
        cached.cache_clear()
    yield plugin
    sys.modules.pop("abacus_plugin", None)
    for cached in (of_runtime, of_format):
        cached.cache_clear()


def freeze(python):
    command = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {entry["name"]: entry["version"] for entry in json.loads(done.stdout)}


@pytest.mark.slow
@pytest.mark.usefixtures("abacus")
def test_an_environment_is_made_with_its_pins_and_used_and_removed():
    assert api.environments()["abacus"] is None
    assert interpreter_for("abacus") == sys.executable
    steps = []
    done = api.install_environment("abacus", on_progress=lambda *step: steps.append(step[2]))
    python = str(interpreter_in(folder_of("abacus")))
    assert freeze(python)["abacus"] == "1.0"  # 2.0 is there too, and not what is pinned
    assert done.versions["abacus"] == "1.0"
    assert "installing abacus" in steps
    assert api.environments()["abacus"] == done
    assert interpreter_for(of_runtime("abacus-cpu")) == python
    assert interpreter_for(of_format("beads")) == python
    assert api.remove_environment("abacus")
    assert api.environments()["abacus"] is None
    assert not api.remove_environment("abacus")


@pytest.mark.slow
def test_other_pins_make_it_out_of_date(abacus):
    api.install_environment("abacus")
    pins = next(entry for entry in sys.path if entry.endswith("site")) + "/pins.txt"
    with open(pins, "w") as stream:
        stream.write("abacus==2.0\n")
    assert api.environments()["abacus"] is None
    assert api.install_environment("abacus").versions["abacus"] == "2.0"


@pytest.mark.slow
def test_one_that_cannot_be_made_says_why_and_leaves_nothing(abacus):
    abacus("no-such-package")
    with pytest.raises(InputError, match=r"nasprof runtimes install abacus failed: .*no-such-pack"):
        api.install_environment("abacus")
    assert list(folder_of("abacus").parent.iterdir()) == []


def test_an_unknown_environment_is_told_with_those_that_exist():
    with pytest.raises(InputError, match="there are: executorch, litert-converter"):
        api.install_environment("executroch")


@pytest.mark.parametrize(
    ("runtime", "command"),
    [("executorch-cpu", "install executorch"), ("litert-cpu", "install litert-converter")],
)
def test_a_device_without_its_environment_is_missing_with_the_command(
    runtime, command, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = probe(runtime)
    assert not found.available
    assert found.reason
    assert command in found.remedy or "nasprof[edge]" in found.remedy
