"""How well costs are predicted: python benchmarks/latency_predictor.py [--seeds 100] [--quick].

Two tables on the published measurements in ../shared/data:

few-shot    Every device of the hardware table and both Raspberry Pi 5 runtimes in turn is new: ten
            measurements, the others known. `other cards` knows only other cards and boards, `all
            others` also the same card at another batch and the same board's other runtime. Beside
            ours: ridge from the log latencies of the known devices, least squares on unpruned
            counts (both on ten random cells) and MACs (as built, which beat live MACs).
from genes  Six coefficients on live counts as in the project's specification against our predictor
            from genes, on both Pi 5 runtimes and their energy, at 10, 50 and 500 random cells.

Rules: cells without a path from input to output are left out; ranks are over cells whose
isomorphism class was not measured. The Pi 5 file repeats one measurement for a whole class, so its
rows are the 6,461 cells that were really measured. A seed draws the cells that may be measured
(1,000), the random ten of the simple transfers, and the cells of the test.

Finished rows are kept in benchmarks/results/latency_predictor.csv; a run goes on where one stopped.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from tabulate import tabulate

from nasprof.predict._metrics import errors, spearman
from nasprof.predict._relative import relative_least_squares, weighted_sum
from nasprof.predict._sum_of_parts import SumOfParts
from nasprof.predict._threads import one_thread
from nasprof.predict._transfer import Transfer
from nasprof.predict._transfer_basis import Parts, basis_of
from nasprof.predicting.genes import grouped, parts_of
from nasprof.spaces.nasbench201 import EDGES, NONE, PLUGIN
from nasprof.tables._read import read_table

DATA = Path(__file__).parents[1].parent / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
SHOTS, POOL, TEST = 10, 1_000, 2_000
READINGS = ("all others", "other cards")
SIZES = (10, 50, 500)
HEAD = (
    "part", "reading", "device", "n", "seeds", "method", "spearman", "within_5", "within_10",
    "rmspe", "covered",
)  # fmt: skip
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """All live cells: features, MACs, isomorphism classes, and costs by device (NaN: not measured).

    Unit: ms and mJ.
    """

    parts: Parts
    macs: Array
    group: NDArray[np.int64]
    latency: dict[str, Array]
    energy: dict[str, Array]
    six: Array


def load(folder: Path) -> Cells:
    """Read the tables and put them in one order."""
    table = read_table(folder / "nasbench201.csv.gz")
    genes = [PLUGIN.parse(text) for text in table.values("arch")]
    hardware = read_table(folder / "hardware" / "nasbench201_latency_ms.parquet")
    place = {cell: row for row, cell in enumerate(genes)}
    order = np.array([place[cell] for cell in map(PLUGIN.parse, hardware.values("arch"))])
    latency: dict[str, Array] = {}
    for name in hardware.names:
        if name != "arch":
            latency[name] = np.empty(len(genes))
            latency[name][order] = hardware.numbers(name)
    with np.load(folder / "nasbench201_pi5_runtime.npz", allow_pickle=False) as pi5:
        group = pi5["representative"].astype(np.int64)
        measured = group == np.arange(len(genes))
        names = ["pi5_" + str(combo).split("/")[1] for combo in pi5["combo"]]
        energy = {}
        for name, ms, mj in zip(names, pi5["latency_ms"], pi5["energy_mj"], strict=True):
            latency[name] = np.where(measured, ms, np.nan)
            energy[name] = np.where(measured, mj, np.nan)
    live = _live(np.array(genes))
    kept = np.flatnonzero((live != NONE).any(axis=1))
    return Cells(
        parts_of(PLUGIN, [genes[i] for i in kept]),
        table.numbers("macs_c10")[kept],
        group[kept],
        {name: values[kept] for name, values in latency.items()},
        {name: values[kept] for name, values in energy.items()},
        _six(live[kept]),
    )


def _live(genes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Genes with the operations that lie on no path set to none."""
    alive = np.zeros(genes.shape, dtype=np.bool_)
    for path in (((0, 3),), ((0, 1), (1, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 2), (2, 3))):
        edges = [EDGES.index(edge) for edge in path]
        alive[:, edges] |= np.all(genes[:, edges] != NONE, axis=1, keepdims=True)
    return np.where(alive, genes, NONE)


def _six(live: NDArray[np.int64]) -> Array:
    """Live skips, 1x1, 3x3 and pools, and additions: the five features of the specification."""
    counts = [(live == op).sum(axis=1) for op in range(1, 5)]
    adds = np.zeros(len(live))
    for node in (1, 2, 3):
        into = [i for i, edge in enumerate(EDGES) if edge[1] == node]
        adds += np.maximum((live[:, into] != NONE).sum(axis=1) - 1, 0)
    return np.stack([*counts, adds], axis=1).astype(np.float64)


def family(device: str) -> str:
    """The card or board of a column: `titanx_32` is `titanx`, `pi5_onnx` is `pi5`."""
    return re.sub(r"^(\w*ti|titan\w+)_\d+$|^(pi5)_\w+$", r"\1\2", device)


def few_shot(cells: Cells, device: str, reading: str, seeds: int) -> dict[str, Array]:
    """Mean spearman, within 5 %, within 10 %, RMSPE and coverage of each method."""
    near = family(device) if reading == "other cards" else None
    known = {n: v for n, v in cells.latency.items() if n != device and family(n) != near}
    basis = basis_of(cells.parts, known)
    rows = basis.rows(cells.parts)
    # The simple transfer has to know a value for each cell: classes share the Pi 5's.
    logs = np.log(np.stack([_filled(values, cells.group) for values in known.values()], axis=1))
    model, values = Transfer(basis.widths), cells.latency[device]
    measured = np.flatnonzero(np.isfinite(values))
    found: dict[str, list[Array]] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        pool = rng.choice(measured, POOL, replace=False)
        tested = rng.choice(measured, TEST, replace=False)
        random = pool[:SHOTS]
        chosen = pool[model.choose(rows[pool], SHOTS)]
        for name, taken in (("ours", chosen), ("ours, random cells", random)):
            test = _apart(tested, taken, cells.group)
            predicted = model.fit(rows[taken], values[taken]).predict(rows[test])
            e = errors(values[test], predicted)
            scores = [e.spearman, e.within_5, e.within_10, e.rmspe, e.covered]
            found.setdefault(name, []).append(np.array(scores))
        test = _apart(tested, random, cells.group)
        simple = {
            "ridge from devices": _ridge(logs, random, test, np.log(values[random])),
            "unpruned counts": _counts(cells.parts.plain, random, test, values[random]),
            "MACs": cells.macs[test],
        }
        for name, guess in simple.items():
            rho = spearman(values[test], guess)
            found.setdefault(name, []).append(np.array([rho, *[np.nan] * 4]))
    return {name: np.mean(scores, axis=0) for name, scores in found.items()}


def _filled(values: Array, group: NDArray[np.int64]) -> Array:
    own = np.flatnonzero(np.isfinite(values))
    by_group = dict(zip(group[own].tolist(), values[own].tolist(), strict=True))
    shared = np.array([by_group[g] for g in group.tolist()])
    return np.where(np.isfinite(values), values, shared)


def _apart(
    tested: NDArray[np.intp], taken: NDArray[np.intp], group: NDArray[np.int64]
) -> NDArray[np.intp]:
    return tested[~np.isin(group[tested], group[taken])]


def _ridge(logs: Array, taken: NDArray[np.intp], test: NDArray[np.intp], y: Array) -> Array:
    """Ridge with the penalty of the least leave-one-out error, on standardised columns."""
    centre, scale = logs[taken].mean(axis=0), logs[taken].std(axis=0) + 1e-9
    model = RidgeCV(np.logspace(-3, 3, 13)).fit((logs[taken] - centre) / scale, y)
    return np.asarray(model.predict((logs[test] - centre) / scale))


def _counts(counts: Array, taken: NDArray[np.intp], test: NDArray[np.intp], y: Array) -> Array:
    return weighted_sum(relative_least_squares(counts[taken], y), counts[test])


def from_genes(cells: Cells, y: Array, count: int, seeds: int) -> dict[str, Array]:
    """Errors of six coefficients and of our predictor at `count` random cells."""
    measured = np.flatnonzero(np.isfinite(y))
    x, widths = grouped(cells.parts)
    found: dict[str, list[Array]] = {}
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).permutation(measured)
        taken, test = drawn[:count], drawn[count : count + 4_000]
        weights = relative_least_squares(cells.six[taken], y[taken])
        plain = weighted_sum(weights, cells.six[test])
        ours = SumOfParts(widths).fit(x[taken], y[taken], cells.group[taken], seed).predict(x[test])
        for name, e in (
            ("six coefficients", errors(y[test], type(ours)(plain, plain, plain))),
            ("ours", errors(y[test], ours)),
        ):
            covered = e.covered if name == "ours" else np.nan
            scores = [e.spearman, e.within_5, e.within_10, e.rmspe, covered]
            found.setdefault(name, []).append(np.array(scores))
    return {name: np.mean(scores, axis=0) for name, scores in found.items()}


Key = tuple[str, str, str, int]


def work(cells: Cells, seeds: int, gene_seeds: int) -> Iterator[tuple[Key, int]]:
    """All that is to be found, with the number of seeds of each."""
    for reading in READINGS:
        for device in cells.latency:
            yield ("few-shot", reading, device, SHOTS), seeds
    for kind, values in (("latency", cells.latency), ("energy", cells.energy)):
        for device in values:
            if device.startswith("pi5"):
                for count in SIZES:
                    yield ("from genes", kind, device, count), gene_seeds


def find(cells: Cells, key: Key, seeds: int) -> dict[str, Array]:
    """One row of a table."""
    part, reading, device, count = key
    if part == "few-shot":
        return few_shot(cells, device, reading, seeds)
    values = cells.latency if reading == "latency" else cells.energy
    return from_genes(cells, values[device], count, seeds)


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows that an earlier run kept."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Find what is missing, keep it, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--gene-seeds", type=int, default=20)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="3 seeds, nothing kept")
    options = parser.parse_args()
    cells = load(options.data)
    path = options.output / "latency_predictor.csv"
    seeds, gene_seeds = (3, 2) if options.quick else (options.seeds, options.gene_seeds)
    kept = [] if options.quick else rows_of(path)
    done = {(r["part"], r["reading"], r["device"], int(r["n"]), int(r["seeds"])) for r in kept}
    for key, count in work(cells, seeds, gene_seeds):
        if (*key, count) in done:
            continue
        fresh = [
            dict(zip(HEAD, map(str, [*key, count, name, *np.round(s, 5)]), strict=True))
            for name, s in find(cells, key, count).items()
        ]
        kept = [r for r in kept if (r["part"], r["reading"], r["device"], int(r["n"])) != key]
        kept += fresh
        print(*key, " ".join(f"{r['method']} {r['spearman']}" for r in fresh), flush=True)
        if not options.quick:
            _write(path, kept)
    print_tables(kept)
    if not options.quick:
        draw(kept, options.output / "latency_predictor.svg")


def _write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEAD, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


METHODS = ("MACs", "ridge from devices", "unpruned counts", "ours, random cells", "ours")


def print_tables(rows: Sequence[dict[str, str]]) -> None:
    """Print one table for each reading, and one for the predictors from genes."""
    for reading in READINGS:
        found = table_of(rows, reading)
        print(f"\nfew-shot, {reading}: Spearman with {SHOTS} measurements")
        lines = [[d, *f[0], "" if f[0][-1] > max(f[0][:3]) else "*", *f[1]] for d, f in found]
        mean = np.mean([[*f[0], *f[1]] for _, f in found], axis=0)
        lines.append(["mean", *mean[:5], "", *mean[5:]])
        head = ["device", *METHODS, "", "covered", "within 10 %"]
        print(tabulate(lines, head, floatfmt=".4f"))
    print("\nfrom genes, Pi 5: six coefficients (live counts), ours")
    lines = [
        [r["device"], r["reading"], r["n"], r["method"], *(float(r[c]) for c in HEAD[6:])]
        for r in rows
        if r["part"] == "from genes"
    ]
    print(tabulate(lines, ["device", "", "n", "method", *HEAD[6:]], floatfmt=".3f"))


def table_of(
    rows: Sequence[dict[str, str]], reading: str
) -> list[tuple[str, tuple[list[float], list[float]]]]:
    """By device: the rank correlation of each method, and coverage and accuracy of ours."""
    by: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if row["part"] == "few-shot" and row["reading"] == reading:
            by.setdefault(row["device"], {})[row["method"]] = row
    return [
        (
            device,
            (
                [float(found[name]["spearman"]) for name in METHODS],
                [float(found["ours"][name]) for name in ("covered", "within_10")],
            ),
        )
        for device, found in by.items()
    ]


def draw(rows: Sequence[dict[str, str]], path: Path) -> None:
    """Draw the rank correlations by device as a small SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "nasprof"
    mpl.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    found = table_of(rows, READINGS[1])
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    places = np.arange(len(found))
    for name, mark in zip(METHODS, "x+1.o", strict=True):
        scores = [f[0][METHODS.index(name)] for _, f in found]
        axes.plot(scores, places, mark, label=name, markersize=5)
    axes.set_yticks(places, [device for device, _ in found], fontsize=7)
    axes.set_xlim(0.75, 1.0)
    axes.set_xlabel(f"Spearman, {SHOTS} measurements, only other cards known")
    axes.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    with one_thread():
        main()
