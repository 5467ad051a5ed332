"""The small models as fixtures."""

from pathlib import Path

import pytest
from small_models import make_endless, make_matmul


@pytest.fixture
def matmul(tmp_path: Path) -> Path:
    return make_matmul(tmp_path / "matmul.onnx")


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    return make_endless(tmp_path / "endless.onnx")
