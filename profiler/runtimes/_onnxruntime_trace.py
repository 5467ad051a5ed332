"""ONNX Runtime's profiler: its trace joined with the graph that it really ran."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exporters.model_file import read_structure
from exporters.onnx_types import Graph, bodies
from profiler.core.errors import ModelError
from profiler.core.kernels import Kernel, KernelTimes
from profiler.core.outcome import FailureKind
from profiler.core.target import Target
from profiler.runtimes._onnxruntime import load

_SUFFIX = "_kernel_time"
_END_OF_RUN = "model_run"  # bodies of loops end with events of their own
_UNNAMED = re.compile(r"_\d+$")
_NS_PER_US = 1000

Event = Mapping[str, Any]
Key = tuple[str, str]


class OrtRecorder:
    """A session with the profiler on, and the graph after ONNX Runtime's optimisation."""

    resolution_ns = _NS_PER_US

    def __init__(
        self, model: Path, target: Target, provider: str, device: str, folder: Path
    ) -> None:
        graph = folder / "optimised.onnx"

        def record(options: Any) -> None:
            options.enable_profiling = True
            options.profile_file_prefix = str(folder / "trace")
            options.optimized_model_filepath = str(graph)
            # Weights beside the graph: one file over 2 GiB could not be written.
            options.add_session_config_entry(
                "session.optimized_model_external_initializers_file_name", "optimised.weights"
            )

        self.session = load(model, target, provider, device, record)
        self._kernels = list(_kernels(read_structure(graph).graph))
        for file in folder.glob("optimised*"):
            file.unlink()

    @property
    def nodes(self) -> int:
        """Nodes of the optimised graph, those of bodies counted once."""
        return len(self._kernels)

    def stop(self, kept: Sequence[int]) -> tuple[KernelTimes, ...]:
        """End recording and return the kernels of these inferences.

        Raises: ModelError when the trace lacks some of them.
        """
        path = self.session.end_profiling()
        runs = split_runs(json.loads(path.read_text()))
        path.unlink()
        if max(kept) >= len(runs):
            raise ModelError(
                FailureKind.UNSUPPORTED,
                f"ONNX Runtime's profiler recorded {len(runs)} of {max(kept) + 1} inferences; "
                "a loop of the model runs too many nodes for it",
            )
        return join([runs[number] for number in kept], self._kernels)


def split_runs(trace: Iterable[Event]) -> list[list[Event]]:
    """The node events of each inference that was finished, in the order in which they ended."""
    runs: list[list[Event]] = []
    current: list[Event] = []
    for event in trace:
        if event["cat"] == "Node" and event["name"].endswith(_SUFFIX):
            current.append(event)
        elif event["name"] == _END_OF_RUN:
            runs.append(current)
            current = []
    return runs


def join(runs: Sequence[Sequence[Event]], kernels: Sequence[Kernel]) -> tuple[KernelTimes, ...]:
    """Times by kernel, each without what ran inside it; a kernel is found by its name.

    Unnamed nodes are found by operator type in the order of execution.
    """
    times: dict[Key, list[int]] = {}
    calls: dict[Key, int] = defaultdict(int)
    inner: dict[Key, int] = defaultdict(int)
    types: dict[Key, str] = {}
    for number, run in enumerate(runs):
        for event, own_us, inside in _own_times(run):
            key = (event["name"], str(event["args"].get("node_index", "")))
            types[key] = event["args"]["op_name"]
            times.setdefault(key, [0] * len(runs))[number] += own_us * _NS_PER_US
            calls[key] += 1
            inner[key] += inside
    found = _named(types, kernels)
    count = len(runs)
    return tuple(
        KernelTimes(found[key], tuple(times[key]), calls[key] / count, inner[key] / count)
        for key in times
    )


def _own_times(run: Sequence[Event]) -> Iterator[tuple[Event, int, int]]:
    """Each event with its time less that of the events inside it, in us, and their number.

    Events are recorded when they end, so those inside another come right before it and began no
    earlier.
    """
    ended: list[Event] = []
    for event in run:
        inside = 0
        own_us = event["dur"]
        while ended and ended[-1]["ts"] >= event["ts"] and ended[-1]["dur"] <= own_us:
            # An event of no length at the same microsecond is as likely the one before.
            child = ended.pop()
            own_us -= child["dur"]
            inside += child["dur"] > 0
        ended.append(event)
        yield event, own_us, inside


def _kernels(graph: Graph) -> Iterator[Kernel]:
    for node in graph.nodes:
        yield Kernel(node.name, node.op_type, node.inputs, node.outputs)
        for body in bodies(node):
            yield from _kernels(body)


def _named(types: Mapping[Key, str], kernels: Sequence[Kernel]) -> dict[Key, Kernel]:
    """The kernel of each event; one that no node of the graph fits stands for itself."""
    waiting: dict[str, list[Kernel]] = defaultdict(list)
    for kernel in reversed(kernels):
        waiting[kernel.name or kernel.op_type].append(kernel)
    found = {}
    for key, op_type in types.items():
        name = key[0].removesuffix(_SUFFIX)
        fitting = waiting.get(name) or waiting.get(_UNNAMED.sub("", name))
        found[key] = fitting.pop() if fitting else Kernel(name, op_type)
    return found
