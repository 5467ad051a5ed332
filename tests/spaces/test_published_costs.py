"""Costs that the spaces' authors published, or that two independent counters agree on: exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nasprof.spaces._cost import NetworkCost, count_network
from nasprof.spaces._space import Indexed
from nasprof.spaces.nasbench101 import PLUGIN as NASBENCH101
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.spaces.nasbench_mr import PLUGIN as NASBENCH_MR
from nasprof.spaces.ofa_mobilenetv3_w12 import PLUGIN as OFA
from nasprof.spaces.transnas_macro import PLUGIN as TRANSNAS_MACRO
from nasprof.spaces.transnas_micro import PLUGIN as TRANSNAS_MICRO
from nasprof.tables._read import read_table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the shared benchmark tables are not here"
)


@pytest.mark.parametrize(
    ("cell", "params", "macs"),
    [
        (
            "0111100-0000001-0000001-0000001-0000010-0000001-0000000:3x3,1x1,pool,3x3,3x3",
            2_694_282,
            402_002_944,
        ),
        (
            "0100110-0010000-0001001-0000010-0000010-0000001-0000000:3x3,pool,3x3,3x3,1x1",
            8_555_530,
            None,
        ),
    ],
)
def test_nasbench101(cell: str, params: int, macs: int | None) -> None:
    genes = NASBENCH101.parse(cell)
    cost = count_network(lambda: NASBENCH101.build(genes), (3, 32, 32))
    assert cost.params == params
    assert macs is None or cost.macs == macs


def nasbench201_cost(index: int, classes: int, size: int) -> NetworkCost:
    genes = NASBENCH201.at(index)
    return count_network(lambda: NASBENCH201.build(genes, classes=classes), (3, size, size))


@pytest.mark.parametrize(
    ("classes", "size", "published_mflops", "params"),
    [(10, 32, 15.64737, 129_306), (100, 32, 15.65322, 135_156), (120, 16, 3.91948, None)],
)
def test_nasbench201_index_0(
    classes: int, size: int, published_mflops: float, params: int | None
) -> None:
    cost = nasbench201_cost(0, classes, size)
    # Published FLOPs are MACs plus the additions of the classifier's bias.
    assert round((cost.macs + cost.linear_bias_adds) / 1e6, 5) == published_mflops
    assert params is None or cost.params == params


def test_nasbench201_extremes() -> None:
    least, most = ((NASBENCH201.index_of((op,) * 6)) for op in (0, 3))
    small, large = (nasbench201_cost(index, 100, 32) for index in (least, most))
    assert [round((c.macs + c.linear_bias_adds) / 1e6, 2) for c in (small, large)] == [7.79, 220.13]
    assert [round(c.params / 1e6, 3) for c in (small, large)] == [0.079, 1.537]


@needs_data
def test_nasbench201_rows_of_the_recomputed_table() -> None:
    table = read_table(DATA / "nasbench201.csv.gz")
    assert isinstance(NASBENCH201, Indexed)
    macs, params = table.numbers("macs_c10"), table.numbers("params_c10")
    for index in range(0, 15_625, 500):
        cost = nasbench201_cost(index, 10, 32)
        assert (cost.macs, cost.params) == (macs[index], params[index])


@pytest.mark.parametrize(
    ("code", "gflops", "mparams"),
    [
        ("128 128 2 4 128 2 4 4 128 128 2 4 4 4 128 128 128 2 4 4 4 4 128 128 128 128 128",
         13.727426866, 28.290994),
        ("64 64 2 2 64 2 2 2 64 64 2 2 2 2 64 64 64 2 2 2 2 2 64 64 64 64 64",
         1.959638194, 4.128754),
        ("8 8 1 1 8 1 1 1 8 8 1 1 1 1 8 8 8 1 1 1 1 1 8 8 8 8 8", 0.010842562, 0.021322),
        ("16 16 1 1 16 1 1 1 16 16 1 1 1 1 16 16 16 1 1 1 1 1 16 16 16 16 16",
         0.040917842, 0.082658),
    ],
)  # fmt: skip
def test_nasbench_mr(code: str, gflops: float, mparams: float) -> None:
    genes = NASBENCH_MR.parse(code)
    cost = count_network(lambda: NASBENCH_MR.build(genes), (3, 128, 128))
    assert NASBENCH_MR.published_gflops(cost) == pytest.approx(gflops, abs=2e-15)
    assert cost.params == round(mparams * 1e6)


def nasbench_mr_rows(step: int) -> None:
    table = read_table(DATA / "nasbench_mr.csv.gz")
    rows = table.candidates(NASBENCH_MR)
    gflops, mparams = table.numbers("gflops"), table.numbers("mparams")
    assert len(rows) == 2507
    for genes, row in list(rows.items())[::step]:
        cost = count_network(lambda genes=genes: NASBENCH_MR.build(genes), (3, 128, 128))
        assert abs(NASBENCH_MR.published_gflops(cost) - gflops[row]) <= 2e-15
        assert cost.params == round(mparams[row] * 1e6)


@needs_data
def test_nasbench_mr_some_rows_of_the_table() -> None:
    nasbench_mr_rows(step=100)


@pytest.mark.slow
@needs_data
@pytest.mark.timeout(900)
def test_nasbench_mr_all_rows_of_the_table() -> None:
    nasbench_mr_rows(step=1)


@pytest.mark.parametrize(
    ("text", "mmacs"),
    [
        ("r224-35.46-7573.4346-3757.4663-3355.6663-7535.6643", 593.16),
        ("r224-5333.3343-555.464-757.466-355.666-7535.6663", 560.83),
        (
            '{"ks": [3,5,3,3, 7,5,7,3, 3,7,5,7, 3,3,5,5, 7,5,3,5], '
            '"e": [4,6,3,3, 4,3,4,6, 4,6,6,3, 6,6,6,3, 6,6,4,3], "d": [2,4,4,4,4], "r": [224]}',
            593.16,
        ),
    ],
)
def test_once_for_all_networks_found_by_weaknas(text: str, mmacs: float) -> None:
    genes = OFA.parse(text)
    cost = count_network(lambda: OFA.build(genes), (3, 236, 236))
    assert round(cost.macs / 1e6, 2) == mmacs


@pytest.mark.parametrize(
    ("text", "kmacs", "params"),
    [
        ("64-41414-1_02_333", 3_511_116, 22_520_608),
        ("64-41414-3_33_333", 6_484_746, 41_411_616),
        ("64-1234-basic", 3_061_539, 3_400_224),
        ("64-4111-basic", 1_866_949, 2_317_600),
    ],
)
def test_transnas_encoders(text: str, kmacs: int, params: int) -> None:
    space = TRANSNAS_MACRO if text.endswith("basic") else TRANSNAS_MICRO
    genes = space.parse(text)
    cost = count_network(lambda: space.build(genes).encoder, (3, 224, 224))
    assert round(cost.macs / 1e3) == kmacs
    assert cost.params == params


@needs_data
def test_once_for_all_networks_of_the_latency_table_are_in_the_space() -> None:
    table = read_table(DATA / "hardware" / "ofa_mobilenetv3_latency_ms.parquet")
    rows = table.candidates(OFA)
    assert all(OFA.valid(genes) for genes in rows)
    resolutions = np.asarray(table.values("resolution"))
    assert all(OFA.resolution(genes) == resolutions[row] for genes, row in rows.items())
