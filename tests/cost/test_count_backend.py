"""Every single-operator model of the onnx wheel; the shapes of its real outputs are the truth."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from exporters.model_file import read_structure
from profiler.cost.steps import Step
from profiler.cost.values import UNKNOWN, Type
from profiler.cost.walk import Walker

# What depends on the values of the data, which a static count does not look at.
DATA_DEPENDENT = {
    "NonMaxSuppression", "Unique", "StringSplit", "StringNormalizer", "SequenceMap", "Loop",
}  # fmt: skip
NOT_COUNTED = {"ImageDecoder"}
FOREIGN = ("ai.onnx.ml", "ai.onnx.preview.training")
# Opset 8 had another Scan, and NumPy has no bfloat16 to count the elements of a range with.
KNOWN_GAPS = {"test_scan_sum", "test_range_bfloat16"}


def cases() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        yield from collect_testcases(None)


def frozen(case: Any) -> onnx.ModelProto:
    """The case's model with its inputs as constants and without the shapes of its outputs."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    for info, value in zip(list(model.graph.input), case.data_sets[0][0], strict=False):
        if info.type.HasField("tensor_type"):
            tensor = value
            if not isinstance(value, onnx.TensorProto):
                tensor = numpy_helper.from_array(np.asarray(value))
            model.graph.initializer.add().CopyFrom(tensor)
            model.graph.initializer[-1].name = info.name
    for info in model.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    return model


def shape_of(value: Any) -> tuple[int, ...]:
    return tuple(value.dims) if isinstance(value, onnx.TensorProto) else np.shape(value)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[Step], list[str]]]:
    """Of each case its name, its nodes, and what is wrong with the shapes of its outputs."""
    path = tmp_path_factory.mktemp("cases") / "m.onnx"
    found = []
    for case in cases():
        if case.model is None or not case.data_sets:
            continue
        path.write_bytes(frozen(case).SerializeToString())
        result = Walker(read_structure(path), {}).model()
        wrong = []
        for got, real in zip(result.outputs, case.data_sets[0][1], strict=False):
            if not isinstance(got, Type) or real is None or isinstance(real, list):
                continue
            if got.shape != shape_of(real):
                wrong.append(f"{got.shape} for {shape_of(real)}")
        found.append((case.name, result.steps, wrong))
    return found


def accepted(name: str, steps: list[Step]) -> bool:
    return any(name.startswith(gap) for gap in KNOWN_GAPS) or any(
        step.node.op_type in DATA_DEPENDENT | NOT_COUNTED or step.node.domain in FOREIGN
        for step in steps
    )


def test_there_are_cases(walked: list[tuple[str, list[Step], list[str]]]) -> None:
    assert len(walked) > 1500


def test_shapes_are_those_of_the_real_outputs(
    walked: list[tuple[str, list[Step], list[str]]],
) -> None:
    wrong = [
        (name, faults) for name, steps, faults in walked if faults and not accepted(name, steps)
    ]
    assert wrong == []


def test_what_is_known_of_data_dependent_shapes_is_right(
    walked: list[tuple[str, list[Step], list[str]]],
) -> None:
    for name, steps, _ in walked:
        for step in steps:
            for value in step.outputs:
                if isinstance(value, Type) and value.shape is not None:
                    assert all(dim is UNKNOWN or dim >= 0 for dim in value.shape), name


def test_every_operator_is_counted_or_named(
    walked: list[tuple[str, list[Step], list[str]]],
) -> None:
    uncounted = {step.operator for _, steps, _ in walked for step in steps if not step.counted}
    assert all(name in NOT_COUNTED or name.startswith(FOREIGN) for name in uncounted)
    unknown = {
        name
        for name, steps, _ in walked
        if any(step.counted and step.result is None for step in steps) and not accepted(name, steps)
    }
    assert unknown == set()


def test_operators_of_the_newest_opset_have_a_rule() -> None:
    from profiler.cost.control import CONTROL
    from profiler.cost.table import TABLE

    names = {
        schema.name
        for schema in onnx.defs.get_all_schemas()
        if schema.domain == "" and not schema.deprecated
    }
    assert names - {name for domain, name in (*TABLE, *CONTROL) if domain == ""} == NOT_COUNTED
