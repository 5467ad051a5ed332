"""Options that several commands share, and their small grammars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiler.core.errors import InputError

Store = Annotated[
    str | None,
    typer.Option(
        "--store", envvar="NASPROF_STORE", metavar="URL",
        help="SQLite file or SQLAlchemy URL; default: a file in the user's data folder.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Dims = Annotated[
    list[str] | None,
    typer.Option("--dim", metavar="NAME=SIZE", help="Size of a symbolic dimension; repeatable."),
]
InputShape = Annotated[
    str | None,
    typer.Option("--input-shape", metavar="3x224x224", help="Shape of one input without batch."),
]
Tables = Annotated[
    Path | None,
    typer.Option(
        "--tables", envvar="NASPROF_TABLES", metavar="DIR",
        help="Folder of imported tables; default: one in the user's data folder.",
    ),
]  # fmt: skip
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Where to write.")]


def names(text: str, option: str) -> list[str]:
    """Read NAME,NAME lists; a name counts once.

    Raises: InputError when there is none.
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise InputError(f"{option} {text!r} names nothing")
    return list(dict.fromkeys(found))


def dims(values: list[str] | None) -> dict[str, int]:
    """Read NAME=SIZE pairs.

    Raises: InputError naming the pair that is none.
    """
    pairs = {}
    for text in values or []:
        name, equals, size = text.partition("=")
        if not (name and equals and size.isdecimal() and int(size) > 0):
            raise InputError(f"--dim {text!r} is not NAME=SIZE, for example --dim batch=8")
        pairs[name] = int(size)
    return pairs


def sweeps(values: list[str] | None) -> dict[str, list[int]]:
    """Read NAME=1,2,4 lists.

    Raises: InputError naming the text that is none.
    """
    found = {}
    for text in values or []:
        name, equals, several = text.partition("=")
        if not (name and equals):
            raise InputError(f"--dims {text!r} is not NAME=1,2,4, for example --dims batch=1,2,4,8")
        found[name] = sizes(several, f"--dims {name}=")
    return found


def cell(text: str) -> str:
    """Text from a model as a cell of CSV that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def sizes(text: str | None, option: str) -> list[int]:
    """Read a list of positive numbers such as `1,2,4`.

    Raises: InputError naming the option.
    """
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if text is not None and (not parts or not all(p.isdecimal() and int(p) > 0 for p in parts)):
        raise InputError(f"{option} {text!r} is not a list of positive numbers such as 1,2,4")
    return [int(part) for part in parts]


def percent(text: str, option: str) -> float:
    """Read a percentage such as `5%` as a share.

    Raises: InputError naming the option.
    """
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not (text.strip().endswith("%") and 0 <= share < 100):
        raise InputError(f"{option} {text!r} is not a percentage such as 5%")
    return share


def shape(text: str | None) -> tuple[int, ...] | None:
    """Read a shape such as `3x224x224` or `3,224,224`.

    Raises: InputError when it is none.
    """
    if text is None:
        return None
    parts = text.replace(",", "x").lower().split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(f"--input-shape {text!r} is not a shape such as 3x224x224")
    return tuple(int(part) for part in parts)
