"""The deployment card: what it says, where each figure comes from, and its four forms."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from report_values import ENVIRONMENT, HOSTILE, attempt, cost

from profiler.core.errors import InputError
from profiler.core.outcome import Energy, Failure, FailureKind, Measurement, OutputError, Stage
from profiler.core.target import BenchPlan, Target
from profiler.core.tensor import TensorSpec
from profiler.store.records import ModelRecord
from reports.card import Measured
from reports.card_files import card_html, card_json, card_markdown, card_text, write_card
from reports.card_sections import card

ORT = Target("onnxruntime-cpu")
HALF = Target("onnxruntime-cpu", precision="fp16")


def measured(median_ns, batch=1, target=ORT, noise=0.001, label="net", **changes):
    rng = np.random.default_rng(batch)
    tried = tuple(replace(attempt(rng, median_ns, 6, noise), **changes) for _ in range(3))
    inputs = (TensorSpec("x", "float32", (batch, 3)),)
    return Measurement("0" * 64, label, target, BenchPlan(), "env", "s-1", inputs, tried)


def failed(target, message="no kernel"):
    return Failure(
        "0" * 64, "net", target, BenchPlan(), "env", "s-1", Stage.LOADED,
        FailureKind.UNSUPPORTED, message,
    )  # fmt: skip


def made(base, label="net", **others):
    inputs = (TensorSpec(label, "float32", ("batch", 3)),)
    model = ModelRecord("0" * 64, label, None, 4 << 20, (("", 18),), inputs)
    return card(Measured(model, cost(300e6, 3e6), ENVIRONMENT, tuple(base), **others))


def section(found, title):
    (one,) = [each for each in found.sections if each.title.startswith(title)]
    return one


@pytest.fixture(scope="module")
def full():
    drifted = OutputError(1e-2, 3e-3, 0.9991, 0.75)
    return made(
        [measured(10e6)],
        swept=(measured(12e6, 2), measured(23.5e6, 4), measured(90e6, 8)),
        variants=(measured(11e6, target=HALF, output_error=drifted),),
        limit_ns=30e6,
    )


def test_every_figure_comes_from_a_count_or_from_samples_that_the_card_holds(full):
    figures = [f for s in full.sections for line in s.lines for f in line.figures]
    assert {f.source for f in figures if f.value is not None} == {"graph", "file", *full.raw}
    assert all(f.text in ("unknown", "-") for f in figures if not f.source)
    (median, *_), raw = section(full, "Latency").lines[0].figures, full.raw["R1"]
    assert median.value == pytest.approx(raw.latency.median_ns)
    assert median.text == "10.00 ms" or median.text.startswith(("9.9", "10.0"))


def test_the_sweep_names_the_knee_and_the_best_batch_that_is_surely_inside(full):
    sweep = section(full, "Batch sweep")
    assert [line.name for line in sweep.lines] == ["batch 1", "batch 2", "batch 4", "batch 8"]
    rates = [line.figures[-1].value for line in sweep.lines]
    assert rates == pytest.approx([100, 166.7, 170.2, 88.9], rel=0.02)
    assert "the knee is at batch 2: " in sweep.notes[0]
    assert sweep.notes[1].startswith("best batch surely within 30.00 ms: 4")
    none = made([measured(10e6)], swept=(measured(12e6, 2),), limit_ns=1e6)
    assert "no batch is surely within 1.000 ms" in section(none, "Batch sweep").notes


def test_a_variant_shows_its_speed_and_drift_beside_the_original(full):
    original, half = section(full, "Precisions").lines
    assert original.figures[1].text == "-"
    assert half.remark == "top-1 agreement 75%, slower than fp32"
    assert half.figures[1].value == pytest.approx(10 / 11, rel=0.01)
    assert [f.text for f in half.figures[2:]] == ["3.0e-03", "0.999100", "75.0%"]


def test_planned_memory_stands_beside_the_measured(full):
    (line,) = section(full, "Memory").lines
    assert [f.source for f in line.figures] == ["graph", "graph", "R1", "R1"]
    assert line.figures[1].text == "1.00 MiB"
    assert line.figures[2].value == pytest.approx((4 << 20) + 8 * 10e6, rel=0.01)


def test_a_doubtful_latency_is_marked_with_its_reason_and_failures_are_told():
    found = made([measured(10e6, noise=0.5), failed(Target("openvino-cpu"))])
    latency = section(found, "Latency")
    assert latency.lines[0].figures[0].marked[0] in "~!"
    assert any(note[0] in "~!" and "R1" in note for note in latency.notes)
    assert "openvino-cpu/fp32/1t failed at loaded: unsupported: no kernel" in latency.notes
    assert list(found.raw) == ["R1"]


def test_energy_is_shown_with_its_meter_and_unknown_without():
    spent = Energy("rapl:package", joules=10.0, seconds=1.0, runs=100, idle_w=4.0)
    latency = section(made([measured(10e6, energy=spent)]), "Latency")
    assert latency.lines[0].figures[-1].text == "60 mJ"
    assert any("rapl:package" in note for note in latency.notes)
    without = section(made([measured(10e6)]), "Latency")
    assert without.lines[0].figures[-1].text == "unknown"
    assert any("energy is unknown" in note for note in without.notes)


def test_cold_start_adds_up_only_where_every_phase_is_known():
    phases = {"started_ns": 300_000_000, "import_ns": 60_000_000}
    (line,) = section(made([measured(10e6, **phases)]), "Cold start").lines
    assert line.figures[-1].value == pytest.approx(sum(f.value for f in line.figures[:-1]))
    (line,) = section(made([measured(10e6, started_ns=None, import_ns=None)]), "Cold start").lines
    assert line.figures[-1].text == "unknown"


def test_json_holds_figures_and_samples(full):
    data = json.loads(json.dumps(card_json(full), allow_nan=False))
    rounds = data["raw"]["R1"]["attempts"][0]["rounds"]
    samples = [w / r["runs_per_sample"] for r in rounds for w in r["wall_ns"]]
    assert samples == list(full.raw["R1"].samples_ns[: len(samples)])
    assert data["sections"][0]["lines"][0]["figures"][0]["unit"] == "B"


def test_text_and_markdown_show_the_same_figures(full):
    for text in (card_text(full), card_markdown(full)):
        assert "300.00 M" in text
        assert "slower than fp32" in text
        assert "R5" in text


def test_the_page_links_each_measured_figure_to_its_samples(browser, full, tmp_path):
    page = write_card(full, tmp_path / "card.html")
    browser.open(page)
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [page.as_uri()]
    links = "[...document.querySelectorAll('td a')]"
    assert browser.evaluate(f"{links}.length") > 30
    dead = f"{links}.filter(a => !document.querySelector(a.getAttribute('href'))).length"
    assert browser.evaluate(dead) == 0
    first = "document.querySelector('#R1 + details pre').textContent.split(' ')[0]"
    assert int(browser.evaluate(first)) == round(full.raw["R1"].samples_ns[0])


def test_hostile_names_stay_text(browser, tmp_path):
    nasty = made([measured(10e6), failed(HALF, HOSTILE)], label=HOSTILE)
    browser.open(write_card(nasty, tmp_path / "card.html"))
    assert browser.dialogs == []
    assert browser.complaints == []
    assert browser.evaluate("document.querySelectorAll('script, img, svg').length") == 0
    assert "\x1b" not in card_text(nasty)
    assert re.search(r"(?<!\\)<", card_markdown(nasty)) is None


@pytest.mark.parametrize("name", ["card.html", "card.md", "card.json"])
def test_a_card_replaces_a_card_and_nothing_else(full, tmp_path, name):
    path = tmp_path / name
    path.write_text("my notes")
    with pytest.raises(InputError, match="is no card"):
        write_card(full, path)
    assert path.read_text() == "my notes"
    path.unlink()
    assert write_card(full, path).read_text()
    assert write_card(full, path).read_text()


@pytest.mark.parametrize(
    ("name", "words"), [("card.pdf", "names no format"), ("nowhere/card.md", "there is no folder")]
)
def test_a_place_that_cannot_be_written_is_told(full, tmp_path, name, words):
    with pytest.raises(InputError, match=words):
        write_card(full, tmp_path / name)


def test_the_page_carries_its_date(full):
    assert "2026-01-01" in card_html(full, "2026-01-01")
