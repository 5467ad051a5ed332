from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.tables._read import metric_column, read_table, split_reference
from profiler.core.errors import InputError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ROWS = ["arch,acc,note", f"{NASBENCH201.describe((3,) * 6)},93.5,best"]
ROWS += [f"{NASBENCH201.describe((1,) * 6)},,plain"]


def csv_file(folder: Path, lines: list[str], name: str = "t.csv") -> Path:
    path = folder / name
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_csv_columns_are_typed_and_missing_numbers_are_nan(tmp_path: Path, name: str) -> None:
    table = read_table(csv_file(tmp_path, ROWS, name))
    assert [(c.name, c.kind) for c in table.columns] == [
        ("arch", "text"),
        ("acc", "number"),
        ("note", "text"),
    ]
    assert table.numbers("acc")[0] == 93.5
    assert np.isnan(table.numbers("acc")[1])
    assert table.row(1)["acc"] is None
    assert table.candidates(NASBENCH201) == {(3,) * 6: 0, (1,) * 6: 1}


def test_parquet_keeps_units(tmp_path: Path) -> None:
    schema = pa.schema(
        [pa.field("index", pa.int64()), pa.field("x", pa.float32(), metadata={"unit": "ms"})]
    )
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table([[857, 0], [1.5, 2.5]], schema=schema), path)
    table = read_table(path)
    assert table.column("x").unit == "ms"
    assert table.find("857") == 0
    assert table.candidates(NASBENCH201)[NASBENCH201.at(0)] == 1


def test_gene_columns_and_list_columns_name_candidates(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["0>1,0>2,1>2,0>3,1>3,2>3,acc", ",".join(["none"] * 6) + ",10"])
    assert read_table(path).candidates(NASBENCH201) == {(0,) * 6: 0}
    bad = csv_file(tmp_path, ["0>1,0>2,1>2,0>3,1>3,2>3,acc", ",".join(["conv"] * 6) + ",10"])
    with pytest.raises(InputError, match=r"'0>1'.*'conv'.*nor_conv_1x1"):
        read_table(bad).candidates(NASBENCH201)


def test_errors_name_file_column_and_what_exists(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, ROWS))
    with pytest.raises(InputError, match=r"t\.csv has no column 'top1'; .*arch, acc, note"):
        table.numbers("top1")
    with pytest.raises(InputError, match=r"'note'.*not numeric.*: acc$"):
        table.numbers("note")
    with pytest.raises(InputError, match="no row"):
        table.find(NASBENCH201.describe((0,) * 6))
    with pytest.raises(InputError, match="row 1, column 'arch'"):
        read_table(csv_file(tmp_path, ["arch,acc", "mobilenet,1"])).candidates(NASBENCH201)
    with pytest.raises(InputError, match="needs a column 'arch' or 'index'"):
        read_table(csv_file(tmp_path, ["model,acc", "mobilenet,1"])).candidates(NASBENCH201)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    (tmp_path / "empty.csv").write_bytes(b"")
    for name in ("bad.parquet", "empty.csv", "absent.csv", "t.xlsx"):
        with pytest.raises(InputError, match=name):
            read_table(tmp_path / name)
    with pytest.raises(InputError, match="directory"):
        read_table(tmp_path)
    with pytest.raises(InputError, match="no rows"):
        read_table(csv_file(tmp_path, ["a,b"]))
    with pytest.raises(InputError, match="more than one column named 'a'"):
        read_table(csv_file(tmp_path, ["a,a", "1,2"]))


def test_references_split_into_file_and_column(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ROWS)
    odd = csv_file(tmp_path, ROWS, "odd:name.csv")
    assert split_reference(str(path)) == (path, None)
    assert split_reference(f"{path}:acc") == (path, "acc")
    assert split_reference(str(odd)) == (odd, None)
    assert split_reference(f"{odd}:acc") == (odd, "acc")
    with pytest.raises(InputError, match="no file"):
        split_reference(str(tmp_path / "gone.csv:acc"))


def test_the_metric_is_the_named_column_or_the_only_one(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, ROWS))
    assert metric_column(table, None) == "acc"
    two = read_table(csv_file(tmp_path, ["arch,a,b", "x,1,2"]))
    with pytest.raises(InputError, match="a, b"):
        metric_column(two, None)
    assert metric_column(two, "b") == "b"


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared benchmark tables are not here")
def test_the_published_best_cell_is_found_in_the_shared_table() -> None:
    table = read_table(DATA / "nasbench201.csv.gz")
    rows = table.candidates(NASBENCH201)
    accuracy = table.numbers("c10_valid_200")
    best = max(rows, key=lambda genes: accuracy[rows[genes]])
    assert len(rows) == 15_625
    assert NASBENCH201.index_of(best) == 6111
    assert accuracy[rows[best]] == 91.607


def test_an_architecture_that_is_written_in_digits_is_found(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, ["arch,acc", "12021021,90", "00000000,50"]))
    assert table.find("12021021") == 0
    indexed = read_table(csv_file(tmp_path, ["index,arch,acc", "7,x,90", "8,y,50"]))
    assert (indexed.find("8"), indexed.find("x")) == (1, 0)
    for absent in ("9", "z"):
        with pytest.raises(InputError, match="no row"):
            indexed.find(absent)
