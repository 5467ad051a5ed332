"""`nasprof card`: what a network costs to deploy, on one screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json

FAILED = 3


def command(
    model: Annotated[str, typer.Argument(help="An ONNX file, or a subject as for export.")],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", metavar="RUNTIME[/OPTION=VALUE]", help="Repeatable; see nasprof devices."
        ),
    ] = None,
    threads: Annotated[str, typer.Option(metavar="N,...", help="Threads of the runtime.")] = "1",
    batches: Annotated[
        str, typer.Option(metavar="N,...", help="Batch sizes; the first is the card's own.")
    ] = "1,2,4,8",
    limit: Annotated[
        str | None,
        typer.Option(metavar="10ms", help="Longest time of a batch: names the best one within."),
    ] = None,
    dim: options.Dims = None,
    input_shape: options.InputShape = None,
    quick: Annotated[bool, typer.Option("--quick", help="The short plan for all of it.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .html, .md or .json file."),
    ] = None,
    seed: options.Seed = 0,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Measure what a network costs to deploy: latency, cold start, memory, energy, batches."""
    from reports.card_files import card_json, card_text, check_card_file, write_card

    if output is not None:
        check_card_file(output)
    with progress("measuring") as bar:
        card = api.card(
            model,
            on or ["onnxruntime-cpu"],
            threads=options.sizes(threads, "--threads"),
            batches=options.sizes(batches, "--batches"),
            limit=limit,
            dims=options.dims(dim),
            input_shape=options.shape(input_shape),
            quick=quick,
            seed=seed,
            store=store,
            on_progress=bar.step,
            on_note=note,
        )
    if output is not None:
        print(write_card(card, output), file=sys.stderr)
    if json:
        show_json(card_json(card))
    else:
        print(card_text(card))
    if not card.raw:
        raise typer.Exit(FAILED)
