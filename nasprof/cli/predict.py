"""`nasprof predict`: how long will it take on my device?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json

if TYPE_CHECKING:
    from nasprof.predicting.predictor import CostPredictor

app = typer.Typer(
    help="Predict latency, memory or energy from measurements; say how well, and where not.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(help="Name of a predictor, or its file.")]
Own = Annotated[
    str | None, typer.Option("--space", metavar="FILE.py", help="Your own space's file.")
]


@app.command("fit")
def fit(
    target: Annotated[
        str | None,
        typer.Option(metavar="RUNTIME", help="Measured target, or recorded:DEVICE of a table."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the target.")] = 1,
    precision: Annotated[str, typer.Option(help="Precision of the target.")] = "fp32",
    metric: Annotated[
        str, typer.Option("--predict", help="latency, peak_memory (store) or energy (table).")
    ] = "latency",
    space: Annotated[
        str | None,
        typer.Option(help="Predict from genes of this space; default: from operators of models."),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--from", metavar="TABLE",
            help="Other devices' latencies: recorded (imported tables) or a file; repeatable. "
            "Then a few candidates are chosen and measured here.",
        ),
    ] = None,
    measurements: Annotated[
        int, typer.Option(min=1, help="Candidates to measure with --from.")
    ] = 10,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV or Parquet file to fit to.")
    ] = None,
    genes: Annotated[
        str | None, typer.Option(metavar="a,b,c", help="Feature columns of the table.")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--metric", metavar="COLUMN", help="Column to predict.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the column, such as ms.")] = None,
    environment: Annotated[
        str | None, typer.Option(metavar="KEY", help="Measurements of this machine only.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="NAME", help="Name, or file ending in .json."),
    ] = None,
    seed: options.Seed = 0,
    tables: options.Tables = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Fit a predictor and keep it with its held-out errors."""
    with progress("predicting") as bar:
        path, predictor = api.fit_predictor(
            target,
            threads=threads,
            precision=precision,
            metric=metric,
            space=space,
            known=known or [],
            measurements=measurements,
            table=table,
            genes=[] if genes is None else [name.strip() for name in genes.split(",")],
            column=column,
            unit=unit,
            environment=environment,
            output=output,
            seed=seed,
            tables=tables,
            store=store,
            on_progress=bar.step,
            on_note=note,
        )
    _show(predictor, path, [], json)


@app.command("eval")
def evaluate(name: Name, space: Own = None, json: options.Json = False) -> None:
    """Find the held-out errors of a predictor again, by architectures that it was not fitted to."""
    from dataclasses import asdict

    found = api.evaluate_predictor(name, space=space)
    if json:
        show_json(None if found is None else asdict(found))
    else:
        print(_errors(found, api.load_predictor(name, space=space)))


@app.command("show")
def show(
    name: Name,
    models: Annotated[
        list[str] | None, typer.Argument(help="ONNX files, subjects or candidates to predict.")
    ] = None,
    space: Own = None,
    json: options.Json = False,
) -> None:
    """Show what a predictor was fitted to, its held-out error, and predictions with intervals."""
    path, predictor = api.predictor_path(name), api.load_predictor(name, space=space)
    _show(predictor, path, models or [], json)


def _show(predictor: CostPredictor, path: Path, models: list[str], json: bool) -> None:
    from dataclasses import asdict

    saved = predictor.saved
    found = [(model, predictor.predict(model)) for model in models]
    facts: dict[str, Any] = {
        "predictor": str(path),
        "predicts": f"{saved.metric}@{saved.target}",
        "space": saved.space,
        "features": saved.kind,
        "measurements": len(saved.values),
        "left_out": saved.left_out,
        "known_devices": len(saved.known),
        "machine": saved.machine,
        "environment": saved.environment,
        "source": saved.source,
        "fitted_at": saved.created_at,
        "model": getattr(predictor.model, "name", "transfer"),
    }
    if json:
        held = None if saved.heldout is None else asdict(saved.heldout)
        rows = [{"model": model, **asdict(prediction)} for model, prediction in found]
        show_json({**facts, "heldout": held, "predictions": rows})
        return
    from tabulate import tabulate

    shown = [(k.replace("_", " "), v) for k, v in facts.items() if v not in (None, 0)]
    print(tabulate(shown, tablefmt="plain", disable_numparse=True, maxcolwidths=[None, 80]))
    print(_errors(saved.heldout, predictor))
    if found:
        cells = [
            (model, *(_value(saved.unit, v) for v in (p.value, p.low, p.high)),
             "yes" if p.in_domain else "no: measure it")
            for model, p in found
        ]  # fmt: skip
        head = ("model", saved.metric, "low", "high", "in domain")
        print(tabulate(cells, head, disable_numparse=True, maxcolwidths=[60, *[None] * 4]))


def _errors(found: Any, predictor: CostPredictor) -> str:
    if found is None:
        return "held-out error  unknown: too few different architectures to leave any out"
    return (
        f"held-out error  RMSPE {found.rmspe:.1f} %, within 5/10/15 %: {found.within_5:.0%} / "
        f"{found.within_10:.0%} / {found.within_15:.0%}, RMSE "
        f"{_value(predictor.saved.unit, found.rmse)} ({found.rmse_over_mean:.1%} of the mean), "
        f"Spearman {found.spearman:.3f}, Kendall {found.kendall:.3f}, 90 % intervals hold "
        f"{found.covered:.0%} ({found.count} architectures, each predicted without its own "
        "measurement)"
    )


def _value(unit: str, value: float) -> str:
    from profiler.core.units import mib, ms

    if unit == "ns":
        return f"{ms(value)} ms"
    return f"{mib(value)} MiB" if unit == "B" else f"{value:.3g} {unit}"
