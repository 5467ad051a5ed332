"""An ONNX graph optimised before a runtime or a converter gets it; run in a worker."""

from __future__ import annotations

from pathlib import Path

from exporters import metadata
from exporters.quiet import quiet
from profiler.core.errors import InputError, ModelError
from profiler.core.outcome import FailureKind
from profiler.core.target import OPTIMIZE, Target

NONE = "none"
SLIM = "onnxslim"
_ORT = ("ort-basic", "ort-extended")
LEVELS = (NONE, SLIM, *_ORT)
"""Those whose files run on other machines too."""

# ONNX Runtime's level `all` writes layouts of the processor that it ran on.
_UNPORTABLE = "ort-all"


def level_of(target: Target) -> str:
    """How a target's model is optimised before its runtime gets it.

    Raises: InputError for a word that is none.
    """
    return known_level(dict(target.options).get(OPTIMIZE, NONE))


def known_level(level: str) -> str:
    """The level itself.

    Raises: InputError for a word that is none, and for what would fit one machine only.
    """
    if level == _UNPORTABLE:
        raise InputError(
            f"{_UNPORTABLE} writes layouts of this machine's processor into the file; take "
            f"{_ORT[-1]}: onnxruntime does the rest when it loads the model"
        )
    if level not in LEVELS:
        raise InputError(f"unknown optimization {level!r}; there are: {', '.join(LEVELS)}")
    return level


def packages(level: str) -> tuple[str, ...]:
    """Distributions that optimise, one of each group; their versions make the file."""
    return ("onnxslim",) if level == SLIM else ("onnxruntime-gpu", "onnxruntime")


def optimise(source: Path, destination: Path, level: str) -> tuple[int, int]:
    """Write an optimised copy with the source's metadata; return its nodes before and after.

    Raises: ModelError when the optimiser gives it up.
    """
    import onnx

    with quiet():
        before = onnx.load(source)
        try:
            if level == SLIM:
                import onnxslim

                onnx.save(onnxslim.slim(onnx.load(source)), destination)
            else:
                _by_onnxruntime(source, destination, level)
        except Exception as error:  # whatever a library raises
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(FailureKind.UNSUPPORTED, f"{level} gives it up: {lines[0]}") from error
        after = onnx.load(destination)
    facts = {entry.key: entry.value for entry in before.metadata_props}
    missing = facts.keys() - {entry.key for entry in after.metadata_props}
    added = {key: facts[key] for key in missing} | {metadata.OPTIMIZED: level}
    metadata.append(destination, added)
    return len(before.graph.node), len(after.graph.node)


def _by_onnxruntime(source: Path, destination: Path, level: str) -> None:
    import onnxruntime as ort

    levels = {
        "ort-basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "ort-extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    }
    options = ort.SessionOptions()
    options.graph_optimization_level = levels[level]
    options.optimized_model_filepath = str(destination)
    options.log_severity_level = 3
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
