"""Small C libraries that stand for NVIDIA's, made where there is a compiler."""

import shutil
import subprocess
from pathlib import Path

import pytest


def compiled(source: Path, library: Path) -> Path:
    """Compile a source file to a shared library and return its folder."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a fake library of NVIDIA's with")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library.parent
