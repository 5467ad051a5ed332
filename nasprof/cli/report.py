"""`nasprof report`: one page, with its rows as Markdown, CSV and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json


def command(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")] = Path(
        "nasprof-report"
    ),
    search: Annotated[
        str | None, typer.Option(help="Search to show; default: the newest one.")
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Write what the store holds as a self-contained HTML page, Markdown, CSV, JSON."""
    written = api.report(output, search=search, store=store)
    if json:
        show_json([str(path) for path in written.paths])
    else:
        for path in written.paths:
            print(path)
