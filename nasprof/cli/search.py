"""`nasprof search`: look for the best networks inside measured limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json


def command(
    space: Annotated[
        str, typer.Option(help="Search space: a name, FILE.py, pruned:SUBJECT or table:FILE.")
    ] = "nasbench201",
    accuracy: Annotated[
        str | None,
        typer.Option(
            help="digits (short real training), train:FILE.npz (on your arrays), "
            "train:FILE.py:FUNCTION (your own training), table:FILE[:COLUMN], proxy:NAME, or "
            '"weighted:0.7*A and 0.3*B" or "worst:A and B" of these; default digits, for a table '
            "space its metric."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar='"latency@onnxruntime-cpu<=2ms"',
            help="Upper limit, repeatable: latency@TARGET, energy@TARGET, macs, flops, params, "
            "weight_bytes, peak_memory[@TARGET]. A TARGET is a runtime with what is "
            "asked of it, such as onnxruntime-cpu/2t/b8, or recorded:DEVICE of a table.",
        ),
    ] = None,
    maximize: Annotated[
        list[str] | None, typer.Option(metavar="accuracy", help="Accuracy, always an objective.")
    ] = None,
    minimize: Annotated[
        list[str] | None,
        typer.Option(
            metavar="latency@onnxruntime-cpu",
            help="A cost to make small as well, repeatable: the Pareto set is searched.",
        ),
    ] = None,
    queries: Annotated[int, typer.Option(min=1, help="Accuracies to find.")] = 40,
    measurements: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most candidates to measure; what the store holds is free. Costs are predicted.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Most seconds of all trials; ends between two.")
    ] = None,
    measure_all: Annotated[
        bool,
        typer.Option(
            "--measure-all",
            help="Measure every candidate, also where prediction is sure on which side of the "
            "limits it is.",
        ),
    ] = False,
    strategy: Annotated[str, typer.Option(help="How candidates are proposed.")] = "rank-ei",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    seed: options.Seed = 0,
    name: Annotated[str | None, typer.Option(help="Name of the search in the store.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the search of the same settings or name.")
    ] = False,
    genes: Annotated[
        str | None,
        typer.Option(metavar="a,b,c", help="Gene columns of a table space, parted by commas."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Accuracy column of a table space.")
    ] = None,
    recorded: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Table of recorded targets instead of imported ones."),
    ] = None,
    tables: options.Tables = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Search a space under measured limits and store every trial."""
    with progress("searching") as bar:
        result = api.search(
            space,
            accuracy=accuracy,
            limits=limit or [],
            maximize=maximize or [],
            minimize=minimize or [],
            queries=queries,
            measurements=measurements,
            seconds=seconds,
            measure_all=measure_all,
            strategy=strategy,
            threads=threads,
            seed=seed,
            name=name,
            resume=resume,
            genes=[] if genes is None else [name.strip() for name in genes.split(",")],
            metric=metric,
            recorded=recorded,
            tables=tables,
            store=store,
            on_progress=bar.step,
            on_note=note,
        )
    from reports.to_json import search_row
    from reports.to_text import search_table

    if json:
        show_json(search_row(result))
    else:
        print(search_table(result))
