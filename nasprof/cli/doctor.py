"""`nasprof doctor`: the smallest difference that this machine can resolve, and what to change."""

from __future__ import annotations

from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json


def command(
    model: Annotated[
        str, typer.Argument(help="Model to measure against itself, as for bench.")
    ] = "reference:mobilenet_v2",
    on: Annotated[
        str, typer.Option("--on", metavar="RUNTIME", help="Runtime; see nasprof devices.")
    ] = "onnxruntime-cpu",
    batch: Annotated[int | None, typer.Option(min=1, help="Batch size.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    input_shape: options.InputShape = None,
    seed: options.Seed = 0,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Measure a model against itself; say what this machine can resolve and what disturbs it."""
    with progress("measuring") as bar:
        found = api.doctor(
            model,
            on,
            threads=threads,
            batch=batch,
            input_shape=options.shape(input_shape),
            seed=seed,
            store=store,
            on_progress=bar.step,
            on_note=note,
        )
    from reports.diagnosis import diagnosis_data, diagnosis_text

    if json:
        show_json(diagnosis_data(found))
    else:
        print(diagnosis_text(found))
