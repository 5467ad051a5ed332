"""Results of one architecture as NAS-Bench-201 and NATS-Bench store them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nasprof.tables._reader import Content, Series
from profiler.core.errors import InputError

Results = Mapping[str, Any]
"""The state of one schedule: `all_results` by (data set, seed), `dataset_seed` by data set."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number of one architecture, with what its column says about it."""

    value: float
    unit: str
    metric: str


def values(results: Results, schedule: str) -> dict[str, Value]:
    """The means over seeds of one schedule: accuracies at the last epoch, costs, training time.

    Columns are `cifar10-valid.x-valid.200`: data set, part, epochs of the schedule.
    Raises: InputError when the state has another layout.
    """
    try:
        found: dict[str, Value] = {}
        for dataset, seeds in results["dataset_seed"].items():
            runs = [results["all_results"][dataset, seed] for seed in seeds]
            found |= _of_dataset(dataset, schedule, runs)
        return found
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"an entry has no {error} where results are expected") from None


def _of_dataset(dataset: str, schedule: str, runs: list[Results]) -> dict[str, Value]:
    found = {}
    for part in sorted({part for run in runs for part in run["eval_names"]}):
        scores = [_last(run["eval_acc1es"], part) for run in runs if part in run["eval_names"]]
        found[f"{dataset}.{part}.{schedule}"] = Value(fmean(scores), "%", "accuracy")
    trained = [sum(run["train_times"].values()) for run in runs if run.get("train_times")]
    if trained:
        found[f"{dataset}.train_time.{schedule}"] = Value(fmean(trained), "s", "train_time")
    latencies = [fmean(run["latency"]) for run in runs if run.get("latency")]
    if latencies:
        found[f"{dataset}.latency"] = Value(fmean(latencies), "s", "latency")
    for name, metric in (("flop", "flops"), ("params", "params")):
        counts = [run[name] for run in runs if run.get(name) is not None]
        if counts:
            found[f"{dataset}.{metric}"] = Value(fmean(counts), "1e6", metric)
    return found


def _last(scores: Mapping[str, float], part: str) -> float:
    # Keys are `part@epoch`; reduced archives keep the last epochs only.
    epochs = [int(key.rpartition("@")[2]) for key in scores if key.rpartition("@")[0] == part]
    return float(scores[f"{part}@{max(epochs)}"])


def content(archs: Iterable[str], rows: Mapping[int, Mapping[str, Value]]) -> Content:
    """One row an evaluated architecture: index, text and the columns that any of them has."""
    listed = list(archs)
    order = sorted(rows)
    first: dict[str, Value] = {}
    for index in order:
        first |= {name: value for name, value in rows[index].items() if name not in first}
    columns = [Series("index", order), Series("arch", [listed[index] for index in order])]
    for name, like in first.items():
        found = [rows[index].get(name) for index in order]
        columns.append(
            Series(
                name,
                [None if value is None else value.value for value in found],
                like.unit,
                like.metric,
                # The released latencies are one GPU's, which the papers name.
                "gpu" if like.metric == "latency" else None,
            )
        )
    return Content("nasbench201", tuple(columns))
