"""What the pages share: how templates are filled, the style, the version that they name."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_TEMPLATES = Path(__file__).parent / "templates"


def template(name: str) -> Template:
    """A template that escapes all text and refuses a name that it was not given."""
    loader = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return loader.get_template(name)


def style() -> str:
    """The style sheet of every page."""
    return (_TEMPLATES / "page.css").read_text()


def nasprof_version() -> str:
    """The version, as pages name it."""
    try:
        return version("nasprof")
    except PackageNotFoundError:
        return "(not installed)"
