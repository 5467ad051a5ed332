"""Draws the summaries of the search benchmarks."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib
import numpy as np
from search_methods import METHODS, OURS
from search_results import RESULTS

matplotlib.use("svg")
from matplotlib import pyplot


def draw() -> None:
    """Draw what there is."""
    matplotlib.rcParams["svg.hashsalt"] = "nasprof"
    if (RESULTS / "search_curves.csv").exists():
        _curves(RESULTS / "search_curves.csv")
    if (RESULTS / "search_limited_by_target.csv").exists():
        _devices(RESULTS / "search_limited_by_target.csv")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _curves(path: Path) -> None:
    rows = [row for row in _read(path) if row["space"] == "as numbered"]
    signals = list(dict.fromkeys(row["signal"] for row in rows))
    figure, axes = pyplot.subplots(1, len(signals), figsize=(9, 3.6), squeeze=False)
    for axis, signal in zip(axes[0], signals, strict=True):
        for method in METHODS:
            line = [r for r in rows if (r["signal"], r["strategy"]) == (signal, method)]
            if line:
                x = [int(row["queries"]) for row in line]
                y = [float(row["best"]) for row in line]
                axis.plot(x, y, label=method, linewidth=2.5 if method == OURS else 1)
        best = max(float(row["best"]) for row in rows if row["signal"] == signal)
        axis.set(title=signal, xlabel="queries", xscale="log", ylim=(best - 2.5, best + 0.1))
    axes[0][0].set_ylabel("mean best accuracy, %")
    axes[0][-1].legend(fontsize=7, loc="lower right")
    _save(figure, "search_queries.svg")


def _devices(path: Path) -> None:
    rows = _read(path)
    devices = list(dict.fromkeys(row["target"] for row in rows))
    figure, axis = pyplot.subplots(figsize=(9, 3.6))
    for method in METHODS:
        means = [_mean(rows, device, method) for device in devices]
        if not np.isnan(means).all():
            size = 7 if method == OURS else 4
            axis.plot(means, "o", label=method, markersize=size)
    axis.set_xticks(range(len(devices)), devices, rotation=60, ha="right", fontsize=7)
    axis.set(ylabel="mean regret, points", ylim=(0, None))
    axis.legend(fontsize=7)
    _save(figure, "search_limited.svg")


def _mean(rows: list[dict[str, str]], device: str, method: str) -> float:
    found = [float(r["regret"]) for r in rows if (r["target"], r["strategy"]) == (device, method)]
    return float(np.mean(found)) if found else float("nan")


def _save(figure: pyplot.Figure, name: str) -> None:
    figure.tight_layout()
    figure.savefig(RESULTS / name, metadata={"Date": None})
    pyplot.close(figure)
