"""A model with its graph optimised in a worker, verified against the original, kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporters import artifact
from exporters.artifact import Artifact
from exporters.formats._format import EDGE_REMEDY
from exporters.model_file import open_model
from exporters.optimize import NONE, known_level, packages
from nasprof.converting import (
    Original,
    artifact_folder,
    code_identity,
    installed_version,
    onnx_source,
    verify,
)
from profiler.core.errors import ModelError
from profiler.core.outcome import OutputError
from profiler.core.plain import from_plain, to_plain
from profiler.core.target import OPTIMIZE, Target
from profiler.core.target_text import parse_target
from profiler.parity import worst
from profiler.worker.classify import result_of
from profiler.worker.convert import DEADLINE_S
from profiler.worker.launch import Job, launch

# Verified as it is: ONNX Runtime would optimise it again.
_AS_IT_IS = Target("onnxruntime-cpu", options=(("optimization", "none"),))


@dataclass(frozen=True, slots=True)
class Optimised:
    """An optimised model; `original` is it, to be converted further; one error a seed."""

    artifact: Artifact
    original: Original
    level: str
    nodes_before: int
    nodes_after: int
    parity: tuple[OutputError, ...]

    def to_json(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {
            "level": self.level, "nodes_before": self.nodes_before,
            "nodes_after": self.nodes_after, "sha256": self.original.model.sha256,
            "parity": to_plain(self.parity),
        }  # fmt: skip

    def line(self) -> str:
        """What a person wants to know."""
        agree = "outputs not compared, as the model itself does not run"
        if self.parity:
            error = worst(self.parity).relative
            agree = f"outputs agree on {len(self.parity)} seeds, largest error {error:.1e}"
        return f"graph by {self.level}: {self.nodes_before} nodes to {self.nodes_after}, {agree}"


def optimised(original: Original, level: str) -> Optimised:
    """The model at fixed sizes, optimised when the cache does not hold it.

    Outputs of whatever is made of it are still held against the original's.
    Raises: InputError for an unknown level, UnavailableError without its library, ModelError when
    it cannot be optimised or its outputs are not the original's.
    """
    source = onnx_source(original, known_level(level))
    found = installed_version(packages(level), level, EDGE_REMEDY)
    identity = [
        "optimize", level, original.model.sha256, found, to_plain(original.inputs), original.seed,
        code_identity(),
    ]  # fmt: skip
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def make(path: Path) -> dict[str, Any]:
        nodes = _in_worker(source, path, original, level)
        return {"parity": to_plain(verify(path, original, _AS_IT_IS)), "nodes": nodes}

    made = artifact.keep(artifact_folder(), key, "model.onnx", make)
    model = open_model(made.path)
    after = replace(original, model=model, subject=None, judge=original.judged_by)
    nodes = made.facts["nodes"]
    errors = from_plain(tuple[OutputError, ...], made.facts["parity"])
    return Optimised(made, after, level, nodes["before"], nodes["after"], errors)


def crossed(targets: Sequence[str], levels: Sequence[str]) -> list[str]:
    """Every target at every level of optimisation; one that names its own keeps it.

    Raises: InputError for an unknown level.
    """
    found = []
    for text in targets:
        written = parse_target(text)
        own = OPTIMIZE in dict(written.options)
        for level in map(known_level, levels):
            added = () if own or level == NONE else ((OPTIMIZE, level),)
            found.append(replace(written, options=tuple(sorted(written.options + added))).key)
    return list(dict.fromkeys(found))


def _in_worker(source: Path, path: Path, original: Original, level: str) -> dict[str, Any]:
    arguments = {
        "source": str(source.resolve()), "path": str(path.resolve()),
        "inputs": to_plain(original.inputs), "level": level,
    }  # fmt: skip
    found, problem = result_of(launch(Job("optimize", arguments, DEADLINE_S)))
    if found is None or problem is not None:
        assert problem is not None
        raise ModelError(problem.kind, f"its graph cannot be optimised: {problem.message}")
    return found
