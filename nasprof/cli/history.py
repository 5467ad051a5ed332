"""`nasprof history`: what the store holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json


def command(
    limit: Annotated[int, typer.Option(min=1, help="Newest entries to show.")] = 20,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List the newest bench runs and searches."""
    entries = api.history(limit, store=store)
    if json:
        show_json([asdict(entry) for entry in entries])
        return
    from reports.to_text import history_table

    print(history_table(entries))
