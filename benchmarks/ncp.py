"""NCP on NAS-Bench-MR: python benchmarks/ncp.py [--part predictors|propagation|report|all].

Predictors: Kendall's tau on a fifth of the 2,507 networks, mean over five splits of each of the
eight settings. `NCP, selected` is the release, which keeps the epoch that was best on the test
part; `NCP, last` is the same training after its last epoch, the honest figure. `ours` is the
ensemble. Propagation: 70 steps from the release's start, mean of three predictors; `oracle` is a
Gaussian process fitted on the whole table, `table` the best row of at most that cost. Every result
is written when it is there, with the processor's seconds that it took, and a benchmark that was
stopped goes on where it was, one split of all settings after the other. `report` computes nothing:
it writes what is there as a table, with the number of splits beside every mean, and draws it.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import process_time_ns
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from search_results import write_table
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from tabulate import tabulate

from nasprof.predict._threads import one_thread
from nasprof.predict.ensemble import Ensemble
from nasprof.predict.gp_ard import ArdGaussianProcess
from nasprof.predict.ncp import Held, NcpModel, Scale, train
from nasprof.search.codes import code_of
from nasprof.search.propagation import Cap, Pull, Stage, climb, propagate, turning_point
from nasprof.search.structures.nasbench_mr import PLUGIN as STRUCTURE
from nasprof.search.structures.nasbench_mr import costs, values
from nasprof.spaces._space import Genes
from nasprof.spaces.nasbench_mr import NAMES
from nasprof.spaces.nasbench_mr import PLUGIN as SPACE
from nasprof.tables._read import read_table

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"
PARTS = ("predictors", "propagation", "report", "all")
SPLITS = (233, 1, 2, 3, 4)
SETTINGS = {
    "seg": ("mIoU", "mAcc", "aAcc"), "seg-4x": ("mIoU", "mAcc", "aAcc"),
    "video": ("top1", "top5"), "video-p": ("top1", "top5"), "cls-50-1000": ("top1", "top5"),
    "cls-50-100": ("top1", "top5"), "cls-10c": ("top1", "top5"), "cls-10-1000": ("top1", "top5"),
}  # fmt: skip
REPRODUCED = dict(
    zip(SETTINGS, (0.765, 0.744, 0.732, 0.681, 0.717, 0.719, 0.795, 0.442), strict=True)
)
"""Tau of the selected epoch that an independent reproduction found."""
START = "64 64 2 2 64 2 2 2 64 64 2 2 2 2 64 64 64 2 2 2 2 2 64 64 64 64 64"


@dataclass(frozen=True, slots=True)
class Table:
    """The benchmark's rows. Shapes: genes, codes, features [n, d]."""

    genes: np.ndarray
    codes: np.ndarray
    features: np.ndarray
    gflops: np.ndarray
    mparams: np.ndarray
    metrics: dict[str, np.ndarray]

    def groups(self, setting: str) -> list[np.ndarray]:
        """The released groups of metrics: the main one, the others of its kind, the costs."""
        main, *others = SETTINGS[setting]
        cost = np.stack([self.gflops, self.mparams], axis=1)
        column = [self.metrics[f"{setting}.{name}"] for name in (main, *others)]
        return [column[0][:, None], np.stack(column[1:], axis=1), cost]

    def main(self, setting: str) -> np.ndarray:
        """The main metric of a setting."""
        return self.metrics[f"{setting}.{SETTINGS[setting][0]}"]


@cache
def table() -> Table:
    """Read the benchmark."""
    read = read_table(DATA / "nasbench_mr.csv.gz")
    genes = np.array(list(read.candidates(SPACE)))
    metrics = {f"{s}.{m}": read.numbers(f"{s}.{m}") for s, names in SETTINGS.items() for m in names}
    codes = np.stack([read.numbers(name) for name in NAMES], axis=1)
    assert np.array_equal(codes, values(genes))
    x = np.concatenate(STRUCTURE.walks(genes), axis=1)
    return Table(genes, codes, x, read.numbers("gflops"), read.numbers("mparams"), metrics)


def split(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the test part and of the training part, as released."""
    order = np.random.RandomState(seed).permutation(len(table().codes))
    count = int(np.ceil(0.2 * len(order)))
    return order[:count], order[count:]


@cache
def trained(setting: str, seed: int) -> NcpModel:
    """The predictor as released, after its last epoch and with its selection by the test part."""
    test, rows = split(seed)
    groups = table().groups(setting)
    return train(
        table().codes[rows],
        [group[rows] for group in groups],
        seed,
        held=Held(table().codes[test], groups[0][test, 0]),
        scales=(Scale.of(table().codes), Scale.of(np.concatenate(groups, axis=1))),
    )


def released(setting: str, seed: int) -> NcpModel:
    """The epoch that was best on the test part."""
    model = trained(setting, seed)
    assert model.selected is not None
    return replace(model, network=model.selected)


def ncp(make: Callable[[str, int], NcpModel]) -> Callable[[str, int], np.ndarray]:
    return lambda setting, seed: make(setting, seed).predict(table().codes[split(seed)[0]])[:, 0]


def fitted(make: Callable[[int], Any]) -> Callable[[str, int], np.ndarray]:
    """Predictions of a regressor of scikit-learn."""

    def predict(setting: str, seed: int) -> np.ndarray:
        test, rows = split(seed)
        model = make(seed).fit(table().features[rows], table().main(setting)[rows])
        return np.asarray(model.predict(table().features[test]))

    return predict


def own(predictor: Any) -> Callable[[str, int], np.ndarray]:
    def predict(setting: str, seed: int) -> np.ndarray:
        test, rows = split(seed)
        model = predictor.fit(table().features[rows], table().main(setting)[rows], seed)
        return np.asarray(model.predict(table().features[test]).mean)

    return predict


METHODS: dict[str, Callable[[str, int], np.ndarray]] = {
    "NCP, selected": ncp(released),
    "NCP, last": ncp(trained),
    "ours": own(Ensemble()),
    "GP": own(ArdGaussianProcess()),
    "boosted trees": fitted(
        lambda seed: HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.04, max_leaf_nodes=12, random_state=seed
        )
    ),
    "random forest": fitted(lambda seed: RandomForestRegressor(300, random_state=seed)),
    "FLOPs": lambda setting, seed: table().gflops[split(seed)[0]],
    "parameters": lambda setting, seed: table().mparams[split(seed)[0]],
}


class Results:
    """Lines of JSON in a file: what is in it is not computed again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self._known = {tuple(entry["key"]): entry for entry in map(json.loads, lines)}

    def get(self, key: Sequence[str | int], find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The stored result of a key, found first where there is none."""
        if tuple(key) not in self._known:
            start = process_time_ns()
            entry = {"key": list(key), **find()}
            entry["seconds"] = round((process_time_ns() - start) / 1e9, 2)
            with self._path.open("a") as file:
                file.write(json.dumps(entry) + "\n")
            self._known[tuple(key)] = entry
            print(*key, entry, flush=True)
        return self._known[tuple(key)]

    def taus(self, setting: str, name: str) -> np.ndarray:
        """What is there of a predictor on a setting, one number a split."""
        keys = [(setting, seed, name) for seed in SPLITS]
        return np.array([self._known[key]["tau"] for key in keys if key in self._known])


def predictors(results: Results, splits: Sequence[int], settings: Sequence[str]) -> None:
    """Fill the table of predictors."""
    for seed in splits:
        for setting in settings:
            for name, method in METHODS.items():
                results.get(
                    (setting, seed, name), lambda m=method, s=setting, i=seed: score(m, s, i)
                )


def report(results: Results, path: Path) -> None:
    """Write and print tau of every predictor and setting: mean, deviation and number of splits."""
    rows = [
        (setting, f"{REPRODUCED[setting]:.3f}", name, *_summary(results.taus(setting, name)))
        for setting in SETTINGS
        for name in METHODS
        if len(results.taus(setting, name))
    ]
    head = ("setting", "reproduced", "predictor", "tau", "deviation", "splits")
    write_table(path, head, rows)
    print(tabulate(rows, head, disable_numparse=True))


def _summary(taus: np.ndarray) -> tuple[str, str, int]:
    spread = f"{taus.std(ddof=1):.3f}" if len(taus) > 1 else ""
    return f"{taus.mean():.3f}", spread, len(taus)


def score(method: Callable[[str, int], np.ndarray], setting: str, seed: int) -> dict[str, Any]:
    """Tau and mean absolute error of a method on the test part."""
    predicted, truth = method(setting, seed), table().main(setting)[split(seed)[0]]
    error = float(np.abs(predicted - truth).mean())
    return {"tau": float(kendalltau(predicted, truth)[0]), "error": error}


OBJECTIVES: dict[str, tuple[tuple[str, ...], float]] = {
    "seg, with FLOPs": (("seg",), 0.5),
    "seg, accuracy only": (("seg",), 0.0),
    "cls-50-1000, with FLOPs": (("cls-50-1000",), 0.5),
    "cls-50-1000, accuracy only": (("cls-50-1000",), 0.0),
    "video, with FLOPs": (("video",), 0.5),
    "joint, with FLOPs": (("seg", "cls-50-1000", "video"), 0.5),
}
CAPPED = {
    "seg, at most 1.5 G": (("seg",), 1.5),
    "cls-50-1000, at most 2 G": (("cls-50-1000",), 2.0),
}


@cache
def oracle(setting: str) -> Any:
    """A process fitted on the whole table: independent of the network, but not of the noise."""
    return ArdGaussianProcess().fit(table().features, table().main(setting), 0)


@cache
def second(setting: str, seed: int) -> Any:
    """The second predictor of a split, fitted on the training part."""
    _, rows = split(seed)
    return Ensemble().fit(table().features[rows], table().main(setting)[rows], seed)


def says(predictor: Any, candidates: Sequence[Genes]) -> np.ndarray:
    x = np.concatenate(STRUCTURE.walks(np.array(candidates)), axis=1)
    return np.asarray(predictor.predict(x).mean)


def cost_of(candidates: Sequence[Genes]) -> np.ndarray:
    """Exact GFLOPs."""
    return costs(values(np.array(candidates)))[0] / 1e9


def row_of(stage: Stage, tasks: Sequence[str]) -> dict[str, Any]:
    """What a step of a path is worth."""
    gflops = float(cost_of([stage.genes])[0])
    within = table().gflops <= gflops + 1e-9
    best = [float(table().main(t)[within].max()) if within.any() else None for t in tasks]
    return {
        "gflops": gflops,
        "predicted": [float(v) for v in stage.predicted[: len(tasks)]],
        "oracle": [float(says(oracle(task), [stage.genes])[0]) for task in tasks],
        "table": best,
        "code": SPACE.describe(stage.genes),
    }


def walks(seed: int) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Every path of one split's predictors, by name."""
    code, start = code_of(SPACE), SPACE.parse(START)

    def opinion(tasks: Sequence[str], most: float) -> Callable[[Sequence[Genes]], np.ndarray]:
        def judge(candidates: Sequence[Genes]) -> np.ndarray:
            spread = [table().main(task).std() for task in tasks]
            total = sum(
                says(second(t, seed), candidates) / s for t, s in zip(tasks, spread, strict=True)
            )
            return np.where(cost_of(candidates) <= most, total, -np.inf)

        return judge

    def follow(tasks: Sequence[str], weight: float) -> dict[str, Any]:
        models = [released(task, seed) for task in tasks]
        pulls = [Pull(m) for m in models]
        if weight:
            pulls += [Pull(m, metric=m.metrics.centre.size - 2, weight=-weight) for m in models]
        path = propagate(code, start, pulls)
        steps: dict[str, Any] = {str(i): row_of(path[i], tasks) for i in (0, 10, 40, 70)}
        turn = turning_point(path, opinion(tasks, np.inf))
        return {"steps": {**steps, "stop": row_of(path[turn], tasks) | {"step": turn}}}

    def capped(tasks: Sequence[str], limit: float, wta: bool) -> dict[str, Any]:
        models = [released(task, seed) for task in tasks]
        cap = Cap(models[0], models[0].metrics.centre.size - 2, limit)
        pulls = [Pull(m) for m in models]
        path = (climb if wta else propagate)(code, start, pulls, cap=cap)
        turn = turning_point(path, opinion(tasks, limit))
        return {"steps": {"stop": row_of(path[turn], tasks) | {"step": turn}}}

    for name, (tasks, weight) in OBJECTIVES.items():
        yield name, lambda t=tasks, w=weight: follow(t, w)
    for name, (tasks, limit) in CAPPED.items():
        yield f"{name}, multiplier", lambda t=tasks, x=limit: capped(t, x, False)
        yield f"{name}, winner takes all", lambda t=tasks, x=limit: capped(t, x, True)


def propagation(results: Results, splits: Sequence[int]) -> None:
    """Fill and print the table of paths: means over the splits' predictors."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in splits:
        for name, walk in walks(seed):
            entry = results.get(("propagation", name, seed), walk)
            found.setdefault(name, []).append(entry["steps"])
    lines = []
    for name, paths in found.items():
        for step in paths[0]:
            rows = [path[step] for path in paths]
            at = step if "step" not in rows[0] else f"{np.mean([row['step'] for row in rows]):.0f}*"
            means = [
                " ".join(f"{v:.2f}" for v in np.mean([row[key] for row in rows], axis=0))
                for key in ("predicted", "oracle", "table")
            ]
            lines.append([name, at, f"{np.mean([row['gflops'] for row in rows]):.2f}", *means])
    print(tabulate(lines, ["objective", "step", "GFLOPs", "network says", "oracle", "table"]))
    print("* where the second predictor, fitted on the training part, says to stop")


def draw(results: Results, path: Path) -> None:
    """Draw the predictors' tau by setting, as far as it is there."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    shown = ("NCP, selected", "NCP, last", "ours", "GP", "boosted trees", "random forest")
    figure, axes = pyplot.subplots(figsize=(9, 3.2), layout="constrained")
    for place, name in enumerate(shown):
        found = {i: results.taus(s, name) for i, s in enumerate(SETTINGS)}
        means = {i: taus.mean() for i, taus in found.items() if len(taus)}
        places = np.array(list(means)) + (place - 2.5) * 0.14
        axes.bar(places, list(means.values()), 0.13, label=name)
    axes.set_xticks(range(len(SETTINGS)), SETTINGS)
    axes.set_ylim(0.3, 0.85)
    axes.set_ylabel("Kendall tau, test part")
    axes.legend(ncols=3, fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--splits", nargs="*", type=int, default=list(SPLITS))
    parser.add_argument("--settings", nargs="*", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--results", type=Path, default=RESULTS / "ncp.jsonl")
    options = parser.parse_args()
    if not (DATA / "nasbench_mr.csv.gz").exists():
        print(f"skipped: {DATA} with the benchmark's table is not here")
        return
    warnings.filterwarnings("ignore")
    results = Results(options.results)
    if options.part in ("predictors", "all"):
        predictors(results, options.splits, options.settings)
    if options.part != "propagation":
        report(results, options.results.with_suffix(".csv"))
        draw(results, options.results.with_suffix(".svg"))
    if options.part in ("propagation", "all"):
        propagation(results, options.splits[:3])


if __name__ == "__main__":
    with one_thread():
        main()
