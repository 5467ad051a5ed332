"""`nasprof card`: a model that takes any batch, one that does not, and bad input."""

import json
from statistics import median

import onnx
import pytest
from test_cli_basics import make_good, nasprof


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    make_good(folder / "fixed.onnx")
    model = onnx.load(folder / "fixed.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, folder / "free.onnx")
    return folder


def card(place, *arguments):
    return nasprof(
        "card", *arguments, "--quick", "--store", place / "store.db", cwd=place,
        XDG_CACHE_HOME=str(place / "cache"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(place):
    return card(
        place, "free.onnx", "--batches", "1,4", "--limit", "1s", "-o", "free.json", "--json"
    )


def test_every_figure_is_what_its_samples_say(made, place):
    assert made.returncode == 0, made.stderr
    data = json.loads(made.stdout)
    assert data == json.loads((place / "free.json").read_text())
    assert [data["raw"][name]["inputs"][0]["shape"] for name in ("R1", "R2")] == [[1, 8], [4, 8]]
    (latency,) = [s for s in data["sections"] if s["title"] == "Latency at batch 1"]
    figures = dict(zip(latency["head"], latency["lines"][0]["figures"], strict=True))
    walls = [
        wall / block["runs_per_sample"]
        for attempt in data["raw"]["R1"]["attempts"]
        for block in attempt["rounds"]
        for wall in block["wall_ns"]
    ]
    # The median is of undisturbed samples, so it is not above that of all by more than their noise.
    assert min(walls) <= figures["median"]["value"] <= 1.5 * median(walls)
    assert figures["median"]["source"] == "R1"
    (sweep,) = [s for s in data["sections"] if s["title"].startswith("Batch sweep")]
    assert any("best batch surely within 1000.00 ms: " in note for note in sweep["notes"])
    (memory,) = [s for s in data["sections"] if s["title"] == "Memory"]
    assert memory["lines"][0]["figures"][0]["value"] == 8 * 8 * 4


def test_what_was_measured_is_in_the_store(made, place):
    history = nasprof("history", "--json", "--store", place / "store.db", cwd=place)
    assert json.loads(history.stdout)[0]["measurements"] >= 1
    assert {entry["kind"] for entry in json.loads(history.stdout)} == {"bench"}


def test_a_fixed_batch_has_no_sweep_and_the_card_says_why(place):
    done = card(place, "fixed.onnx")
    assert done.returncode == 0, done.stderr
    assert "no batch sweep: the file's batch is fixed at 1" in done.stdout
    assert "Batch sweep" not in done.stdout
    assert "Provenance" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["free.onnx", "--limit", "5 parsecs"], "'5 parsecs' is not a quantity here"),
        (["free.onnx", "-o", "card.pdf"], "card.pdf names no format"),
        (["free.onnx", "--batches", "0"], "--batches '0' is not a list of positive numbers"),
        (["fixed.onnx", "--batches", "2"], "fixed batch of 1, not 2"),
        (["free.onnx", "--on", "abacus"], "unknown runtime 'abacus'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(place, arguments, words):
    done = card(place, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr.splitlines()[-1]
