"""Targets as a person writes them: `onnxruntime-cpu`, `onnxruntime-cpu/2t/b8/fp16`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from profiler.core.errors import InputError
from profiler.core.target import Target

PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "int8")
FORM = "RUNTIME[/2t][/fp16][/b8][/OPTION=VALUE]: threads, precision, batch and options"
_RUNTIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_COUNT = {"threads": re.compile(r"([1-9][0-9]{0,3})t"), "batch": re.compile(r"b([1-9][0-9]{0,5})")}
_OPTION = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)=([A-Za-z0-9._:-]+)")


@dataclass(frozen=True, slots=True)
class TargetText:
    """A target with the parts that were written; what was not is None.

    Unit: `threads` counts intra-operator threads, `batch` inputs in one inference.
    """

    runtime: str
    threads: int | None = None
    precision: str | None = None
    batch: int | None = None
    options: tuple[tuple[str, str], ...] = field(default=())

    @property
    def key(self) -> str:
        """The text in its one order, so that equal targets are equal texts."""
        parts = [self.runtime]
        parts += [] if self.threads is None else [f"{self.threads}t"]
        parts += [] if self.precision is None else [self.precision]
        parts += [] if self.batch is None else [f"b{self.batch}"]
        return "/".join(parts + [f"{name}={value}" for name, value in self.options])

    def target(self, threads: int = 1) -> Target:
        """The target; `threads` is for a text that says nothing of them."""
        return Target(
            self.runtime,
            precision=self.precision or "fp32",
            threads=self.threads or threads,
            options=self.options,
        )


def parse_target(text: str) -> TargetText:
    """Read a target; its parts may stand in any order.

    Raises: InputError that names the part that is none.
    """
    runtime, parts = _split(text.strip())
    if _RUNTIME.fullmatch(runtime.partition(":")[0]) is None:
        raise InputError(f"target {text!r} does not begin with a runtime; write {FORM}")
    found: dict[str, str] = {}
    options: dict[str, str] = {}
    for part in parts:
        kind, value = _part(text, part)
        place = options if kind == "option" else found
        name, value = value.split("=", 1) if kind == "option" else (kind, value)
        if name in place:
            raise InputError(f"target {text!r}: {name} is given twice")
        place[name] = value
    return TargetText(
        runtime,
        int(found["threads"]) if "threads" in found else None,
        found.get("precision"),
        int(found["batch"]) if "batch" in found else None,
        tuple(sorted(options.items())),
    )


def _split(text: str) -> tuple[str, list[str]]:
    """Runtime and parts; the parts behind a command, which may hold slashes, are read from the end.

    A program that is named by its place is looked for from this folder.
    """
    name, colon, command = text.partition(":")
    if not colon or "/" in name:
        runtime, *parts = text.split("/")
        return runtime, parts
    parts = []
    while "/" in command:
        before, _, last = command.rpartition("/")
        if _read(last) is None:
            break
        command, parts = before, [last, *parts]
    program, space, arguments = command.strip().partition(" ")
    if "/" in program:
        program = str(Path(program).expanduser().absolute())
    return f"{name}:{program}{space}{arguments}", parts


def _read(part: str) -> tuple[str, str] | None:
    for kind, shape in _COUNT.items():
        if (match := shape.fullmatch(part)) is not None:
            return kind, match[1]
    if part in PRECISIONS:
        return "precision", part
    return ("option", part) if _OPTION.fullmatch(part) is not None else None


def _part(text: str, part: str) -> tuple[str, str]:
    if (found := _read(part)) is not None:
        return found
    raise InputError(
        f"target {text!r}: {part!r} is no part of a target; write {FORM}; precisions are "
        f"{', '.join(PRECISIONS)}"
    )
