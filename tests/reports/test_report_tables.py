"""Tables for the terminal, CSV and JSON: the same rows, and names are data."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field, fields, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_values import HOSTILE, LATENCY, LIMIT_NS, SEARCH, cost

from profiler.core.choice import Constraint
from profiler.core.outcome import Measurement
from profiler.store.records import TrialRecord
from profiler.store.store import Store
from reports.cost_text import cost_table
from reports.gather import Material
from reports.quantities import listed, quantity, short, shown
from reports.rows import Row, outcome_row
from reports.to_csv import to_csv
from reports.to_json import outcome_rows, search_row, to_json
from reports.to_text import history_table, outcome_table, search_table


@dataclass(frozen=True)
class Found:
    problem: SimpleNamespace
    trials: tuple[TrialRecord, ...]
    pareto: tuple[TrialRecord, ...]
    notes: tuple[str, ...]
    flags: dict[tuple[int, str], str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def found(filled: Store) -> Found:
    trials = tuple(filled.trials(SEARCH))
    best = tuple(trial for trial in trials if (trial.accuracy or 0) > 0.94)
    limits = (Constraint("latency", "onnxruntime-cpu", LIMIT_NS),)
    return Found(SimpleNamespace(constraints=limits, objectives=()), trials, best, (HOSTILE,))


def test_outcomes_are_lines_with_marks_and_reasons(filled: Store) -> None:
    table = outcome_table(filled.outcomes(sessions=["bench-1"]))
    lines = table.splitlines()
    assert "95% interval" in lines[0]
    noisy = [line for line in lines if "shufflenet" in line and " noisy" in line]
    assert len(noisy) == 1
    assert "~" in noisy[0]
    assert any(
        line.startswith("~ light_shufflenet.onnx on onnxruntime-cpu/fp32/") for line in lines
    )
    assert sum("failed: " in line for line in lines) == 2
    assert "segmentation" in table
    assert outcome_table([]) == "nothing was measured"


def test_no_control_character_reaches_a_terminal(nasty: Material, found: Found) -> None:
    outcomes = [s.measurement for s in nasty.shown if s.measurement is not None]
    text = outcome_table(outcomes) + search_table(found)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) < 2000


def test_a_measurement_without_samples_is_no_crash(filled: Store) -> None:
    outcome = filled.outcomes(sessions=["bench-1"])[-1]
    assert isinstance(outcome, Measurement)
    empty = replace(outcome, attempts=(replace(outcome.attempts[0], rounds=()),))
    assert outcome_row(empty).verdict == "invalid"
    assert "no samples" in outcome_table([empty])


def test_history_and_cost_and_search(filled: Store, found: Found) -> None:
    table = history_table(filled.history())
    assert SEARCH in table
    assert "bench-1" in table
    assert history_table([]) == "the store is empty"
    assert "never pooled" not in table
    entry = next(one for one in filled.history() if one.name == "bench-1")
    agreed = replace(entry, verdicts=(("valid", 3),), environments=("a" * 16,))
    other = replace(entry, verdicts=(("valid", 2), ("noisy", 1)), environments=("b" * 16,))
    table = history_table([agreed, other])
    assert " valid " in table.splitlines()[2]
    assert "2 valid, 1 noisy" in table.splitlines()[3]
    assert "aaaaaa" in table
    assert "never pooled" in table
    assert "Mystery (2)" in cost_table(cost(1e9, 1e6))
    assert "1.00 G" in cost_table(cost(1e9, 1e6))
    table = search_table(found)
    assert "latency@onnxruntime-cpu ≤ 2.000 ms" in table
    assert f"#{found.pareto[0].number}" in table
    first, second = (trial.number for trial in found.pareto[:2])
    marked = {(first, "onnxruntime-cpu"): "noisy", (second, "onnxruntime-cuda"): "invalid"}
    lines = search_table(replace(found, flags=marked)).splitlines()
    (noisy,) = [line for line in lines if f"#{first} " in line]
    (other,) = [line for line in lines if f"#{second} " in line]
    assert noisy.count("~") == 1
    assert "!" not in other
    nothing = replace(found, pareto=())
    assert "no network to report" in search_table(nothing)


def test_csv_has_every_row_and_reads_back(material: Material) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(material.rows))))
    assert len(lines) == len(material.rows)
    assert list(lines[0]) == [field.name for field in fields(Row)]
    for line, row in zip(lines, material.rows, strict=True):
        assert line["label"] == row.label
        assert line["median_ns"] == ("" if row.median_ns is None else str(row.median_ns))
        assert line["newest"] == str(row.newest)


def test_no_cell_of_a_hostile_store_is_a_formula(nasty: Material) -> None:
    lines = list(csv.reader(io.StringIO(to_csv(nasty.rows))))
    assert len(lines) == len(nasty.rows) + 1
    for cell in (cell for line in lines[1:] for cell in line):
        number = cell.lstrip("-").replace(".", "").replace("e-", "").isdigit()
        assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert "\x1b" not in cell
        assert len(cell) < 300
    assert lines[-1][1].startswith("'=cmd|")


@given(st.text(max_size=20))
def test_any_label_becomes_one_harmless_cell(label: str) -> None:
    row = Row("failure", label, "", "r", "cpu", "fp32", 1, "", None, "failed", drift=-0.5)
    (_, line) = csv.reader(io.StringIO(to_csv([row])))
    assert not line[1].startswith(("=", "+", "-", "@"))
    assert "-0.5" in line
    assert line[1].removeprefix("'") == shown(label) or line[1] == shown(label)


def test_json_holds_the_rows_and_no_nan(material: Material) -> None:
    first = replace(material.subjects[0].row, error_relative=float("inf"), drift=float("nan"))
    subject = replace(material.subjects[0], row=first)
    text = to_json(replace(material, subjects=(subject, *material.subjects[1:])))
    data = json.loads(text, parse_constant=pytest.fail)
    assert data["measurements"][0]["error_relative"] is None
    assert len(data["measurements"]) == len(material.rows)
    assert data["search"]["name"] == SEARCH
    assert data["search"]["pareto"][0]["metrics"][LATENCY] < LIMIT_NS
    key = data["measurements"][0]["environment_key"]
    assert data["environments"][key]["cpu_model"] == "Made-up Xeon @ 2.50GHz"
    assert text.isascii()


def test_json_of_results(filled: Store, found: Found) -> None:
    rows = outcome_rows(filled.outcomes(sessions=["bench-1"]))
    assert {row["status"] for row in rows} == {"measurement", "failure"}
    assert search_row(found)["limits"] == {LATENCY: LIMIT_NS}
    assert len(search_row(found)["pareto"]) == len(found.pareto)
    json.dumps([rows, search_row(found)])


def test_values_have_their_units() -> None:
    assert quantity("latency@x", 2e6) == "2.000 ms"
    assert quantity("peak_memory", 2**20) == "1.00 MiB"
    assert quantity("weight_bytes", 2**20) == "1.00 MiB"
    assert quantity("macs", 15647370) == "15.65 M"
    assert quantity("accuracy", 0.912) == "91.20%"
    assert quantity("macs", None) == "unknown"


def test_words() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert short("abcdefghij", 5) == "ab…ij"
    assert short("abc", 5) == "abc"
    assert shown("/home/me/x and /Users/you/y") == "~/x and ~/y"
    assert shown("a\nb\x1b[0m") == "a\\nb\\x1b[0m"
