"""A deployment card for the terminal, as Markdown, as JSON and as a page of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup
from tabulate import tabulate

from profiler.core.errors import InputError
from profiler.core.outcome import Measurement
from profiler.core.plain import to_plain
from profiler.core.units import printable
from reports.card import Card, Line, Section
from reports.pages import nasprof_version, style, template
from reports.quantities import shown
from reports.to_json import finite
from reports.write import write_whole

FORMAT = 1
_SIGNS = {
    ".html": '<meta name="generator" content="nasprof">',
    ".md": "# Deployment card: ",
    ".json": '"format": "nasprof-card"',
}


def card_text(card: Card) -> str:
    """Tables for the terminal; R1, R2, ... name the raw samples that `--json` writes."""
    return "\n\n".join([card.title, *(_text(section, "simple") for section in card.sections)])


def card_markdown(card: Card) -> str:
    """Tables for a pull request or a model's page."""
    return "\n\n".join([f"# {_escaped(card.title)}", *(_markdown(s) for s in card.sections)]) + "\n"


def card_json(card: Card) -> dict[str, Any]:
    """Every figure in base units, and the raw samples that it came from, in JSON's types.

    Unit: in `unit` of each figure; samples in ns for one inference.
    """
    return {
        "format": "nasprof-card",
        "version": FORMAT,
        "title": card.title,
        "model": {**to_plain(card.model), "label": shown(card.model.label, 1000)},
        "environment": to_plain(card.environment),
        "sections": [asdict(section) for section in card.sections],
        "raw": {name: _raw(found) for name, found in card.raw.items()},
    }


def card_html(card: Card, generated: str) -> str:
    """One file that needs nothing else; every measured figure links to its raw samples.

    `generated` is the UTC label that it carries.
    """
    return template("card.html.j2").render(
        card=card,
        style=Markup(style()),
        version=nasprof_version(),
        generated=generated,
        raw={name: _page_raw(found) for name, found in card.raw.items()},
    )


def card_json_text(card: Card) -> str:
    """`card_json` as text, ASCII."""
    return json.dumps(finite(card_json(card)), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def check_card_file(path: Path) -> None:
    """See that a card can be written there without losing anything.

    Raises: InputError for a suffix of no format, a missing folder, a file that is no card.
    """
    name = printable(str(path))
    sign = _SIGNS.get(path.suffix)
    if sign is None:
        raise InputError(f"{name} names no format; end it with one of {', '.join(_SIGNS)}")
    if not path.parent.is_dir():
        raise InputError(f"{name}: there is no folder {printable(str(path.parent))}; make it first")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise InputError(f"{name} is no plain file; name another with -o")
    if path.exists() and sign not in path.read_text(errors="replace")[:500]:
        raise InputError(f"{name} exists and is no card; name another file with -o")


def write_card(card: Card, path: Path) -> Path:
    """Write the card in the format that the suffix names.

    Raises: InputError as `check_card_file`, or when it can't be written.
    """
    check_card_file(path)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    texts: dict[str, Callable[[], str]] = {
        ".html": lambda: card_html(card, now),
        ".md": lambda: card_markdown(card),
        ".json": lambda: card_json_text(card),
    }
    try:
        write_whole(path, texts[path.suffix]())
    except OSError as error:
        raise InputError(f"{printable(str(path))} can't be written: {error.strerror}") from error
    return path


def _raw(found: Measurement) -> dict[str, Any]:
    return {
        "session": found.session,
        "target": to_plain(found.target),
        "plan": to_plain(found.plan),
        "environment": found.environment_key,
        "inputs": to_plain(found.inputs),
        "attempts": to_plain(found.attempts),
    }


def _page_raw(found: Measurement) -> list[str]:
    """The samples of each process in ns for one inference, in the order they were taken."""
    return [
        " ".join(
            f"{wall / block.runs_per_sample:.0f}"
            for block in attempt.rounds
            for wall in block.wall_ns
        )
        for attempt in found.attempts
    ]


def _text(section: Section, form: str) -> str:
    table = tabulate(
        [_cells(line) for line in section.lines],
        (section.title, *section.head, "from"),
        tablefmt=form,
        disable_numparse=True,
        colalign=("left", *("right",) * len(section.head), "left") if section.lines else None,
    )
    return "\n".join([table, *(f"  {line}" for line in section.notes)])


def _markdown(section: Section) -> str:
    table = tabulate(
        [tuple(map(_escaped, _cells(line))) for line in section.lines],
        ("", *section.head, "from"),
        tablefmt="github",
        disable_numparse=True,
    )
    notes = "\n".join(f"- {_escaped(line)}" for line in section.notes)
    return "\n\n".join(part for part in (f"## {section.title}", table, notes) if part)


def _cells(line: Line) -> tuple[str, ...]:
    sources = dict.fromkeys(figure.source for figure in line.figures if figure.source)
    name = f"{line.name} ({line.remark})" if line.remark else line.name
    return (name, *(figure.marked for figure in line.figures), ", ".join(sources))


def _escaped(text: str) -> str:
    # A name from a model is data: it makes no table, link, image or tag.
    for character in "\\|<>[]`*_":
        text = text.replace(character, f"\\{character}")
    return text
