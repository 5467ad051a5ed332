from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.core.errors import InputError
from profiler.core.outcome import OutputError
from profiler.parity import (
    MISMATCH,
    TOLERANCES,
    VARIANTS,
    acceptable,
    compare,
    doubts,
    refused,
    worst,
)

SCORES = np.array([[1.0, 3.0, -4.0], [0.5, 0.25, 2.0]], np.float32)


def test_equal_outputs_have_no_error() -> None:
    assert compare({"y": SCORES}, {"y": SCORES.copy()}) == OutputError(0.0, 0.0, 1.0, 1.0)


def test_error_is_relative_to_the_largest_reference_value() -> None:
    error = compare({"y": SCORES}, {"y": SCORES + np.float32(0.5)})
    assert error.max_abs == pytest.approx(0.5)
    assert error.relative == pytest.approx(0.5 / 4)
    assert error.cosine is not None
    assert error.cosine < 0.995


def test_top1_counts_rows_with_the_same_best_column() -> None:
    other = SCORES.copy()
    other[0] = other[0][[1, 0, 2]]
    assert compare({"y": SCORES}, {"y": other}).top1 == 0.5


def test_top1_is_unknown_for_other_ranks() -> None:
    maps = np.ones((2, 3, 4, 4), np.float32)
    assert compare({"y": maps}, {"y": maps}).top1 is None


@pytest.mark.parametrize(
    "other",
    [
        SCORES[:1],
        SCORES.reshape(3, 2),
        SCORES.astype(np.float64),
        np.where(SCORES == 3, np.nan, SCORES).astype(np.float32),
        np.where(SCORES == 3, np.inf, SCORES).astype(np.float32),
    ],
)
def test_what_cannot_be_compared_is_an_infinite_error(other: np.ndarray) -> None:
    assert compare({"y": SCORES}, {"y": other}) == MISMATCH
    assert not acceptable(compare({"y": SCORES}, {"y": other}), "int8")


@pytest.mark.parametrize("outputs", [{}, {"z": SCORES}, {"y": SCORES, "z": SCORES}])
def test_other_names_are_an_infinite_error(outputs: dict[str, np.ndarray]) -> None:
    assert compare({"y": SCORES}, outputs) == MISMATCH


def test_nan_and_infinity_at_the_same_places_are_equal() -> None:
    strange = np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)
    assert compare({"y": strange}, {"y": strange.copy()}).max_abs == 0
    swapped = strange[[0, 2, 1, 3]]
    assert compare({"y": strange}, {"y": swapped}) == MISMATCH
    healed = np.array([1.0, np.inf, -np.inf, 1.0], np.float32)
    assert compare({"y": strange}, {"y": healed}) == MISMATCH


def test_reference_of_zeros_takes_no_error_at_all() -> None:
    zeros = np.zeros((2, 3), np.float32)
    assert compare({"y": zeros}, {"y": zeros}).relative == 0
    assert compare({"y": zeros}, {"y": zeros + np.float32(1e-9)}).relative == float("inf")


def test_integers_booleans_and_text() -> None:
    labels = np.array([1, 2**62], np.int64)
    assert compare({"y": labels}, {"y": labels}).max_abs == 0
    assert compare({"y": labels}, {"y": labels - np.array([1, 0])}).max_abs == 1
    flags = np.array([True, False])
    assert compare({"y": flags}, {"y": ~flags}).max_abs == 1
    words = np.array(["a", "b"], object)
    assert compare({"y": words}, {"y": words[::-1]}) == MISMATCH
    assert compare({"y": words}, {"y": words}).max_abs == 0


def test_empty_outputs_match() -> None:
    empty = np.zeros((0, 3), np.float32)
    assert compare({"y": empty}, {"y": empty}).relative == 0


def test_the_worst_output_counts() -> None:
    error = compare({"a": SCORES, "b": SCORES}, {"a": SCORES, "b": SCORES * np.float32(1.5)})
    assert error.relative == pytest.approx(0.5)
    assert worst([]) == OutputError(0.0, 0.0, None, None)


@pytest.mark.parametrize(
    ("relative", "cosine", "passing"),
    [
        (1e-6, 1.0, {"fp32", "tf32", "fp16", "bf16", "int8"}),
        (2e-4, 1.0, {"fp32", "tf32", "fp16", "bf16", "int8"}),
        (8e-3, 0.99995, {"tf32", "fp16", "bf16", "int8"}),
        (2e-2, 0.9996, {"bf16", "int8"}),
        (9e-2, 0.996, {"int8"}),
        (5e-1, 0.894, set()),
    ],
)
def test_tolerances_tell_observed_good_runs_from_broken_ones(
    relative: float, cosine: float, passing: set[str]
) -> None:
    error = OutputError(relative, relative, cosine, None)
    assert {p for p in TOLERANCES if acceptable(error, p)} == passing


@pytest.mark.parametrize(
    ("precision", "error", "said"),
    [
        ("fp16", OutputError(0.1, 9e-3, 0.9999, 1.0), ()),
        ("fp16", OutputError(0.1, 1.1e-2, 0.9999, 1.0), ("inexact: error 1.1e-02",)),
        (
            "int8",
            OutputError(5.0, 5e-1, 0.894, 0.0),
            ("broken: cosine 0.8940", "top-1 agreement 0%"),
        ),
        ("int8", OutputError(1.0, 1.0, None, None), ("broken: error 1.0e+00",)),
        ("bf16", OutputError(0.1, 1e-2, 0.9999, 2 / 3), ("top-1 agreement 67%",)),
        ("fp32", OutputError(0.1, 1e-4, 0.9999, 0.5), ()),
    ],
)
def test_a_variant_is_kept_and_what_is_wrong_with_it_told(
    precision: str, error: OutputError, said: tuple[str, ...]
) -> None:
    assert doubts(error, precision) == said
    assert not refused(error, precision)


def test_outputs_that_are_not_the_models_are_refused_at_every_precision() -> None:
    for precision in TOLERANCES:
        assert refused(MISMATCH, precision)
        wrong = OutputError(1.0, 0.9, 0.1, 0.0)
        assert refused(wrong, precision) == (precision not in VARIANTS)


def test_unknown_precision_is_named() -> None:
    with pytest.raises(InputError, match="fp7"):
        acceptable(MISMATCH, "fp7")


@given(st.lists(st.floats(width=32), min_size=1, max_size=8), st.integers(0, 7))
def test_any_output_equals_itself_and_no_nan_goes_unseen(values: list[float], place: int) -> None:
    y = np.array(values, np.float32)
    assert compare({"y": y}, {"y": y.copy()}).relative == 0
    other = y.copy()
    other[place % len(y)] = np.nan
    if not np.isnan(y[place % len(y)]):
        assert compare({"y": y}, {"y": other}) == MISMATCH
