"""Check published cost tables of library networks against a count on the meta device.

Usage: python benchmarks/published_cost.py FOLDER [--only TABLE] [--limit N]

FOLDER holds published_cost_timm.csv, published_cost_torchvision.csv, nasbench201.csv.gz and
nasbench_mr.csv.gz. Every network that can be built is traced without weights and counted: timm's
rows in fvcore's convention (what timm's tables use), torchvision's in MACs, the others in their
own. Library rows that differ by more than rounding and 1 % are listed; the other tables must be
equal to the unit. NAS-Bench-201 takes half an hour, the others a few minutes each.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 - runs from a checkout

from exporters.meta_trace import trace_module  # noqa: E402 - runs from a checkout
from profiler.cost.traced import count_trace  # noqa: E402 - runs from a checkout

# Networks of clips, with the frames that their library counts.
FRAMES = {
    "mc3_18": 16, "r2plus1d_18": 16, "r3d_18": 16, "s3d": 16, "mvit_v1_b": 16, "mvit_v2_s": 16,
    "swin3d_t": 16, "swin3d_s": 16, "swin3d_b": 16,
}  # fmt: skip
TABLES = ("timm", "torchvision", "nasbench-mr", "nasbench201")


@dataclass(frozen=True, slots=True)
class Row:
    """One published row: cost in G and parameters in M, with the rounding of the table."""

    name: str
    side: int
    cost: float
    params: float
    rounding: float
    params_rounding: float
    convention: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=TABLES)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    declare_torchvision_operators()
    for library, rows in (("timm", timm_rows), ("torchvision", torchvision_rows)):
        if options.only in (None, library):
            check(library, list(rows(options.folder))[: options.limit])
    if options.only in (None, "nasbench-mr"):
        nasbench_mr(options.folder, options.limit)
    if options.only in (None, "nasbench201"):
        nasbench201(options.folder, options.limit)


def declare_torchvision_operators() -> None:
    """timm imports torchvision, whose compiled part may not match this torch."""
    with contextlib.suppress(RuntimeError):
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        declare_torchvision_operators.library = library  # type: ignore[attr-defined]


def timm_rows(folder: Path) -> Iterator[Row]:
    with (folder / "published_cost_timm.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            cost, params = float(row["gmacs"]), float(row["mparams"])
            yield Row(row["model"], int(row["img_size"]), cost, params, 0.005, 0.005, "fvcore")


def torchvision_rows(folder: Path) -> Iterator[Row]:
    with (folder / "published_cost_torchvision.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["crop_size"]:
                side, params = int(float(row["crop_size"])), float(row["params"]) / 1e6
                yield Row(row["model"], side, float(row["gmacs"]), params, 0.0005, 0.0, "nasprof")


def build(library: str, row: Row) -> Any:
    """Make a network on the meta device."""
    with torch.device("meta"):
        if library == "timm":
            import timm

            try:
                return timm.create_model(row.name, img_size=row.side).eval()
            except TypeError:
                return timm.create_model(row.name).eval()
    import torchvision

    try:
        with torch.device("meta"):
            return torchvision.models.get_model(row.name, weights=None).eval()
    except (NotImplementedError, RuntimeError):
        # Some look at numbers while they are built.
        return torchvision.models.get_model(row.name, weights=None).eval()


def check(library: str, rows: list[Row]) -> None:
    """Count every row and print those that differ."""
    counts = {"equal": 0, "within": 0, "other": 0, "not built": 0, "parameters": 0}
    for row in rows:
        try:
            module = build(library, row)
            clip = (FRAMES[row.name],) if row.name in FRAMES else ()
            shape = (1, 3, *clip, row.side, row.side)
            trace = trace_module(module, [torch.empty(shape, device="meta")])
            cost = count_trace(trace, row.convention)
        except Exception as error:  # noqa: BLE001 - libraries refuse a name in many ways
            counts["not built"] += 1
            print(f"{row.name}@{row.side}: not built ({str(error).partition(chr(10))[0][:90]})")
            continue
        figure = (cost.figure or 0) / 1e9
        difference = abs(figure - row.cost)
        params = abs(cost.params / 1e6 - row.params) <= row.params_rounding + 1e-9
        counts["parameters"] += params
        if difference <= row.rounding + 1e-9:
            counts["equal"] += 1
        elif difference <= 0.01 * row.cost + row.rounding:
            counts["within"] += 1
        else:
            counts["other"] += 1
            print(
                f"{row.name}@{row.side}: published {row.cost} G, counted {figure:.4f} G "
                f"({figure / row.cost - 1:+.1%}), MACs {cost.macs / 1e9:.4f} G; parameters "
                f"{row.params:.2f} M, counted {cost.params / 1e6:.2f} M {cost.uncounted}"
                f"; {trap(module, params)}"
            )
    print(
        f"{library}: {len(rows)} rows: {counts['equal']} equal to rounding, {counts['within']} "
        f"more within 1 %, {counts['other']} beyond, {counts['not built']} not built; parameters "
        f"equal to rounding in {counts['parameters']}"
    )


def trap(module: Any, same_params: bool) -> str:
    """The known reason why a published row is not what its network costs."""
    if not same_params:
        return "trap: the library has another network under this name now"
    if any(getattr(part, "padding", None) == "same" for part in module.modules()):
        return "trap: fvcore does not see convolutions whose padding is the word 'same'"
    return "NO REASON KNOWN"


def zipped_rows(path: Path, limit: int | None) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))[:limit]


def counted(build: Callable[[], Any], side: int, convention: str) -> Any:
    """Count a network of a space, built on the meta device."""
    with torch.device("meta"):
        module = build()
    return count_trace(
        trace_module(module, [torch.empty(1, 3, side, side, device="meta")]), convention
    )


def nasbench_mr(folder: Path, limit: int | None) -> None:
    """Every row's GFLOPs and parameters, exactly."""
    from nasprof.spaces.nasbench_mr import NAMES, PLUGIN

    rows = zipped_rows(folder / "nasbench_mr.csv.gz", limit)
    columns = list(rows[0])[: len(NAMES)]
    equal = 0
    for number, row in enumerate(rows):
        genes = PLUGIN.parse(" ".join(row[column] for column in columns))
        cost = counted(lambda genes=genes: PLUGIN.build(genes), 128, "nasbench-mr")
        flops, params = round(float(row["gflops"]) * 1e9), round(float(row["mparams"]) * 1e6)
        if (cost.figure, cost.params) == (flops, params):
            equal += 1
        else:
            print(f"row {number}: {flops} and {params}, counted {cost.figure} and {cost.params}")
    print(f"nasbench-mr: {equal} of {len(rows)} rows equal to the unit")


def nasbench201(folder: Path, limit: int | None) -> None:
    """Every row's MACs and parameters, exactly; what was published wrong is counted as such."""
    from nasprof.spaces.nasbench201 import PLUGIN

    rows = zipped_rows(folder / "nasbench201.csv.gz", limit)
    equal, wrong = 0, 0
    for row in rows:
        genes = PLUGIN.parse(row["arch"])
        cost = counted(lambda genes=genes: PLUGIN.build(genes, classes=10), 32, "nasbench201")
        published = (int(row["macs_c10"]), int(row["params_c10"]))
        if (cost.macs, cost.params, cost.figure) == (*published, published[0] + 10):
            equal += 1
        else:
            print(f"row {row['index']}: {published}, counted {cost.macs} and {cost.params}")
        # The other column is for a head of 100 classes, in M and rounded.
        larger = (cost.macs + 64 * 90) / 1e6
        if abs(larger - float(row["flops_ncp"])) > 0.0051:
            wrong += 1
    print(f"nasbench201: {equal} of {len(rows)} rows equal to the unit; ", end="")
    print(f"{wrong} rows of the other published column are wrong upstream")


if __name__ == "__main__":
    main()
