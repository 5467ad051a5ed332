"""Static cost of whatever a person names: an ONNX file by its graph, a network without export.

Counting reads the structure of a file and no weights, and runs no library's code on the file, so it
is done in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nasprof import exporting
from profiler.core.cost import GraphCost
from profiler.core.errors import InputError
from profiler.cost.count import count_file
from profiler.cost.explain import Difference, explain, explain_steps
from profiler.cost.polynomial import Polynomial, polynomial

if TYPE_CHECKING:
    from exporters.meta_trace import Trace


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be counted and at which sizes; `batch` is the size of a symbolic first axis."""

    reference: exporting.Reference
    batch: int | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None


def count(question: Question, convention: str = "nasprof") -> GraphCost:
    """Count a model.

    An ONNX file is counted from its graph; any other subject or a torch module from a run on the
    meta device of torch, without weights and without export, by the same rules.
    Raises: InputError or ModelError naming what is wrong.
    """
    path = _file(question)
    if path is None:
        return _count_module(question, convention)
    return count_file(path, _dims(path, question), convention)


def count_used(question: Question) -> GraphCost:
    """Count a network as its export will be, without exporting it: unused operators are left out.

    It is built without weights too, unless its code looks at their values.
    Raises: InputError for a network that cannot run without data.
    """
    import torch

    from profiler.cost.traced import count_trace

    try:
        with torch.device("meta"):
            trace = _trace(question)
    except (NotImplementedError, RuntimeError, InputError):
        trace = _trace(question)
    return count_trace(trace.used())


def differences(question: Question, convention: str) -> tuple[Difference, ...]:
    """How another convention's figure for a model comes about, by operator type.

    A network is taken as its modules run, as `count` does: an export has folded its normalisation
    away, which most tools count.
    Raises: as `count`.
    """
    path = _file(question)
    if path is not None:
        return explain(path, convention, _dims(path, question))
    from profiler.cost.choose import convention as rules
    from profiler.cost.traced import steps_of

    return explain_steps(steps_of(_trace(question)), rules(convention))


def polynomials(question: Question) -> dict[str, Polynomial | None]:
    """MACs, FLOPs and activation peak as polynomials of the symbols without a size.

    Raises: as `count`; InputError for a network, whose sizes are all known.
    """
    path = _file(question)
    if path is None:
        raise InputError(
            f"{question.reference} has no symbolic dimensions; export it with --dynamic-batch"
        )
    return polynomial(path, question.dims)


def name(reference: exporting.Reference) -> str:
    """What a table calls it."""
    return reference if isinstance(reference, str) else str(getattr(reference, "name", reference))


def _file(question: Question) -> Path | None:
    reference = question.reference
    if isinstance(reference, str | Path) and str(reference).endswith(".onnx"):
        return Path(reference)
    return None


def _dims(path: Path, question: Question) -> dict[str, int]:
    """Sizes by symbol: those given, and the batch for symbolic first axes of the inputs."""
    if question.batch is None:
        return dict(question.dims)
    from exporters.model_file import open_model

    first = (spec.shape[0] for spec in open_model(path, need_weights=False).inputs if spec.shape)
    batches = {symbol: question.batch for symbol in first if isinstance(symbol, str)}
    if not batches:
        raise InputError(f"{path} has no symbolic batch axis; leave out --batch {question.batch}")
    return {**batches, **question.dims}


def _count_module(question: Question, convention: str) -> GraphCost:
    from profiler.cost.traced import count_trace

    return count_trace(_trace(question), convention)


def _trace(question: Question) -> Trace:
    import torch

    from exporters.meta_trace import trace_module

    subject = exporting.resolve(question.reference, question.input_shape)
    feeds = []
    for spec in subject.inputs:
        shape = [question.batch or 1, *(size for size in (spec.shape or ())[1:])]
        feeds.append(torch.empty(shape, dtype=getattr(torch, spec.dtype), device="meta"))
    return trace_module(subject.build(0), feeds)
