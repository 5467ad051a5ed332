"""`nasprof spaces`: the search spaces, and one candidate drawn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json
from profiler.core.errors import InputError

app = typer.Typer(help="List the search spaces, or draw one candidate.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def command(
    context: typer.Context, tables: options.Tables = None, json: options.Json = False
) -> None:
    """List the search spaces with their sizes, tasks and imported tables; `show` draws one."""
    if context.invoked_subcommand is not None:
        return
    listed = api.spaces(tables=tables)
    if json:
        show_json([found.to_json() for found in listed])
        return
    from tabulate import tabulate

    cells = [
        (
            found.space.name,
            found.space.size_text,
            found.space.task,
            "\n".join(table.name for table in found.tables) or "-",
            ", ".join(f"{n} {metric}" for metric, n in found.metrics.items()) or "-",
            found.space.title,
        )
        for found in listed
    ]
    head = ("space", "size", "task", "imported table", "metrics", "what it is")
    align = ("left", "right", *("left",) * 4)
    widths = [None] * 4 + [26, 40]
    print(tabulate(cells, head, colalign=align, disable_numparse=True, maxcolwidths=widths))


@app.command("show")
def show(
    candidate: Annotated[str, typer.Argument(help="SPACE:CANDIDATE, for example nasbench201:857.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the picture, an SVG file.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Draw a candidate, as text and as a picture, with its cost."""
    shown = api.show_candidate(candidate)
    if output is not None:
        try:
            output.write_text(shown.picture.svg(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {output}: {error.strerror}") from None
    if json:
        show_json(asdict(shown))
    else:
        print("\n".join(shown.lines()))
