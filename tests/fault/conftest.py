"""An environment with the misbehaving runtime in it, as another distribution would bring one."""

import shutil
import site
import sys
import venv
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def actor_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("actor") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "base.pth").write_text("\n".join(lines) + "\n")
    shutil.copy(Path(__file__).with_name("actor.py"), packages / "nasprof_test_actor.py")
    info = packages / "nasprof_test_actor-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nasprof-test-actor\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[nasprof.runtimes]\nactor = nasprof_test_actor:PLUGIN\n"
    )
    assert sys.version_info[:2] == tuple(map(int, packages.parent.name[6:].split(".")))
    return str(folder / "bin" / "python")
