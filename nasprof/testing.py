"""What every runtime must keep, to be called by the tests of a runtime of your own.

`check_runtime("my-runtime")` in a test is enough: a network is exported, converted where the
runtime needs that, measured in workers, and compared. Nothing here needs pytest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exporters.formats._format import FORMATS, TORCH_PROGRAM
from exporters.model_file import ModelFile, open_model
from nasprof.exporting import export, resolve
from nasprof.measuring import Sizes, converted
from nasprof.subjects._subject import Subject
from profiler.bench.attempt import Setting, Work, attempt
from profiler.bench.devices import format_of, probe
from profiler.bench.reference import reference_outputs
from profiler.bench.shapes import bind_inputs
from profiler.core import plugins
from profiler.core.outcome import Attempt, Failure, FailureKind
from profiler.core.target import BenchPlan, Target

PLAN = BenchPlan(
    processes=2, max_processes=4, rounds=2, round_s=0.02, min_samples=5, warmup_s=0.02,
    deadline_s=60.0,
)  # fmt: skip
"""The shortest plan that shows what is checked."""

_BATCH = 2
_RELATIVE_ERROR = 1e-4


def check_runtime(runtime: str, threads: Sequence[int] = (1, 2)) -> None:
    """Check all that follows at the thread counts that the runtime has.

    Raises: AssertionError that says what the runtime does not keep.
    """
    found = probe(runtime)
    _must(found.available, f"{runtime} is not available: {found.reason}; {found.remedy}")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for count in threads:
            check_measures(runtime, folder, count)
        check_refuses(runtime, folder)
        check_names_the_operator(runtime, folder)


def check_measures(runtime: str, folder: Path, threads: int = 1) -> None:
    """It gives numbers, the right outputs, and says where and with how many threads it ran."""
    found = _run(*_network(runtime, folder), folder, Target(runtime, threads=threads))
    if not isinstance(found, Attempt):
        raise AssertionError(f"{runtime}, {threads} threads: {found.kind}: {found.message}")
    error = found.output_error
    _must(error is not None, "its outputs are not compared: outputs() must have the model's names")
    assert error is not None
    _must(
        error.relative < _RELATIVE_ERROR, f"outputs differ by {error.relative:.2g} of their scale"
    )
    _must(bool(found.placement), "placement says nothing")
    read = {value for name, value in found.effective if "thread" in name}
    _must(str(threads) in read, f"asked for {threads} threads, effective says {sorted(read)}")
    _must(all(len(block.wall_ns) >= PLAN.min_samples for block in found.rounds), "too few samples")
    _must(0 < found.base_rss_bytes <= found.peak_rss_bytes, "memory shrinks by loading a model")


def check_refuses(runtime: str, folder: Path) -> None:
    """An option or a precision that it does not know is a failure, not something else that ran."""
    model, subject = _network(runtime, folder)
    for target in (
        Target(runtime, precision="fp3"),
        Target(runtime, options=(("colour", "red"),)),
    ):
        found = _run(model, subject, folder, target)
        _must(isinstance(found, Failure), f"it accepts {target.key}")


def check_names_the_operator(runtime: str, folder: Path) -> None:
    """A model that it cannot run is `unsupported`, with the operator's name.

    What takes networks only says that instead.
    """
    found = _run(_strange(folder / "strange.onnx"), None, folder, Target(runtime))
    if not isinstance(found, Failure):
        raise AssertionError("it runs an operator that nobody has")
    _must(found.kind is FailureKind.UNSUPPORTED, f"{found.kind} instead of unsupported")
    wanted = "torch networks" if _takes_networks(runtime) else "FooBar"
    _must(wanted in found.message, f"{wanted!r} is not in the reason: {found.message}")


def _must(kept: bool, otherwise: str) -> None:
    if not kept:
        raise AssertionError(otherwise)


def _run(
    model: ModelFile, subject: Subject | None, folder: Path, target: Target
) -> Attempt | Failure:
    inputs = bind_inputs(model.inputs, {}, None)
    reference = reference_outputs(model, inputs, 0, folder, PLAN.deadline_s)
    first = inputs[0].shape[0] if inputs[0].shape else 1
    sizes = Sizes(first if isinstance(first, int) else 1)
    work = converted(Work(model, "net", target, inputs, reference), subject, sizes, 0)
    return attempt(work, Setting(PLAN, "environment", "session"))


def _network(runtime: str, folder: Path) -> tuple[ModelFile, Subject]:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: Any = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    subject = resolve(layers, (3, 16, 16))
    path = folder / "net.onnx"
    return open_model(export(subject, path, batch=_largest(runtime)).path), subject


def _largest(runtime: str) -> int:
    name = format_of(runtime)
    if name not in plugins.names(FORMATS):
        return _BATCH
    largest: int | None = plugins.load(FORMATS, name).largest_batch
    return min(_BATCH, largest or _BATCH)


def _takes_networks(runtime: str) -> bool:
    name = format_of(runtime)
    return name == TORCH_PROGRAM or plugins.load(FORMATS, name).source == TORCH_PROGRAM


def _strange(path: Path) -> ModelFile:
    """A model with an operator that nobody has."""
    import onnx
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
    node = helper.make_node("FooBar", ["x"], ["y"], domain="my.domain")
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.domain", 1)]
    graph = helper.make_graph([node], "strange", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return open_model(path)
