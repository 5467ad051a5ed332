"""NATS-Bench, topology space, as its authors release it: an archive file or a folder of files."""

from __future__ import annotations

import bz2
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasprof.tables._arch_results import Value, content, values
from nasprof.tables._reader import Content
from nasprof.tables._unpickle import unpickle
from profiler.core.errors import InputError

SUFFIX = ".pickle.pbz2"


@dataclass(frozen=True, slots=True)
class NatsBenchReader:
    """Reads the whole archive, or the folder with `meta.pickle.pbz2` and a file an architecture.

    Source: the released code of Dong et al., TPAMI 2021.
    """

    name: str = "natsbench"
    title: str = "NATS-Bench (topology)"
    takes: str = "NATS-tss-v1_0-3ffb9.pickle.pbz2 or the folder NATS-tss-v1_0-3ffb9-simple"

    def read(self, files: Sequence[Path]) -> tuple[Content, ...]:
        """Read one archive or folder.

        Raises: InputError when it is neither.
        """
        if len(files) != 1:
            raise InputError(f"{self.title} is one file or folder: {self.takes}")
        path = files[0]
        meta = _load(path / f"meta{SUFFIX}" if path.is_dir() else path)
        if not isinstance(meta, dict) or "meta_archs" not in meta:
            raise InputError(f"{path} is not {self.title}: it has no meta_archs")
        archs = list(meta["meta_archs"])
        if not archs or not str(archs[0]).startswith("|"):
            raise InputError(f"{path} is the size space of NATS-Bench; only topology is read")
        entries = _folder(path) if path.is_dir() else iter(meta["arch2infos"].items())
        rows = {int(index): _row(schedules) for index, schedules in entries}
        if not rows:
            raise InputError(f"{path} holds no results")
        return (content(archs, rows),)


def _row(schedules: Mapping[str, Any]) -> dict[str, Value]:
    return {
        name: value
        for epochs, results in schedules.items()
        for name, value in values(results, str(epochs)).items()
    }


def _folder(path: Path) -> Iterator[tuple[int, Any]]:
    for file in sorted(path.glob(f"*{SUFFIX}")):
        index = file.name.removesuffix(SUFFIX)
        if index.isdecimal():
            yield int(index), _load(file)


def _load(path: Path) -> Any:
    try:
        with bz2.open(path, "rb") as file:
            return unpickle(file, str(path))
    except (OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


PLUGIN = NatsBenchReader()
