"""`nasprof prune`: a smaller network from a network, trained, cut to limits and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import progress, show_json


def command(
    subject: Annotated[
        str,
        typer.Argument(help="SPACE:ARCHITECTURE, reference:NAME, timm:NAME or FILE.py:FACTORY"),
    ],
    method: Annotated[
        str,
        typer.Option(
            help="bwcp, l1, l2, taylor, bn-scale[:STRENGTH], random; probmask, magnitude, dam."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The ONNX file to write.")],
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar='"macs<=50%"',
            help="Upper limit, repeatable: macs, params or latency@TARGET, in % or x of the whole "
            "network, or a number such as 300M or 2ms.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            help="Images to train and judge with: digits, npz:FILE, MODULE:LOADER or "
            "FILE.py:LOADER (a function that returns x_train, y_train, x_test, y_test)."
        ),
    ] = "digits",
    epochs: Annotated[
        int, typer.Option(min=1, help="Of the whole network, and of one with gates or a penalty.")
    ] = 8,
    fine_tune: Annotated[
        int | None,
        typer.Option("--fine-tune", min=0, help="Epochs after the cut; default half as many."),
    ] = None,
    batch: Annotated[int, typer.Option(min=2, help="Images of a training step.")] = 64,
    rate: Annotated[float, typer.Option(min=1e-6, help="Highest learning rate.")] = 0.1,
    spread: Annotated[
        str, typer.Option(help="global: rank all channels; uniform: the same share of each layer.")
    ] = "global",
    seed: options.Seed = 0,
    weights: Annotated[
        Path | None,
        typer.Option(help="Trained weights instead of a training: .safetensors or .pt."),
    ] = None,
    input_shape: options.InputShape = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a foreign file.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter measurements.")] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Train a network, remove channels until limits are met, fine-tune and export it."""
    with progress("pruning") as bar:
        done = api.prune(
            subject,
            method,
            output,
            limits=limit or [],
            data=data,
            epochs=epochs,
            fine_tune=fine_tune,
            batch=batch,
            rate=rate,
            spread=spread,
            seed=seed,
            weights=weights,
            input_shape=options.shape(input_shape),
            force=force,
            quick=quick,
            store=store,
            on_progress=bar.step,
        )
    if json:
        show_json(done.to_json())
        return
    if done.layers or done.findings:
        print(done.table())
        print()
    for line in done.lines():
        print(line)
