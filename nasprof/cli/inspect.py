"""`nasprof inspect`: the static cost of a model."""

from __future__ import annotations

from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json


def command(
    model: Annotated[str, typer.Argument(help="An ONNX file, or a subject as for export.")],
    batch: Annotated[int | None, typer.Option(min=1, help="Size of a symbolic batch axis.")] = None,
    dim: options.Dims = None,
    input_shape: options.InputShape = None,
    json: options.Json = False,
) -> None:
    """Count MACs, FLOPs, parameters and memory of a model, by operator."""
    cost = api.inspect(
        model, batch=batch, dims=options.dims(dim), input_shape=options.shape(input_shape)
    )
    from reports.to_json import cost_row
    from reports.to_text import cost_table

    if json:
        show_json(cost_row(cost))
        return

    print(cost_table(cost))
