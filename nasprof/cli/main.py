"""The `nasprof` command: its subcommands, its exit codes, and one clear line for every error."""

from __future__ import annotations

import sys
from typing import Any

import typer

from nasprof.cli import (
    audit,
    bench,
    card,
    compare,
    demo,
    devices,
    doctor,
    export,
    history,
    inspect,
    predict,
    prune,
    report,
    runtimes,
    search,
    spaces,
    tables,
)
from profiler.core.errors import NasprofError

INTERRUPTED = 130
# typer brings its own copy of click from 0.17 on; the base of its usage errors is found by name.
UsageError: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

app = typer.Typer(
    name="nasprof",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "Export networks to ONNX, measure what they cost on this machine, and search architectures "
        "under measured limits.\n\nExit codes: 0 ok, 1 slower than a gate allows, 2 bad usage or "
        "input, 3 a measurement failed, 4 trouble with the store, 130 interrupted."
    ),
)
app.command("export")(export.command)
app.command("inspect")(inspect.command)
app.command("bench")(bench.command)
app.command("card")(card.command)
app.command("compare")(compare.command)
app.command("search")(search.command)
app.command("prune")(prune.command)
app.command("report")(report.command)
app.command("devices")(devices.command)
app.command("doctor")(doctor.command)
app.command("audit")(audit.command)
app.command("history")(history.command)
app.command("demo")(demo.command)
app.add_typer(runtimes.app, name="runtimes")
app.add_typer(spaces.app, name="spaces")
app.add_typer(tables.app, name="tables")
app.add_typer(predict.app, name="predict")


def run() -> None:
    """Run the command line and exit with its code."""
    sys.exit(_run())


def _run() -> int:
    try:
        code = typer.main.get_command(app).main(prog_name="nasprof", standalone_mode=False)
    except NasprofError as error:
        return _complain(str(error), error.exit_code)
    except UsageError as error:
        return _complain(f"{_usage(error)} (see --help)", 2)
    except (typer.Abort, KeyboardInterrupt):
        return _complain("interrupted; what was finished is stored", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _usage(error: Any) -> str:
    text: str = error.format_message()
    return text


def _complain(message: str, code: int) -> int:
    print(f"nasprof: {' '.join(message.split())}", file=sys.stderr)
    return code
