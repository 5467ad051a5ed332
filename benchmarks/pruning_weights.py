"""What masks on weights keep: python benchmarks/pruning_weights.py [--seeds 5] [--epochs 60].

A perceptron 64-256-128-10 on the handwritten digits is trained and keeps a share of the weights
that its three layers have: by ProbMask, or the largest of all layers
(magnitude). Fine-tuning, budget and starting network are the same for all;
ProbMask trains as long again with its masks. A seed decides first weights, order and masks.

Finished runs are kept in benchmarks/results/pruning_weights.csv; a run goes on where one stopped.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Sequence

from search_results import RESULTS, Row, Runs
from tabulate import tabulate
from torch import nn

from exporters.seeding import seeded
from nasprof.pruning import PruneRequest, prune

METHODS = ("probmask", "magnitude")
SHARES = ("2", "0.5")
RUNS = Runs(
    RESULTS / "pruning_weights.csv",
    ("seed", "percent", "method", "epochs"),
    (
        *("accuracy_before", "cut_accuracy", "accuracy", "weights", "nonzero", "macs"),
        *("nonzero_macs", "weight_bytes", "compressed_bytes", "last_layer_share"),
    ),
)  # fmt: skip


class Perceptron(nn.Sequential):
    """Three linear layers of 50,432 weights."""

    input_shape = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__(
            nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
            nn.Linear(128, 10),
        )  # fmt: skip


def one(seed: int, percent: str, method: str, epochs: int) -> Sequence[object]:
    """Prune once."""
    with seeded(seed):
        network = Perceptron()
    request = PruneRequest(
        network, method, (f"params<={percent}%",), epochs=epochs, fine_tune=20, seed=seed
    )
    done = prune(request)
    assert done.findings is not None
    found = done.findings.to_json()
    layers = found["layers"]
    sums = [sum(r[key] for r in layers) for key in ("weights", "nonzero", "macs", "nonzero_macs")]
    print(f"seed {seed}, {percent} %, {method}: {done.after.accuracy:.4f}", flush=True)
    return (
        f"{done.before.accuracy:.4f}", f"{done.cut_accuracy:.4f}", f"{done.after.accuracy:.4f}",
        *sums, found["weight_bytes"], found["compressed_bytes"],
        f"{layers[-1]['nonzero'] / layers[-1]['weights']:.4f}",
    )  # fmt: skip


def summary(rows: Sequence[Row]) -> str:
    """Medians over the seeds, with the lowest accuracy."""
    several: dict[tuple[float, str], list[Row]] = defaultdict(list)
    for row in rows:
        several[float(row["percent"]), row["method"]].append(row)
    cells = []
    for (percent, method), found in sorted(several.items(), key=lambda item: -item[0][0]):
        accuracies = [float(row["accuracy"]) for row in found]
        cells.append(
            (f"{percent:g} %", method, len(found), f"{statistics.median(accuracies):.2%}",
             f"{min(accuracies):.2%}",
             f"{statistics.median(float(row['cut_accuracy']) for row in found):.2%}",
             max(int(row["nonzero"]) for row in found),
             f"{statistics.median(float(row['last_layer_share']) for row in found):.0%}",
             f"{statistics.median(int(row['compressed_bytes']) for row in found) / 1024:.1f}")
        )  # fmt: skip
    head = (
        "weights", "method", "seeds", "accuracy", "lowest", "before tuning", "most non-zeros",
        "of the last layer", "compressed KiB",
    )  # fmt: skip
    return tabulate(cells, head, disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    wanted = [
        (seed, percent, method, options.epochs)
        for percent in SHARES
        for seed in range(options.seeds)
        for method in METHODS
    ]
    RUNS.do(wanted, one)
    print(summary(RUNS.rows()))


if __name__ == "__main__":
    main()
