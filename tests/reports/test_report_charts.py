"""Charts: shapes tell kinds apart, labels stand free, scales fit."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.core.choice import Constraint
from profiler.store.records import Calibration
from reports.charts.accuracy import accuracy_chart
from reports.charts.labels import label_points
from reports.charts.macs import macs_chart, rank_correlation
from reports.charts.operators import operator_chart
from reports.charts.roofline import roofline_chart
from reports.charts.scales import scale_axis
from reports.charts.spread import spread_chart
from reports.charts.svg import drawing, pixels
from reports.gather import Material
from reports.search_view import SearchView, Standing

SVG = "{http://www.w3.org/2000/svg}"


def titles(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [one.text or "" for one in root.iter(f"{SVG}title")]


def texts(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def view(material: Material) -> SearchView:
    assert material.search is not None
    return material.search


def test_every_network_of_a_search_is_drawn_once(view: SearchView) -> None:
    svg = accuracy_chart(view)
    assert svg is not None
    drawn = sorted(int(title[1:].partition(":")[0]) for title in titles(svg))
    measured = [p.number for p in view.points if p.standing is not Standing.FAILED]
    assert drawn == sorted(measured)


def test_the_pareto_set_and_the_limit_are_named(view: SearchView) -> None:
    svg = accuracy_chart(view)
    assert svg is not None
    words = texts(svg)
    assert "limit 2.000 ms" in words
    assert {f"#{front.point.number}" for front in view.front} <= set(words)
    assert "latency on onnxruntime-cpu (ms)" in words


def test_colours_are_the_pages_and_none_is_fixed(view: SearchView) -> None:
    svg = accuracy_chart(view)
    assert svg is not None
    assert "var(--front)" in svg
    assert "var(--limit)" in svg
    assert re.findall(r"#[0-9a-f]{6}\b", svg) == []


def test_other_limits_choose_the_axis(view: SearchView) -> None:
    limits = (Constraint("params", None, 5e5), Constraint("macs", None, 6e7))
    svg = accuracy_chart(replace(view, record=replace(view.record, constraints=limits)))
    assert svg is not None
    assert "parameters (million)" in texts(svg)
    svg = accuracy_chart(replace(view, record=replace(view.record, constraints=())))
    assert svg is not None
    assert "MACs of one inference (million)" in texts(svg)


def test_without_accuracies_there_is_no_picture(view: SearchView) -> None:
    points = tuple(replace(point, accuracy=None) for point in view.points)
    assert accuracy_chart(replace(view, points=points)) is None


def test_the_other_charts_hold_their_rows(material: Material) -> None:
    rows = [subject.row for subject in material.shown]
    svg = macs_chart(rows)
    assert svg is not None
    assert len(titles(svg)) == len(rows)
    assert "onnxruntime-cpu/fp32/2t" in texts(svg)
    spread = spread_chart(material.shown[:5])
    assert spread is not None
    assert len([text for text in texts(spread) if text.endswith(" ms")]) == 5
    cost = material.shown[0].cost
    assert cost is not None
    operators = operator_chart("o", cost)
    assert operators is not None
    assert {"Conv", "Gemm", "93.0%"} <= set(texts(operators))


def test_charts_of_nothing_are_left_out(material: Material) -> None:
    assert macs_chart([]) is None
    assert spread_chart([]) is None
    cost = material.shown[0].cost
    assert cost is not None
    assert operator_chart("o", replace(cost, by_op=())) is None
    zero = replace(cost.by_op[0], macs=0, bytes_read=0, bytes_written=0)
    assert operator_chart("o", replace(cost, macs=0, bytes_read=0, by_op=(zero,))) is not None


def test_rank_correlation(material: Material) -> None:
    rows = [replace(material.shown[0].row, model_sha256=str(n), macs=n) for n in range(1, 9)]
    rising = [replace(row, median_ns=float(row.macs or 0) ** 3) for row in rows]
    falling = [replace(row, median_ns=1.0 / (row.macs or 1)) for row in rows]
    assert rank_correlation(rising) == pytest.approx(1)
    assert rank_correlation(falling) == pytest.approx(-1)
    assert rank_correlation(rising[:4]) is None
    assert rank_correlation([replace(row, median_ns=5.0) for row in rows]) is None
    ties = [replace(row, median_ns=float((row.macs or 0) // 2 + 1)) for row in rows]
    # Ranks 1, 2.5, 2.5, 4.5, 4.5, 6.5, 6.5, 8 against 1..8: by hand.
    assert rank_correlation(ties) == pytest.approx(0.98198, abs=1e-4)


SPOTS = st.lists(
    st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.sampled_from(["#1", "#234"])),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(SPOTS)
def test_labels_never_cover_each_other(items: list[tuple[float, float, str]]) -> None:
    with drawing(6, 4) as figure:
        axes = figure.subplots()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        placed = label_points(axes, items)
        boxes = [text.get_window_extent(pixels(figure)) for text in axes.texts]
        assert len(boxes) == placed
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
        if items:
            assert placed >= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=5))
def test_every_value_is_inside_its_axis(values: list[float]) -> None:
    with drawing(4, 3) as figure:
        axes = figure.subplots()
        scale_axis(axes, "x", values)
        low, high = axes.get_xlim()
        assert low <= min(values)
        assert max(values) <= high
        assert math.isfinite(high)


def test_few_networks_far_below_the_others_are_drawn_with_their_texts(view: SearchView) -> None:
    # matplotlib draws a handful of hollow markers as paths of their own, without `use`.
    inside = [p for p in view.points if p.accuracy is not None]
    low = {p.number for p in inside[:3]}
    points = tuple(replace(p, accuracy=0.1) if p.number in low else p for p in view.points)
    drawn = accuracy_chart(replace(view, points=points))
    assert drawn is not None
    assert sum(f">#{number}: 10" in drawn for number in low) == 3


def test_measurements_lie_under_the_measured_roof(material: Material) -> None:
    rows = [subject for subject in material.shown if subject.cost is not None]
    key = rows[0].row.environment_key
    roof = Calibration(key, 1, {"float32": 1e14, "int8": None}, 1e13, {})
    svg = roofline_chart(rows, {(key, 1): roof})
    assert svg is not None
    drawn = [title for title in titles(svg) if "of the roof" in title]
    same = [s for s in rows if s.row.threads == 1 and s.row.environment_key == key]
    assert 0 < len(drawn) <= len(same)
    assert "mathdefault" not in svg
    assert roofline_chart(rows, {}) is None
