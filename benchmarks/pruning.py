"""What pruning keeps: python benchmarks/pruning.py [--seeds 5] [--epochs 16] [--picture].

A network of four convolutions (16-32-32-48 channels with BatchNorm) on the handwritten digits is
trained, pruned by each method to a share of its MACs, and fine-tuned. A seed decides first weights,
the order of the images, and random choices. All methods start from the same trained network and
have the same limit; those with gates or a penalty train as long again. BWCP may end below the
limit, so BN-scale pruning is also given BWCP's MACs of the same seed (`bn-scale, equal MACs`).

Finished runs are kept in benchmarks/results/pruning.csv; a run goes on where one stopped.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from search_results import RESULTS, Row, Runs
from tabulate import tabulate
from torch import nn

from exporters.seeding import seeded
from nasprof.pruning import PruneRequest, prune

EQUAL = "bn-scale, equal MACs"
METHODS = ("bwcp", EQUAL, "bn-scale", "l1", "taylor", "random")
SHARES = (57, 40, 25)
RUNS = Runs(
    RESULTS / "pruning.csv",
    ("seed", "share", "method", "epochs"),
    ("accuracy_before", "macs_before", "cut_accuracy", "accuracy", "macs", "params", "channels"),
)


class Digits(nn.Module):
    """Four convolutions with BatchNorm; 286,176 MACs."""

    input_shape = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 32, 48)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, 2 if number in (1, 3) else 1, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for number, (before, after) in enumerate(pairwise(widths))
        )
        self.classifier = nn.Linear(widths[-1], 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.classifier(x.mean((2, 3)))


def one(seed: int, share: int, method: str, epochs: int) -> Sequence[object]:
    """Prune once."""
    limit = f"macs<={share}%"
    if method == EQUAL:
        key = {"seed": str(seed), "share": str(share), "method": "bwcp", "epochs": str(epochs)}
        (row,) = (row for row in RUNS.rows() if key.items() <= row.items())
        limit = f"macs<={row['macs']}"
    with seeded(seed):
        network = Digits()
    request = PruneRequest(
        network, method.partition(",")[0], (limit,), epochs=epochs, seed=seed,
        fine_tune=epochs // 2,
    )  # fmt: skip
    done = prune(request)
    print(f"seed {seed}, {share} %, {method}: {done.after.accuracy:.4f}", flush=True)
    return (
        f"{done.before.accuracy:.4f}", done.before.macs, f"{done.cut_accuracy:.4f}",
        f"{done.after.accuracy:.4f}", done.after.macs, done.after.params,
        "-".join(str(layer.channels_left) for layer in done.layers),
    )  # fmt: skip


def summary(rows: Sequence[Row]) -> str:
    """Medians over the seeds, with the lowest accuracy."""
    several: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        several[int(row["share"]), row["method"]].append(row)
    cells = []
    for (share, method), found in sorted(
        several.items(), key=lambda item: (-item[0][0], METHODS.index(item[0][1]))
    ):
        accuracies = [float(row["accuracy"]) for row in found]
        saved = [1 - int(row["macs"]) / int(row["macs_before"]) for row in found]
        cells.append(
            (f"{share} %", method, len(found), f"{statistics.median(accuracies):.2%}",
             f"{min(accuracies):.2%}",
             f"{statistics.median(float(row['cut_accuracy']) for row in found):.2%}",
             f"{statistics.median(saved):.1%}")
        )  # fmt: skip
    head = ("limit", "method", "seeds", "accuracy", "lowest", "before tuning", "fewer MACs")
    return tabulate(cells, head, disable_numparse=True)


def picture(rows: Sequence[Row], path: Path) -> None:
    """Accuracy against MACs: a point a run, a line through the medians."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "nasprof"
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        if not own:
            continue
        line = []
        for share in sorted({int(row["share"]) for row in own}):
            there = [row for row in own if int(row["share"]) == share]
            line.append(
                [statistics.median(int(r["macs"]) / int(r["macs_before"]) for r in there),
                 statistics.median(float(r["accuracy"]) for r in there)]
            )  # fmt: skip
        (drawn,) = axes.plot(*zip(*line, strict=True), label=method)
        axes.scatter(
            [int(r["macs"]) / int(r["macs_before"]) for r in own],
            [float(r["accuracy"]) for r in own], s=12, color=drawn.get_color(), alpha=0.5,
        )  # fmt: skip
    axes.set_xlabel("MACs, share of the whole network")
    axes.set_ylabel("accuracy on held-out digits")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--picture", action="store_true", help="draw what is there, run nothing")
    options = parser.parse_args()
    if not options.picture:
        for methods in (METHODS[:2], METHODS[2:]):
            wanted = [
                (seed, share, method, options.epochs)
                for share in SHARES
                for seed in range(options.seeds)
                for method in methods
            ]
            RUNS.do(wanted, one)
    rows = RUNS.rows()
    print(summary(rows))
    picture(rows, RESULTS / "pruning.svg")


if __name__ == "__main__":
    main()
