"""`nasprof export`: a network as a verified ONNX file, or in the formats of several runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from nasprof.bundle import Bundle
    from nasprof.exporting import Exported

UNAVAILABLE, FAILED = 2, 3


def command(
    subject: Annotated[
        str,
        typer.Argument(
            help="nasbench201:INDEX-or-STRING, reference:NAME, timm:NAME, light:NAME, "
            "FILE.py:FACTORY or MODEL.onnx"
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The ONNX file to write; with --to, the folder.")
    ],
    to: Annotated[
        str | None,
        typer.Option(metavar="FORMAT,...", help="Write these formats and a manifest instead."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="With --to; default fp32.")
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="FILE|DIR|random", help="Data for static int8; default random."),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="minmax (default), entropy or percentile; for static int8.")
    ] = None,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="int8 with scales found while running.")
    ] = False,
    operators: Annotated[
        str | None, typer.Option(metavar="TYPE,...", help="Quantise only these operator types.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Fixed batch size.")] = 1,
    dynamic_batch: Annotated[bool, typer.Option("--dynamic-batch", help="Any batch.")] = False,
    opset: Annotated[int | None, typer.Option(help="ONNX opset; default 18.")] = None,
    seed: options.Seed = 0,
    weights: Annotated[
        Path | None, typer.Option(help="Weights to load: .safetensors, or .pt with tensors only.")
    ] = None,
    optimize: Annotated[
        str, typer.Option(metavar="HOW", help="none, onnxslim, ort-basic or ort-extended.")
    ] = "none",
    input_shape: options.InputShape = None,
    exporter: Annotated[
        str, typer.Option(help="auto, dynamo or torchscript; auto tries one after the other.")
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a foreign file.")] = False,
    json: options.Json = False,
) -> None:
    """Export a network to ONNX and verify it against torch on three seeds."""
    wanted = options.names(precision or "fp32", "--precision")
    if (calibrate or calibration or dynamic or operators) and "int8" not in wanted:
        raise InputError(
            "--calibrate, --calibration, --dynamic and --operators belong to --precision int8"
        )
    if to is not None:
        if dynamic_batch:
            raise InputError(
                "--dynamic-batch has no effect beside --to: artifacts have fixed sizes"
            )
        bundle = api.export_to(
            subject,
            options.names(to, "--to"),
            output,
            precisions=wanted,
            calibrate=calibrate or "random",
            calibration=calibration or "minmax",
            dynamic=dynamic,
            operators=options.names(operators, "--operators") if operators else (),
            batch=batch,
            opset=opset,
            seed=seed,
            weights=weights,
            input_shape=options.shape(input_shape),
            exporter=exporter,
            force=force,
            optimize=optimize,
        )
        _show(bundle, json)
        kinds = {part.kind for part in bundle.parts} - {""}
        if kinds:
            raise typer.Exit(UNAVAILABLE if kinds == {"unavailable"} else FAILED)
        return
    if precision is not None or optimize != "none":
        raise InputError("--precision and --optimize belong to --to; write --to onnx")
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
    _show(done, json)


def _show(done: Exported | Bundle, json: bool) -> None:
    if json:
        show_json(done.to_json())
    else:
        for line in done.lines():
            print(line)
