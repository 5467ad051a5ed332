"""Spaces, tables and searches on what was published, through the command line."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
HARDWARE = ROOT.parent / "shared" / "data" / "hardware"
HEAVY = {"torch", "onnx", "onnxruntime", "numpy", "sqlalchemy", "matplotlib", "sklearn", "pyarrow"}


def nasprof(*arguments, cwd, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "nasprof", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(cwd),
            "PYTHONPATH": str(ROOT),
            "NASPROF_STORE": str(cwd / "store.db"),
            "NASPROF_TABLES": str(cwd / "tables"),
        },
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def macro_file(folder):
    """NAS-Bench-Macro in its upstream layout, of three networks."""
    rows = {
        arch: {"mean_acc": acc, "std": 0.1, "params": 1_000, "flops": 2_000}
        for arch, acc in (("00000000", 90.0), ("11111111", 92.0), ("22222222", 91.0))
    }
    path = folder / "nas-bench-macro_cifar10.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize("command", [["spaces"], ["spaces", "show"], ["tables", "import"]])
def test_help_of_spaces_and_tables_imports_nothing_heavy(command):
    script = (
        "import sys\nfrom nasprof.cli.main import _run\n"
        f"sys.argv = ['nasprof', *{command!r}, '--help']\ncode = _run()\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"


def test_an_imported_table_is_listed_shown_and_beside_its_space(tmp_path):
    nasprof("tables", "import", "nasbench-macro", macro_file(tmp_path), cwd=tmp_path)
    (table,) = json.loads(nasprof("tables", "list", "--json", cwd=tmp_path).stdout)
    assert (table["name"], table["rows"]) == ("nasbench-macro.nasbench-macro", 3)
    assert "sha256" in table["source"]
    shown = json.loads(nasprof("tables", "show", table["name"], "--json", cwd=tmp_path).stdout)
    assert {c["name"]: c["unit"] for c in shown["columns"]}["test"] == "%"
    assert shown["first"][1]["arch"] == "11111111"
    listed = json.loads(nasprof("spaces", "--json", cwd=tmp_path).stdout)
    spaces = {space["name"]: space for space in listed}
    assert spaces["nasbench201"]["size"] == 15_625
    assert spaces["nasbench201"]["tables"] == []
    assert spaces["nasbench-macro"]["tables"] == [table["name"]]
    assert spaces["nasbench-macro"]["metrics"]["accuracy"] == 1
    assert table["name"] in nasprof("spaces", cwd=tmp_path).stdout


def test_a_candidate_is_drawn_with_its_cost(tmp_path):
    done = nasprof("spaces", "show", "nasbench201:857", "-o", "cell.svg", cwd=tmp_path)
    assert "<-  skip_connect(0) + nor_conv_3x3(1) + nor_conv_3x3(2)" in done.stdout
    assert "121.82 M MACs" in done.stdout
    assert ElementTree.parse(tmp_path / "cell.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["spaces", "show", "nowhere:1"], "nowhere"),
        (["spaces", "show", "nasbench201"], "nasbench201:857"),
        (["spaces", "show", "nasbench201:15625"], "15625"),
        (["spaces", "show", "nasbench201:1", "-o", "missing/cell.svg"], "missing"),
        (["tables", "import", "nonsense", "own.csv"], "nasbench-macro"),
        (["tables", "import", "nasbench-macro", "missing.json"], "missing.json"),
        (["tables", "import", "nasbench-macro", "own.csv"], "own.csv"),
        (["tables", "import", "table", "own.csv"], "--space"),
        (["tables", "import", "table", "own.csv", "--space", "nasbench201"], "arch"),
        (["tables", "show", "nothing"], "tables import"),
    ],
)
def test_what_cannot_be_is_one_clear_line(arguments, words, tmp_path):
    (tmp_path / "own.csv").write_text("depth,acc\n1,50\n")
    done = nasprof(*arguments, cwd=tmp_path, code=2)
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert done.stdout == ""
