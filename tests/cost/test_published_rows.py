"""Published costs of benchmark tables and library networks, by counting graphs."""

from __future__ import annotations

import contextlib
import csv
import gzip
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from exporters.meta_trace import trace_module
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.spaces.nasbench_mr import NAMES
from nasprof.spaces.nasbench_mr import PLUGIN as NASBENCH_MR
from profiler.core.cost import GraphCost
from profiler.cost.count import count_file
from profiler.cost.traced import count_trace

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "nasbench201.csv.gz").exists(), reason="shared/data is not here"
)


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", newline="") as file:
        return list(csv.DictReader(file))


def cell(row: dict[str, str]) -> nn.Module:
    return NASBENCH201.build(NASBENCH201.parse(row["arch"]), classes=10)


def code(row: dict[str, str]) -> nn.Module:
    values = " ".join(list(row.values())[: len(NAMES)])
    return NASBENCH_MR.build(NASBENCH_MR.parse(values))


def traced(build: Any, row: dict[str, str], side: int, convention: str) -> GraphCost:
    with torch.device("meta"):
        module = build(row)
    trace = trace_module(module, [torch.empty(1, 3, side, side, device="meta")])
    return count_trace(trace, convention)


def exported(build: Any, row: dict[str, str], side: int, convention: str, path: Path) -> GraphCost:
    module = build(row).eval()
    generator = torch.Generator().manual_seed(0)
    # Equal weights would be merged by the exporter.
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.5, 1.5, generator=generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, 3, side, side)
        torch.onnx.export(module, (example,), str(path), dynamo=False, verbose=False)
    return count_file(path, convention=convention)


def check_nasbench201(picked: list[dict[str, str]], path: Path) -> int:
    """Check rows as modules and as exported files; returns how many exports cost what they do."""
    equal = 0
    for row in picked:
        macs, params = int(row["macs_c10"]), int(row["params_c10"])
        cost = traced(cell, row, 32, "nasbench201")
        assert (cost.macs, cost.params, cost.figure) == (macs, params, macs + 10), row["index"]
        found = exported(cell, row, 32, "nasbench201", path)
        assert found.complete
        if row_has_dead_edges(row):
            # An exporter drops what does not reach the output, an eager framework runs it.
            assert found.macs < macs, row["index"]
        else:
            assert (found.macs, found.figure) == (macs, macs + 10), row["index"]
            equal += 1
    return equal


def row_has_dead_edges(row: dict[str, str]) -> bool:
    """Whether no path leads from a convolution of the cell to its output.

    A convolution of zeros is not dead: an exporter does not know that they are zeros.
    """
    edges = [part for node in row["arch"].strip("|").split("|+|") for part in node.split("|")]
    targets = [1, 2, 2, 3, 3, 3]
    live = {3}
    for edge, target in reversed(list(zip(edges, targets, strict=True))):
        operation, _, source = edge.partition("~")
        if target in live and operation != "none":
            live.add(int(source))
    return any(
        target not in live and edge.startswith("nor_conv")
        for edge, target in zip(edges, targets, strict=True)
    )


def check_nasbench_mr(picked: list[dict[str, str]], path: Path) -> None:
    for row in picked:
        flops, params = round(float(row["gflops"]) * 1e9), round(float(row["mparams"]) * 1e6)
        cost = traced(code, row, 128, "nasbench-mr")
        assert (cost.figure, cost.params) == (flops, params)
        assert exported(code, row, 128, "nasbench-mr", path).figure == flops


def test_some_rows_of_nasbench201(tmp_path: Path) -> None:
    check_nasbench201(rows("nasbench201.csv.gz")[::5000], tmp_path / "m.onnx")


def test_some_rows_of_nasbench_mr(tmp_path: Path) -> None:
    check_nasbench_mr(rows("nasbench_mr.csv.gz")[1:2], tmp_path / "m.onnx")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_hundred_exported_rows_of_nasbench201(tmp_path: Path) -> None:
    assert check_nasbench201(rows("nasbench201.csv.gz")[::25], tmp_path / "m.onnx") >= 300


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_hundred_exported_rows_of_nasbench_mr(tmp_path: Path) -> None:
    check_nasbench_mr(rows("nasbench_mr.csv.gz")[::8], tmp_path / "m.onnx")


def timm_network(name: str) -> nn.Module:
    with contextlib.suppress(RuntimeError):
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        timm_network.library = library  # type: ignore[attr-defined]
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        module: nn.Module = timm.create_model(name).eval()
    return module


@pytest.mark.parametrize("name", ["ghostnetv2_100", "deit3_small_patch16_224", "levit_128s"])
def test_timm_networks_in_its_own_convention(name: str) -> None:
    with (DATA / "published_cost_timm.csv").open(newline="") as file:
        published = {row["model"]: row for row in csv.DictReader(file)}
    if name not in published:
        pytest.skip(f"{name} is not in the table")
    row = published[name]
    side = int(row["img_size"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = timm_network(name)
    trace = trace_module(module, [torch.empty(1, 3, side, side, device="meta")])
    figure = count_trace(trace, "fvcore").figure
    assert figure is not None
    assert figure / 1e9 == pytest.approx(float(row["gmacs"]), rel=0.01, abs=0.005)
