"""Find the node of a graph where a target's values begin to differ from the reference's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from exporters.formats.onnx import NODES
from exporters.intermediates import Step, show, steps
from profiler import parity
from profiler.core.outcome import OutputError
from profiler.core.plain import from_plain, to_plain
from profiler.core.plugins import load
from profiler.core.target import Target
from profiler.core.tensor import TensorSpec
from profiler.runtimes._runtime import Array, Runtime
from profiler.worker.feeds import make_feeds

_REFERENCE = Target("onnxruntime-cpu", options=(("optimization", "none"),))


def run(arguments: dict[str, Any], send: Any) -> dict[str, Any]:
    """Arguments: reference and model (paths of ONNX files), target, inputs, seed.

    The result holds `node`, `name`, `value` and `error`; it is empty where the outputs agree after
    all, or no value inside has a name in both graphs.
    """
    target: Target = from_plain(Target, arguments["target"])
    feeds = make_feeds(from_plain(tuple[TensorSpec, ...], arguments["inputs"]), arguments["seed"])
    folder = Path(tempfile.mkdtemp())
    if (nodes := Path(arguments["model"]).with_name(NODES)).exists():
        shutil.copy(nodes, folder)  # what a runtime reads back lies beside the model
    original, model = onnx.load(arguments["reference"]), onnx.load(arguments["model"])
    order = _common(steps(original), model)
    send({"stage": "imported"})
    values = [name for step in order for name in step.makes]
    wanted = _values(original, _REFERENCE, values, feeds, folder)
    search = _Search(model, target, feeds, folder, wanted)
    found = search.first(order)
    if found is None:
        return {}
    step, name, error = found
    return {"node": step.kind, "name": step.name, "value": name, "error": to_plain(error)}


def _common(order: Sequence[Step], model: onnx.ModelProto) -> list[Step]:
    there = {name for node in model.graph.node for name in node.output}
    return [step for step in order if set(step.makes) <= there]


def _values(
    model: onnx.ModelProto,
    target: Target,
    names: Sequence[str],
    feeds: Mapping[str, Array],
    folder: Path,
) -> dict[str, Array]:
    path = folder / "shown.onnx"
    show(model, names, path)
    runtime: Runtime = load("profiler.runtimes", target.runtime)
    session = runtime.load(path, target)
    session.bind(feeds)()
    return session.outputs()


class _Search:
    """Bisection over the nodes, one value shown a run: showing all would undo every fusion."""

    def __init__(
        self,
        model: onnx.ModelProto,
        target: Target,
        feeds: Mapping[str, Array],
        folder: Path,
        wanted: Mapping[str, Array],
    ) -> None:
        self._model, self._target, self._feeds, self._folder = model, target, feeds, folder
        self._wanted = wanted
        self._known: dict[str, OutputError] = {}

    def first(self, order: Sequence[Step]) -> tuple[Step, str, OutputError] | None:
        """A node that differs though all its inputs agree, and the value that shows it."""
        low, high = -1, len(order) - 1
        if high < 0 or self._bad(order[high]) is None:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._bad(order[middle]) is None else (low, middle)
        return self._source(order[high], {name: s for s in order for name in s.makes})

    def _source(
        self, step: Step, makers: Mapping[str, Step]
    ) -> tuple[Step, str, OutputError] | None:
        """Where several branches meet, the difference may come from one that ran earlier."""
        for name in step.takes:
            if name in makers and self._bad(makers[name]) is not None:
                return self._source(makers[name], makers)
        value = self._bad(step)
        return None if value is None else (step, value, self._known[value])

    def _bad(self, step: Step) -> str | None:
        for name in step.makes:
            if name not in self._known:
                self._known[name] = self._error(name)
            if not parity.acceptable(self._known[name], self._target.precision):
                return name
        return None

    def _error(self, name: str) -> OutputError:
        want = np.asarray(self._wanted[name])
        if want.dtype.kind != "f":
            return parity.worst(())  # indices and shapes follow from values that are compared
        got = _values(self._model, self._target, [name], self._feeds, self._folder)[name]
        return parity.compare({name: want}, {name: np.asarray(got).astype(want.dtype)})
