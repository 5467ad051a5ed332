"""`nasprof bench`: measured latency and memory of models on runtimes."""

from __future__ import annotations

from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json

UNAVAILABLE, FAILED = 2, 3


def command(
    models: Annotated[list[str], typer.Argument(help="ONNX files, or subjects as for export.")],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", metavar="RUNTIME[/OPTION=VALUE]", help="Repeatable; see nasprof devices."
        ),
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="N,...", help="Batch sizes.")] = None,
    threads: Annotated[str, typer.Option(metavar="N,...", help="Threads of the runtime.")] = "1",
    precision: Annotated[str, typer.Option(help="Precision the runtime must run at.")] = "fp32",
    dim: options.Dims = None,
    input_shape: options.InputShape = None,
    quick: Annotated[bool, typer.Option("--quick", help="About a second a model.")] = False,
    lock_gpu_clock: Annotated[
        int | None, typer.Option(min=1, metavar="MHZ", help="Hold the GPU's clock meanwhile.")
    ] = None,
    seed: options.Seed = 0,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Measure models on runtimes, one worker process at a time, and store every outcome."""
    asked = on or ["onnxruntime-cpu"]
    with progress("measuring") as bar:
        outcomes = api.bench_all(
            models,
            asked,
            threads=options.sizes(threads, "--threads"),
            batches=options.sizes(batch, "--batch") or [None],
            precision=precision,
            dims=options.dims(dim),
            input_shape=options.shape(input_shape),
            quick=quick,
            lock_gpu_clock=lock_gpu_clock,
            seed=seed,
            store=store,
            on_progress=bar.step,
            on_note=note,
        )
    from reports.to_json import outcome_rows
    from reports.to_text import outcome_table

    if json:
        show_json(outcome_rows(outcomes))
    else:
        print(outcome_table(outcomes))
    if any(not hasattr(outcome, "latency") for outcome in outcomes):
        raise typer.Exit(FAILED)
    if {text.partition("/")[0] for text in asked} - {o.target.runtime for o in outcomes}:
        raise typer.Exit(UNAVAILABLE)
