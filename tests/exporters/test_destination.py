from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from export_nets import ROW, verify
from torch import nn

from exporters.destination import check_destination, staging
from exporters.options import ExportOptions
from exporters.torch_onnx import export_module
from profiler.core.errors import InputError

TRACING = ExportOptions(exporter="torchscript")


def test_places_that_must_not_be_written_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "canary"
    target.write_text("precious")
    (tmp_path / "link.onnx").symlink_to(target)
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    for name, says in (
        ("link.onnx", "is a symbolic link"),
        ("folder.onnx", "is a directory"),
        ("pipe.onnx", "is not a regular file"),
        ("none/m.onnx", "does not exist; make it first"),
    ):
        with pytest.raises(InputError, match=says):
            check_destination(tmp_path / name, force=True)
    assert target.read_text() == "precious"


def test_a_strangers_file_needs_force_and_ours_does_not(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"a stranger's")
    with pytest.raises(InputError, match="was not written by nasprof; replace it with --force"):
        export_module(nn.Linear(6, 2), ROW, path, TRACING, verify)
    assert path.read_bytes() == b"a stranger's"
    forced = ExportOptions(exporter="torchscript", force=True)
    export_module(nn.Linear(6, 2), ROW, path, forced, verify)
    first = path.read_bytes()
    torch.manual_seed(1)
    export_module(nn.Linear(6, 2), ROW, path, TRACING, verify)
    assert path.read_bytes() != first


def test_a_failed_export_leaves_the_previous_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_module(nn.Linear(6, 2), ROW, path, TRACING, verify)
    first = path.read_bytes()
    with pytest.raises(InputError):
        export_module(nn.Linear(5, 2), ROW, path, TRACING, verify)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        export_module(nn.Linear(6, 2), ROW, tmp_path / "net.onnx", TRACING, verify)
    finally:
        os.umask(previous)
    assert (tmp_path / "net.onnx").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write in"), staging(tmp_path / "none"):
        pass
