"""Spaces that are not part of the project: a person's file, a table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from space_cases import example, reference_count

from nasprof.spaces._cost import count_network
from nasprof.spaces._genes import crossover, mutate, neighbours, numeric, one_hot, sample
from nasprof.spaces._open import open_space
from nasprof.spaces._table_space import table_space
from nasprof.tables._read import read_table
from profiler.core.errors import InputError

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
ROWS = """arch,depth,width,acc,note
a,2,8,50.5,x
b,2,16,60,y
b,4,16,70,
c,4,8,80,z
c,4,8,99,again
"""


def test_the_space_of_the_guide_works(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "add-a-space.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(code) == 1
    path = tmp_path / "plain.py"
    path.write_text(code[0], encoding="utf-8")
    space = open_space(str(path))
    rng = np.random.default_rng(0)
    for genes in sample(space, 20, rng):
        assert space.parse(space.describe(genes)) == genes
        assert space.valid(mutate(space, genes, rng))
    assert len(neighbours(space, genes)) == 16
    cost = count_network(lambda: space.build(genes), space.input_shape)
    network = space.build(genes)
    assert (cost.macs, cost.norm_elements, cost.params) == reference_count(
        network, example(space, space.input_shape)
    )
    with pytest.raises(InputError, match="4"):
        space.parse("k3w16")


def test_files_that_are_no_space_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    with pytest.raises(InputError, match="no file"):
        open_space(str(path))
    for code, message in (
        ("x = 1", "no constant PLUGIN"),
        ("class A: name = 'a'\nPLUGIN = A()", "PLUGIN without title"),
        ("1 / 0", "ZeroDivisionError"),
        ("def (", "SyntaxError"),
    ):
        path.write_text(code)
        with pytest.raises(InputError, match=message):
            open_space(str(path))
    with pytest.raises(InputError, match="nasbench201"):
        open_space("nope")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.csv"
    path.write_text(ROWS)
    return path


def test_a_table_with_text_and_numbers_is_a_space(results: Path) -> None:
    table = read_table(results)
    space = table_space(table, ["arch", "depth", "width"], "acc")
    assert space.choices == (("a", "b", "c"), (2, 4), (8, 16))
    assert len(space.members()) == 4
    best = max(space.members(), key=lambda genes: table.numbers("acc")[space.row(genes)])
    assert space.describe(best) == "arch=c,depth=4,width=8"
    assert space.row(best) == 3
    rng = np.random.default_rng(0)
    assert set(sample(space, 100, rng)) == set(space.members())
    for genes in space.members():
        assert space.parse(space.describe(genes)) == genes
        near = neighbours(space, genes)
        assert near
        assert all(space.valid(other) and other != genes for other in near)
        assert space.valid(mutate(space, genes, rng))
        assert space.valid(crossover(space, genes, best, rng))
    assert one_hot(space, space.members()).shape == (4, 7)
    assert numeric(space, space.members())[0].tolist() == [0, 2, 8]
    with pytest.raises(InputError, match="no networks"):
        space.build(best)
    with pytest.raises(InputError, match="no row"):
        space.parse("arch=a,depth=4,width=8")


def test_text_with_commas_and_equal_signs_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text('name,size,acc\n"a=1,b=2",1,5\n"a=1",2,6\n')
    space = table_space(read_table(path), ["name", "size"], "acc")
    for genes in space.members():
        assert space.parse(space.describe(genes)) == genes


def test_columns_that_cannot_be_genes_are_named(results: Path) -> None:
    table = read_table(results)
    for genes, metric, message in (
        (["arch", "gone"], "acc", "no column 'gone'"),
        (["arch"], "note", "'note' .* is not numeric"),
        (["arch", "arch"], "acc", "once"),
        (["acc"], "acc", "apart"),
        ([], "acc", "gene column"),
    ):
        with pytest.raises(InputError, match=message):
            table_space(table, genes, metric)
    gaps = results.with_name("gaps.csv")
    gaps.write_text("a,acc\n1,2\n,3\n")
    with pytest.raises(InputError, match="empty fields"):
        table_space(read_table(gaps), ["a"], "acc")


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared benchmark tables are not here")
def test_a_published_table_is_a_space() -> None:
    table = read_table(DATA / "nasbench_mr.csv.gz")
    genes = table.names[:27]
    space = table_space(table, genes, "seg.mIoU")
    assert len(space.members()) == 2507
    best = max(space.members(), key=lambda g: table.numbers("seg.mIoU")[space.row(g)])
    near = neighbours(space, best)
    assert 0 < len(near) <= 24
    assert all(space.valid(other) for other in near)
