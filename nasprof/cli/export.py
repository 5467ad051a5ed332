"""`nasprof export`: a network as a verified ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json


def command(
    subject: Annotated[
        str,
        typer.Argument(
            help="nasbench201:INDEX-or-STRING, reference:NAME, timm:NAME, FILE.py:FACTORY or "
            "MODEL.onnx"
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The ONNX file to write.")],
    batch: Annotated[int, typer.Option(min=1, help="Fixed batch size.")] = 1,
    dynamic_batch: Annotated[bool, typer.Option("--dynamic-batch", help="Any batch.")] = False,
    opset: Annotated[int | None, typer.Option(help="ONNX opset; default 18.")] = None,
    seed: options.Seed = 0,
    weights: Annotated[
        Path | None, typer.Option(help="Weights to load: .safetensors, or .pt with tensors only.")
    ] = None,
    input_shape: options.InputShape = None,
    exporter: Annotated[
        str, typer.Option(help="auto, dynamo or torchscript; auto tries one after the other.")
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a foreign file.")] = False,
    json: options.Json = False,
) -> None:
    """Export a network to ONNX and verify it against torch on three seeds."""
    done = api.export(
        subject,
        output,
        batch=batch,
        dynamic_batch=dynamic_batch,
        opset=opset,
        seed=seed,
        weights=weights,
        input_shape=options.shape(input_shape),
        exporter=exporter,
        force=force,
    )
    if json:
        show_json(done.to_json())
    else:
        for line in done.lines():
            print(line)
