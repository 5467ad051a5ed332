"""`nasprof tables`: published tables brought in, listed and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import show_json

app = typer.Typer(
    help="Import published tables of architectures; list and show them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("kinds")
def kinds(json: options.Json = False) -> None:
    """List the published formats that can be imported."""
    from dataclasses import asdict

    found = api.table_kinds()
    if json:
        show_json([asdict(kind) for kind in found])
        return
    from tabulate import tabulate

    cells = [(kind.name, kind.title, kind.takes) for kind in found]
    print(tabulate(cells, ("kind", "what it is", "files"), maxcolwidths=[None, None, 60]))


@app.command("import")
def import_files(
    kind: Annotated[str, typer.Argument(help="A published format: see nasprof tables kinds.")],
    files: Annotated[list[Path], typer.Argument(help="The files as they were published.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", envvar="NASPROF_TABLES", metavar="DIR",
            help="Folder to write to; default: one in the user's data folder.",
        ),
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Whose architectures the rows are; for kind table only.")
    ] = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Read published files safely and keep them as typed Parquet with units."""
    from nasprof import catalogue

    written = api.import_table(kind, files, space=space, tables=output)
    if json:
        show_json([catalogue.table_json(info) for info in written])
        return
    for info in written:
        print(f"{info.name}: {info.rows:,} rows, {len(info.columns)} columns, {info.path}")


@app.command("list")
def list_tables(tables: options.Tables = None, json: options.Json = False) -> None:
    """List the imported tables."""
    from nasprof import catalogue

    found = api.tables(tables)
    if json:
        show_json([catalogue.table_json(info) for info in found])
        return
    if not found:
        print("no table is imported; nasprof tables import brings one in")
        return
    from tabulate import tabulate

    cells = [(t.name, t.space, f"{t.rows:,}", str(len(t.columns)), t.source) for t in found]
    head = ("table", "space", "rows", "columns", "source")
    align = ("left", "left", "right", "right", "left")
    print(
        tabulate(cells, head, colalign=align, disable_numparse=True, maxcolwidths=[*[None] * 4, 60])
    )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of an imported table.")],
    tables: options.Tables = None,
    json: options.Json = False,
) -> None:
    """Show an imported table: columns with units, and the recorded targets among them."""
    found = api.show_table(name, tables=tables)
    if json:
        show_json(found.to_json())
        return
    from tabulate import tabulate

    info = found.info
    print(f"{info.name}: {info.rows:,} rows of space {info.space}, from {info.source}")
    targets = {c.column: f"{c.metric}@recorded:{c.target}" for c in found.targets}
    example = found.first[0] if found.first else {}
    cells = [
        (
            column.name,
            column.kind,
            column.unit or "-",
            column.metric or "-",
            targets.get(column.name, "-"),
            str(example.get(column.name, "-")),
        )
        for column in info.columns
    ]
    head = ("column", "kind", "unit", "metric", "recorded target", "first value")
    print(tabulate(cells, head, disable_numparse=True, maxcolwidths=[*[None] * 5, 30]))
