"""`nasprof inspect`: the static cost of models."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json

if TYPE_CHECKING:
    from profiler.core.cost import GraphCost


def command(
    models: Annotated[
        list[str],
        typer.Argument(help="ONNX files, or subjects as for export."),
    ],
    batch: Annotated[int | None, typer.Option(min=1, help="Size of a symbolic batch axis.")] = None,
    dim: options.Dims = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--dims", metavar="NAME=1,2,4", help="Sizes to count at; repeatable."),
    ] = None,
    input_shape: options.InputShape = None,
    convention: Annotated[
        str,
        typer.Option(
            help="nasprof, torch, fvcore, fvcore-fused, thop, onnx-tool, nasbench201, nasbench-mr."
        ),
    ] = "nasprof",
    explain: Annotated[
        str | None, typer.Option(metavar="CONVENTION", help="List how its figure differs, and why.")
    ] = None,
    polynomial: Annotated[
        bool, typer.Option("--polynomial", help="The cost as a polynomial of symbolic sizes.")
    ] = False,
    roofline: Annotated[
        bool, typer.Option("--roofline", help="Bounds by this machine's calibrated peaks.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the calibration.")] = 1,
    by: Annotated[str, typer.Option(help="operator, node, module, class or precision.")] = (
        "operator"
    ),
    sort: Annotated[str, typer.Option(help="macs, flops, bytes or order.")] = "macs",
    top: Annotated[int | None, typer.Option(min=1, help="Rows to show.")] = None,
    store: options.Store = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    json: options.Json = False,
) -> None:
    """Count MACs, FLOPs, parameters and memory of models, without reading weights."""
    from profiler.core.plain import to_plain
    from reports import cost_text

    sizes: dict[str, Any] = {"batch": batch, "input_shape": options.shape(input_shape)}
    if explain is not None:
        _explain(models, explain, {**sizes, "dims": options.dims(dim)}, json)
        return
    if polynomial:
        _polynomial(models, options.dims(dim), json)
        return
    costs = list(_costs(models, dim, sweep, {**sizes, "convention": convention}))
    roofs = [api.roofline(cost, threads=threads, store=store) for _, cost in costs if roofline]
    if json:
        rows = [{"model": label, **to_plain(cost)} for label, cost in costs]
        for row, roof in zip(rows, roofs, strict=False):
            row["roofline"] = asdict(roof)
        show_json(rows if len(rows) > 1 else rows[0])
    elif as_csv:
        _csv(costs, by, sort)
    elif len(costs) > 1:
        print(cost_text.side_by_side(costs))
    else:
        print(cost_text.cost_table(costs[0][1], by, sort, top, roofs[0] if roofs else None))


def _costs(
    models: list[str], dim: list[str] | None, sweep: list[str] | None, sizes: dict[str, Any]
) -> Iterator[tuple[str, GraphCost]]:
    """Every model at every combination of the swept sizes."""
    swept = options.sweeps(sweep)
    for model in models:
        for values in product(*swept.values()):
            point = dict(zip(swept, values, strict=True))
            label = " ".join([model, *(f"{name}={size}" for name, size in point.items())])
            yield label, api.inspect(model, dims={**options.dims(dim), **point}, **sizes)


def _explain(models: list[str], convention: str, sizes: dict[str, Any], json: bool) -> None:
    from reports.cost_text import difference_table

    found = {model: api.explain(model, convention, **sizes) for model in models}
    if json:
        show_json({m: [asdict(r) | {"difference": r.difference} for r in found[m]] for m in found})
        return
    for model, rows in found.items():
        if len(found) > 1:
            print(model)
        print(difference_table(convention, rows))


def _polynomial(models: list[str], dims: dict[str, int], json: bool) -> None:
    from reports.cost_text import polynomial_lines

    found = {model: api.polynomials(model, dims=dims) for model in models}
    if json:
        show_json(
            {
                model: {metric: None if p is None else asdict(p) for metric, p in metrics.items()}
                for model, metrics in found.items()
            }
        )
        return
    for model, metrics in found.items():
        if len(found) > 1:
            print(model)
        print(polynomial_lines(metrics))


def _csv(costs: list[tuple[str, GraphCost]], by: str, sort: str) -> None:
    from reports.cost_text import breakdown, ordered

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["model", by, "nodes", "macs", "flops", "bytes_read", "bytes_written"])
    for label, cost in costs:
        for row in ordered(breakdown(cost, by), sort):
            writer.writerow(
                [label, options.cell(row.op_type), row.nodes, row.macs, row.flops,
                 row.bytes_read, row.bytes_written]
            )  # fmt: skip
