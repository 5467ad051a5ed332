"""`nasprof audit`: whether a runtime does the work that it is timed for."""

from __future__ import annotations

from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json

FAILED = 3


def command(
    model: Annotated[str, typer.Argument(help="ONNX file, or subject as for export.")],
    on: Annotated[
        str, typer.Option("--on", metavar="RUNTIME", help="Runtime; see nasprof devices.")
    ] = "onnxruntime-cpu",
    batch: Annotated[int | None, typer.Option(min=1, help="Batch size.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    dim: options.Dims = None,
    input_shape: options.InputShape = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Time the same input again and again beside ever new ones; exit code 3 if it is remembered."""
    found = api.audit(
        model, on, threads=threads, batch=batch, dims=options.dims(dim),
        input_shape=options.shape(input_shape), seed=seed,
    )  # fmt: skip
    if json:
        show_json(
            {"same_ns": found.same_ns, "varied_ns": found.varied_ns, "remembers": found.remembers}
        )
    else:
        same, varied = found.same_ns / 1e6, found.varied_ns / 1e6
        said = "the runtime remembers results" if found.remembers else "no sign of a cache"
        print(f"same input {same:.4f} ms, new inputs {varied:.4f} ms: {said}")
    if found.remembers:
        raise typer.Exit(FAILED)
