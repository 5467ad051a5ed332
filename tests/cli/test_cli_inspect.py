import csv
import io
import json

import pytest
from test_cli_basics import nasprof

CELL = "nasbench201:0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect")
    done = nasprof("export", CELL, "-o", "cell.onnx", "--dynamic-batch", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def run(folder, *arguments, code=0):
    done = nasprof("inspect", *arguments, cwd=folder, NASPROF_STORE=str(folder / "store.db"))
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_file_and_network_have_the_same_macs(folder):
    counted = [
        json.loads(run(folder, name, "--batch", "1", "--json")) for name in ("cell.onnx", CELL)
    ]
    # Published for index 0: 15.64737 M with the 10 bias adds of the classifier.
    assert [cost["macs"] for cost in counted] == [15_647_360, 15_647_360]


def test_a_sweep_counts_at_every_size_and_the_polynomial_agrees(folder):
    (symbol,) = json.loads(run(folder, "cell.onnx", "--json"))["symbols"]
    rows = json.loads(run(folder, "cell.onnx", "--dims", f"{symbol}=1,2,8", "--json"))
    assert [row["macs"] for row in rows] == [15_647_360 * size for size in (1, 2, 8)]
    assert f"macs = 15647360 {symbol}" in run(folder, "cell.onnx", "--polynomial")


def test_the_published_convention_gives_the_published_figure(folder):
    text = run(folder, "cell.onnx", "--batch", "1", "--convention", "nasbench201", "--json")
    assert json.loads(text)["figure"] == 15_647_370
    explained = json.loads(
        run(folder, "cell.onnx", "--batch", "1", "--explain", "nasbench201", "--json")
    )
    assert sum(row["difference"] for row in explained["cell.onnx"]) == 10


def test_a_network_is_explained_as_its_modules_run(folder):
    """The export has folded all normalisation away, the network has not."""
    nodes = {}
    for name in (CELL, "cell.onnx"):
        rows = json.loads(run(folder, name, "--batch", "1", "--explain", "fvcore", "--json"))[name]
        nodes[name] = {row["op_type"]: row["nodes"] for row in rows}
    assert nodes[CELL]["BatchNormalization"] == 36
    assert nodes["cell.onnx"]["BatchNormalization"] < 5


def test_breakdowns_add_up_and_csv_reads_back(folder):
    for by in ("operator", "node", "module", "class", "precision"):
        text = run(folder, "cell.onnx", "--batch", "1", "--by", by, "--csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert sum(int(row["macs"]) for row in rows) == 15_647_360


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cell.onnx", "--convention", "gut-feeling"], "gut-feeling"),
        (["cell.onnx", "--by", "colour"], "colour"),
        (["cell.onnx", "--sort", "beauty"], "beauty"),
        (["cell.onnx", "--dims", "batch"], "--dims"),
        (["cell.onnx", "--batch", "1", "--roofline"], "nasprof"),
    ],
)
def test_bad_questions_are_refused_in_one_line(folder, arguments, words):
    done = nasprof("inspect", *arguments, cwd=folder, NASPROF_STORE=str(folder / "none.db"))
    assert done.returncode in (2, 4)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
