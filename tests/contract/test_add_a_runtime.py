"""The runtime of the guide, installed as somebody else's package, keeps the contract."""

import re
import shutil
import site
import subprocess
import venv
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "add-a-runtime.md"


@pytest.fixture
def python(tmp_path):
    """An interpreter with nasprof's packages and the guide's runtime, named by an entry point."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    packages = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    paths = [*site.getsitepackages(), str(GUIDE.parents[1])]
    lines = [f"import site; site.addsitedir({path!r})" for path in paths]
    (packages / "base.pth").write_text("\n".join(lines) + "\n")
    runtime, test, _ = re.findall(r"```python\n(.+?)```", GUIDE.read_text(), re.DOTALL)
    assert len(runtime.splitlines()) < 100
    package = packages / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "onnx_reference.py").write_text(runtime)
    (tmp_path / "test_it.py").write_text(test)
    info = packages / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    entry = re.search(r"^onnx-reference = .+$", GUIDE.read_text(), re.MULTILINE)
    (info / "entry_points.txt").write_text(f"[nasprof.runtimes]\n{entry[0].replace(chr(34), '')}\n")
    return tmp_path / "env" / "bin" / "python"


def test_the_guide_s_runtime_passes_the_guide_s_test(python, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert shutil.which(str(python))
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "test_it.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
