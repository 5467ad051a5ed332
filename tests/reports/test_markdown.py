"""The Markdown table: one line an outcome, told once, and names are data."""

from __future__ import annotations

from dataclasses import replace

from report_values import ENVIRONMENT

from profiler.store.store import Store
from reports.gather import Material, gather
from reports.rows import Row
from reports.to_markdown import to_markdown


def lines(material: Material) -> list[str]:
    return [line for line in to_markdown(material).splitlines() if line.startswith("|")]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("\\|", "").strip("|").split("|")]


def with_rows(filled: Store, *rows: Row) -> Material:
    material = gather(filled)
    subjects = [replace(material.subjects[0], row=row) for row in rows]
    return replace(material, subjects=tuple(subjects))


def measured(filled: Store) -> Row:
    rows = gather(filled).rows
    return next(row for row in rows if row.measured and row.newest and row.trial is None)


def failed(row: Row, message: str) -> Row:
    return replace(row, status="failure", median_ns=None, failure="unsupported", message=message)


def test_every_newest_outcome_is_a_line_with_all_cells(filled: Store) -> None:
    material = gather(filled)
    head, rule, *rows = lines(material)
    newest = [row for row in material.rows if row.newest and row.trial is None]
    assert 0 < len(rows) <= len(newest)
    assert {len(cells(line)) for line in (head, rule, *rows)} == {15}
    assert f"CPU: {ENVIRONMENT.cpu_model}" in to_markdown(material)


def test_a_measurement_says_what_ran_and_with_which_settings(filled: Store) -> None:
    row = replace(measured(filled), precision="int8", options="quantization=dynamic")
    row = replace(row, ran_on="cpu int8 (9 nodes)", settings="threads=1", fp32_ratio=0.5)
    (line,) = lines(with_rows(filled, row))[2:]
    assert cells(line)[2] == "int8, quantization=dynamic"
    assert cells(line)[8] == "0.50"
    assert cells(line)[12:14] == ["cpu int8 (9 nodes)", "threads=1"]


def test_a_failure_names_its_reason_once_and_not_beside_a_measurement(filled: Store) -> None:
    good = measured(filled)
    bad = failed(replace(good, threads=7), "no operator Det")
    (line,) = lines(with_rows(filled, bad, bad))[2:]
    assert cells(line)[-1] == "unsupported: no operator Det"
    assert set(cells(line)[5:14]) == {"-"}
    assert len(lines(with_rows(filled, good, failed(good, "crashed once")))) == 3


def test_a_name_is_no_markup(filled: Store) -> None:
    row = replace(measured(filled), label="a | b\n| <script>")
    (line,) = lines(with_rows(filled, row))[2:]
    assert cells(line)[0] == "a  b\\n &lt;script>"
    assert "<script>" not in line
