"""`nasprof bench`: measured latency and memory of models on runtimes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from nasprof.profiling import Profiled
    from profiler.core.outcome import Outcome

T = TypeVar("T")

UNAVAILABLE, FAILED = 2, 3


def command(
    context: typer.Context,
    models: Annotated[
        list[str] | None, typer.Argument(help="ONNX files, or subjects as for export.")
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(
            "--suite", metavar="FILE", help="Measure a suite file; resumes, and repeats nothing."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed in the suite.")
    ] = False,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", metavar="RUNTIME[/OPTION=VALUE]", help="Repeatable; see nasprof devices."
        ),
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="N,...", help="Batch sizes.")] = None,
    threads: Annotated[str, typer.Option(metavar="N,...", help="Threads of the runtime.")] = "1",
    streams: Annotated[
        str, typer.Option(metavar="N,...", help="Instances of the model that run at once.")
    ] = "1",
    precision: Annotated[str, typer.Option(help="Precision the runtime must run at.")] = "fp32",
    optimize: Annotated[
        str | None,
        typer.Option(metavar="HOW,...", help="none, onnxslim, ort-basic, ort-extended."),
    ] = None,
    calibrate: Annotated[
        str, typer.Option(metavar="FILE|DIR|random", help="Data for int8; default random.")
    ] = "random",
    dim: options.Dims = None,
    input_shape: options.InputShape = None,
    quick: Annotated[bool, typer.Option("--quick", help="About a second a model.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Where the time goes by operator; one model.")
    ] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Rows of a profile to show.")] = None,
    require_quiet: Annotated[
        bool,
        typer.Option("--require-quiet", help="Measure nothing (exit code 3) while others compute."),
    ] = False,
    lock_gpu_clock: Annotated[
        int | None, typer.Option(min=1, metavar="MHZ", help="Hold the GPU's clock meanwhile.")
    ] = None,
    seed: options.Seed = 0,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Measure models on runtimes, one worker process at a time, and store every outcome."""
    if suite is not None:
        _no_other_options(context)
        with progress("measuring") as bar:
            found = api.bench_suite(
                suite, retry_failed=retry_failed, store=store,
                on_progress=bar.step, on_note=note,
            )  # fmt: skip
        _show(found, json)
        return
    if not models or retry_failed:
        raise InputError(
            "name a model, or a suite file with --suite"
            if not models
            else "--retry-failed belongs to --suite"
        )
    asked = on or ["onnxruntime-cpu"]
    if top is not None and not profile:
        raise InputError("--top belongs to --profile")
    if profile:
        without = lock_gpu_clock is not None or streams != "1" or require_quiet
        if without or optimize or calibrate != "random":
            raise InputError(
                "--lock-gpu-clock, --streams, --require-quiet, --optimize and --calibrate have "
                "no effect beside --profile"
            )
        with progress("profiling") as bar:
            profiled = api.profile(
                _only(models, "model"),
                _only(asked, "runtime"),
                threads=_only(options.sizes(threads, "--threads"), "number of threads"),
                batch=_only(options.sizes(batch, "--batch") or [None], "batch"),
                precision=precision,
                dims=options.dims(dim),
                input_shape=options.shape(input_shape),
                quick=quick,
                seed=seed,
                store=store,
                on_progress=bar.step,
                on_note=note,
            )
        _show_profile(profiled, top, json)
        return
    with progress("measuring") as bar:
        outcomes = api.bench_all(
            models,
            asked,
            threads=options.sizes(threads, "--threads"),
            batches=options.sizes(batch, "--batch") or [None],
            streams=options.sizes(streams, "--streams"),
            precision=precision,
            dims=options.dims(dim),
            input_shape=options.shape(input_shape),
            quick=quick,
            require_quiet=require_quiet,
            lock_gpu_clock=lock_gpu_clock,
            seed=seed,
            optimize=options.names(optimize, "--optimize") if optimize else (),
            calibrate=calibrate,
            store=store,
            on_progress=bar.step,
            on_note=note,
        )
    _show(outcomes, json)
    if {text.partition("/")[0] for text in asked} - {o.target.runtime for o in outcomes}:
        raise typer.Exit(UNAVAILABLE)


def _show(outcomes: Sequence[Outcome], json: bool) -> None:
    from reports.rows import outcome_row
    from reports.sweeps import sweep_text
    from reports.to_json import outcome_rows
    from reports.to_text import outcome_table

    if json:
        show_json(outcome_rows(outcomes))
    else:
        print(outcome_table(outcomes))
        if swept := sweep_text(outcome_row(outcome) for outcome in outcomes):
            print(f"\n{swept}")
    if any(not hasattr(outcome, "latency") for outcome in outcomes):
        raise typer.Exit(FAILED)


def _show_profile(found: Profiled, top: int | None, json: bool) -> None:
    from reports.profile_text import profile_row, profile_table

    if json:
        show_json(profile_row(found.profile))
    else:
        print(profile_table(found.profile, top))
    if found.uncalibrated:
        note(f"no roofline: {found.uncalibrated}")


def _only(values: Sequence[T], what: str) -> T:
    """The one value of an option.

    Raises: InputError when there are several.
    """
    if len(values) != 1:
        raise InputError(f"--profile takes one {what} and got {len(values)}; run it for each")
    return values[0]


def _no_other_options(context: typer.Context) -> None:
    """Refuse what would have no effect.

    Raises: InputError naming the first of them.
    """
    allowed = {"suite", "retry_failed", "store", "json"}
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            option = "a model" if name == "models" else f"--{name.replace('_', '-')}"
            raise InputError(f"{option} has no effect beside --suite; write it into the file")
