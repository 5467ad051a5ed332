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


TABLE = "depth,kind,acc,params,pixel9_ms\n" + "".join(
    f"{depth},{kind},{50 + 4 * depth + bonus},{depth * 1000},{depth * factor}\n"
    for depth in range(1, 6)
    for kind, bonus, factor in (("plain", 0, 1), ("wide", 3, 2), ("odd", 1, 3))
)
OF_TABLE = ("--space", "table:own.csv", "--genes", "depth,kind", "--metric", "acc")


def found(*arguments, cwd):
    done = nasprof("search", "--queries", 12, *arguments, "--strategy", "random", "--json", cwd=cwd)
    return json.loads(done.stdout)


def test_a_table_is_searched_under_limits_on_its_own_columns(tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    limits = ("--limit", "latency@recorded:pixel9<=6ms", "--limit", "params<=4K")
    result = found(*OF_TABLE, *limits, cwd=tmp_path)
    best = result["pareto"][0]
    # Inside 6 ms and 4,000 parameters: depth 4 plain (66 %), depth 3 wide (65 %).
    assert best["accuracy"] == pytest.approx(0.66)
    assert best["metrics"]["latency@recorded:pixel9"] == 4e6
    assert best["metrics"]["params"] == 4000
    assert best["model_sha256"] is None
    for trial in result["pareto"]:
        assert "recorded:pixel9" in trial["record"]["recorded"]["latency@recorded:pixel9"]
    assert any("not measured on this machine" in note for note in result["notes"])
    page = nasprof("report", "-o", "page", cwd=tmp_path)
    assert page.returncode == 0
    text = (tmp_path / "page" / "index.html").read_text()
    assert "recorded:pixel9" in text
    assert "--genes depth,kind --metric acc" in text
    assert "not measured on this machine" in text
    assert "measured again" not in text


def test_costs_of_a_table_are_objectives_and_the_pareto_set_is_theirs(tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    goals = ("--minimize", "latency@recorded:pixel9", "--minimize", "params", "--queries", "15")
    result = found(*OF_TABLE, *goals, cwd=tmp_path)
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    points = {(float(acc) / 100, int(params), float(ms) * 1e6) for _, _, acc, params, ms in rows}
    best = {
        one
        for one in points
        if not any(
            other != one and other[0] >= one[0] and other[1] <= one[1] and other[2] <= one[2]
            for other in points
        )
    }
    shown = [
        (t["accuracy"], t["metrics"]["params"], t["metrics"]["latency@recorded:pixel9"])
        for t in result["pareto"]
    ]
    assert shown == sorted(best, reverse=True)[: len(shown)]
    assert len(shown) == 5
    steps = [step["volume"] for step in result["hypervolume"]["steps"]]
    assert steps == sorted(steps)
    text = nasprof("search", *OF_TABLE, *goals, cwd=tmp_path).stdout
    assert "hypervolume" in text
    nasprof("report", "-o", "page", cwd=tmp_path)
    page = (tmp_path / "page" / "index.html").read_text()
    assert "--minimize latency@recorded:pixel9 --minimize params" in page
    assert 'id="hypervolume' in page or "How the Pareto set grew" in page


def test_the_columns_belong_to_the_identity_of_a_search(tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    found(*OF_TABLE, "--name", "mine", cwd=tmp_path)
    found(*OF_TABLE, "--name", "mine", "--resume", cwd=tmp_path)
    other = ("--space", "table:own.csv", "--genes", "kind,depth", "--metric", "acc")
    done = nasprof("search", *other, "--queries", 12, "--name", "mine", "--resume",
                   cwd=tmp_path, code=2)  # fmt: skip
    assert "other settings" in done.stderr


def test_an_own_space_is_searched_from_its_file(tmp_path):
    guide = (ROOT / "docs" / "add-a-space.md").read_text(encoding="utf-8")
    code = guide.split("```python\n")[1].split("```")[0]
    (tmp_path / "plain.py").write_text(code)
    shown = nasprof("spaces", "show", "plain.py:k3w16-k1w8-k5w32-k3w32", cwd=tmp_path)
    assert "plain:k3w16-k1w8-k5w32-k3w32" in shown.stdout
    done = nasprof("search", "--space", "plain.py", "--limit", "macs<=20M", "--queries", 1,
                   "--strategy", "random", "--json", cwd=tmp_path)  # fmt: skip
    (best,) = json.loads(done.stdout)["pareto"]
    assert 0 < best["metrics"]["macs"] <= 20e6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--space", "table:own.csv"], "--genes"),
        (["--genes", "depth"], "--space table:FILE"),
        ([*OF_TABLE, "--limit", "latency@onnxruntime-cpu<=2ms"], "no networks"),
        ([*OF_TABLE, "--limit", "macs<=2M"], "macs"),
        ([*OF_TABLE, "--limit", "latency@recorded:tpu<=2ms"], "pixel9"),
        (["--limit", "latency@recorded:pixel3<=2ms"], "tables import"),
        (["--limit", "macs<=2M", "--recorded", "own.csv"], "--recorded"),
        (["--minimize", "latency"], "needs a target"),
        (["--maximize", "params"], "only accuracy"),
        ([*OF_TABLE, "--minimize", "macs"], "macs"),
        (["--limit", "peak_memory@recorded:pixel3<=2MiB"], "latency and energy"),
    ],
)
def test_searches_that_cannot_be_are_one_clear_line(arguments, words, tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    done = nasprof("search", *arguments, cwd=tmp_path, code=2)
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr


@pytest.mark.skipif(not HARDWARE.is_dir(), reason="the shared benchmark tables are not here")
def test_a_search_for_a_phone_that_is_not_here(tmp_path):
    import pyarrow.parquet

    file = HARDWARE / "nasbench201_latency_ms.parquet"
    accuracy = HARDWARE.parent / "nasbench201.csv.gz"
    done = nasprof("search", "--limit", "latency@recorded:pixel3<=8ms", "--recorded", file,
                   "--accuracy", f"table:{accuracy}:c10_valid_200", "--queries", 12,
                   "--strategy", "evolution", "--json", cwd=tmp_path)  # fmt: skip
    result = json.loads(done.stdout)
    data = pyarrow.parquet.read_table(file, columns=["arch", "pixel3"]).to_pydict()
    published = dict(zip(data["arch"], data["pixel3"], strict=True))
    from nasprof.spaces.nasbench201 import PLUGIN

    assert result["pareto"]
    for trial in result["pareto"]:
        arch = PLUGIN.describe(tuple(trial["candidate"]["genes"]))
        assert published[arch] <= 8
        assert trial["metrics"]["latency@recorded:pixel3"] == pytest.approx(published[arch] * 1e6)
    assert not (tmp_path / ".cache").exists(), "nothing is exported"
