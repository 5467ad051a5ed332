from __future__ import annotations

from pathlib import Path

import pytest

from nasprof.spaces.fbnet import PLUGIN as FBNET
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.spaces.ofa_mobilenetv3_w12 import PLUGIN as OFA
from nasprof.tables._read import read_table
from nasprof.tables._reader import import_table
from nasprof.tables._recorded import open_recorded, recorded, recorded_columns
from profiler.core.errors import InputError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the shared benchmark tables are not here"
)
CELLS = [NASBENCH201.describe(NASBENCH201.at(index)) for index in range(2)]


def csv_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_devices_come_from_the_name_of_the_file(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, "cells_latency_ms.csv", f"arch,pixel3,a_32\n{CELLS[0]},3.5,\n{CELLS[1]},7,9\n"
    )
    table = read_table(path)
    assert [c.target for c in recorded_columns(table, NASBENCH201)] == ["pixel3", "a_32"]
    target = open_recorded("pixel3", "latency", NASBENCH201, [table])
    assert target.unit == "ns"
    assert target.value(NASBENCH201.at(0)) == 3.5e6
    assert "recorded:pixel3" in target.label
    assert "cells_latency_ms.csv" in target.label
    gaps = open_recorded("a_32", "latency", NASBENCH201, [table])
    for missing in (NASBENCH201.at(0), NASBENCH201.at(2)):
        with pytest.raises(InputError, match="has no latency on a_32"):
            gaps.value(missing)


def test_energy_is_in_mj_whatever_the_file_uses(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "power.csv", f"arch,board_J\n{CELLS[0]},0.5\n")
    table = read_table(path)
    column = recorded_columns(table, NASBENCH201)[0]
    assert (column.metric, column.unit) == ("energy", "J")
    assert recorded(table, column, NASBENCH201).value(NASBENCH201.at(0)) == 500
    assert open_recorded("board", "energy", NASBENCH201, [table]).unit == "mJ"


def test_layers_are_added_up(tmp_path: Path) -> None:
    keys = FBNET.layer_keys((0,) * 22)
    listed = dict.fromkeys(keys, 0.25)
    text = "key,mean_ms\n" + "".join(f"{key},{ms}\n" for key, ms in listed.items())
    table = read_table(csv_file(tmp_path, "phone.csv", text))
    target = open_recorded("phone", "latency", FBNET, [table])
    assert target.value((0,) * 22) == pytest.approx(0.25e6 * len(keys))
    with pytest.raises(InputError, match="has no latency"):
        target.value((1,) * 22)


def test_unknown_and_ambiguous_names_list_what_there_is(tmp_path: Path) -> None:
    one = csv_file(tmp_path, "one_latency_ms.csv", f"arch,pixel3\n{CELLS[0]},1\n")
    two = csv_file(tmp_path, "two_latency_ms.csv", f"arch,pixel3,other\n{CELLS[0]},1,2\n")
    tables = [read_table(one), read_table(two)]
    with pytest.raises(InputError, match=r"'tpu'.*is unknown; recorded targets: pixel3"):
        open_recorded("tpu", "latency", NASBENCH201, tables[:1])
    with pytest.raises(InputError, match="more than one"):
        open_recorded("pixel3", "latency", NASBENCH201, tables)
    with pytest.raises(InputError, match="nasprof tables import"):
        open_recorded("pixel3", "energy", NASBENCH201, tables)
    assert open_recorded("other", "latency", NASBENCH201, tables).value(NASBENCH201.at(0)) == 2e6


@needs_data
def test_published_phone_latencies_of_nasbench201() -> None:
    table = read_table(DATA / "hardware" / "nasbench201_latency_ms.parquet")
    target = open_recorded("pixel3", "latency", NASBENCH201, [table])
    assert len(target.rows) == 15_625
    # HW-NAS-Bench prints 3.60585 ms for cell 0 on this phone.
    assert target.value(NASBENCH201.at(0)) == pytest.approx(3.60585e6, rel=1e-6)
    assert len(recorded_columns(table, NASBENCH201)) == 19


@needs_data
def test_layer_table_of_once_for_all_networks() -> None:
    table = read_table(DATA / "ofa_lut_jetson.csv.gz")
    target = open_recorded("ofa_lut_jetson", "latency", OFA, [table])
    largest = OFA.parse("r224-" + "-".join(["7777.6666"] * 5))
    smallest = OFA.parse("r160-" + "-".join(["33.33"] * 5))
    assert round(target.value(largest) / 1e6, 2) == 30.19
    assert round(target.value(smallest) / 1e6, 2) == 21.07


@needs_data
def test_board_runtimes_become_recorded_targets(tmp_path: Path) -> None:
    tables = import_table("hwnas360", [DATA / "nasbench201_pi5_runtime.npz"], tmp_path)
    targets = {c.target for c in recorded_columns(tables[0], NASBENCH201)}
    assert targets == {"pi5-onnx-cifar100", "pi5-litert-cifar100"}
    target = open_recorded("pi5-onnx-cifar100", "energy", NASBENCH201, tables)
    assert target.unit == "mJ"
    best = min(target.rows, key=target.value)
    assert target.value(best) > 0
