"""`nasprof compare`: is one model faster than another, and may a pull request pass?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import note, progress, show_json
from profiler.core.errors import InputError

if TYPE_CHECKING:
    from profiler.core.comparison import Compared

TOO_SLOW, FAILED = 1, 3
_STORED = "session:"


def command(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="BASE NEW...",
            help="Models as for bench, the base first; or session:NAME of stored runs.",
        ),
    ],
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="RUNTIME", help="Runtime; several are compared too."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Batch size.")] = None,
    threads: Annotated[str, typer.Option(metavar="N,...", help="Threads of the runtime.")] = "1",
    precision: Annotated[str, typer.Option(help="Precision the runtime must run at.")] = "fp32",
    dim: options.Dims = None,
    input_shape: options.InputShape = None,
    same_within: Annotated[
        str, typer.Option(metavar="PERCENT", help="Difference that does not matter.")
    ] = "2%",
    fail_above: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="Exit with 1 when surely slower by more than this."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --fail-above: fail when it can't be ruled out.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a table for a pull request.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Ten processes of each at most, not thirty.")
    ] = False,
    seed: options.Seed = 0,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Compare models or runtimes, measured in turns: FASTER, SLOWER, SAME or CANNOT TELL."""
    margin = options.percent(same_within, "--same-within")
    allowed = None if fail_above is None else options.percent(fail_above, "--fail-above")
    if strict and allowed is None:
        raise InputError("--strict says how a gate decides; give one, for example --fail-above 5%")
    # What is called the same must not be beyond the gate.
    margin = margin if allowed is None else min(margin, allowed)
    sessions = [model.removeprefix(_STORED) for model in models if model.startswith(_STORED)]
    if sessions:
        if len(sessions) < len(models):
            raise InputError("stored runs and models can't be compared; name only session:NAME")
        found = api.compare_stored(sessions, same_within=margin, store=store)
    else:
        with progress("comparing") as bar:
            found = api.compare(
                models,
                on or ["onnxruntime-cpu"],
                threads=options.sizes(threads, "--threads"),
                batch=batch,
                precision=precision,
                dims=options.dims(dim),
                input_shape=options.shape(input_shape),
                same_within=margin,
                quick=quick,
                seed=seed,
                store=store,
                on_progress=bar.step,
                on_note=note,
            )
    _show(found, markdown, json)
    _exit(found, allowed, strict)


def _show(found: tuple[Compared, ...], markdown: bool, json: bool) -> None:
    from reports.comparison import comparison_markdown, comparison_rows, comparison_table

    if json:
        show_json(comparison_rows(found))
    else:
        print(comparison_markdown(found) if markdown else comparison_table(found))


def _exit(found: tuple[Compared, ...], allowed: float | None, strict: bool) -> None:
    from profiler.core.comparison import fails
    from profiler.core.units import printable

    slow = False
    for one in found:
        done = one.comparison
        if allowed is not None and done is not None and fails(done, allowed, strict):
            slow = True
            note(
                f"nasprof: {printable(one.new.label)} may be {allowed:.1%} slower at most; it is "
                f"{done.decision.value}, ratio {done.ratio:.3f} ({done.low:.3f} .. {done.high:.3f})"
            )
    if any(one.comparison is None for one in found):
        raise typer.Exit(FAILED)
    if slow:
        raise typer.Exit(TOO_SLOW)
