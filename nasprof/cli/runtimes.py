"""`nasprof runtimes`: environments of their own for runtimes and converters that clash."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from nasprof import api
from nasprof.cli import options
from nasprof.cli.printing import progress, show_json

app = typer.Typer(
    help="Install, list or remove environments for runtimes whose packages clash with others.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="An environment, see nasprof runtimes list.")]


@app.command("install")
def install(name: Name, json: options.Json = False) -> None:
    """Make an environment with pinned versions in the user's cache; downloads packages with pip."""
    with progress("installing") as bar:
        found = api.install_environment(name, on_progress=bar.step)
    if json:
        show_json(asdict(found))
    else:
        print(f"{name}: {found.size_bytes / 2**30:.2f} GiB, ready after {found.seconds:.0f} s")


@app.command("list")
def show(json: options.Json = False) -> None:
    """List the environments: ready, or missing with the command."""
    found = api.environments()
    if json:
        show_json({name: None if done is None else asdict(done) for name, done in found.items()})
        return
    from tabulate import tabulate

    rows = [
        (name, "missing", "", f"nasprof runtimes install {name}")
        if done is None
        else (name, "ready", f"{done.size_bytes / 2**30:.2f} GiB", "")
        for name, done in found.items()
    ]
    print(tabulate(rows, ("environment", "state", "size", "what to do")))


@app.command("remove")
def remove(name: Name) -> None:
    """Remove an environment from the user's cache."""
    print(f"{name}: {'removed' if api.remove_environment(name) else 'was not installed'}")
