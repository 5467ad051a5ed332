"""Canonical forms: how many architectures differ, and that equal forms are equal functions."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from nasprof.spaces._dag import INTERIOR, PAIRS, VERTICES, live
from nasprof.spaces._genes import sample
from nasprof.spaces._space import Genes
from nasprof.spaces.autobert_zero import PLUGIN as AUTOBERT
from nasprof.spaces.fbnet import PLUGIN as FBNET
from nasprof.spaces.nasbench101 import PLUGIN as NASBENCH101
from nasprof.spaces.nasbench201 import EDGES
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from nasprof.spaces.nasbench_macro import PLUGIN as MACRO
from nasprof.spaces.transnas_macro import PLUGIN as TRANSNAS_MACRO
from nasprof.spaces.transnas_micro import PLUGIN as TRANSNAS_MICRO

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def cell_value(genes: Genes, functions: dict[int, object], skip: int) -> complex:
    """Run a cell on a number; every operation is one fixed function that keeps zero."""
    nodes: list[complex] = [0.7 + 0.2j, 0, 0, 0]
    for gene, (source, target) in zip(genes, EDGES, strict=True):
        if gene == skip and source:
            nodes[target] += nodes[source]
        elif gene:
            apply = functions[gene]
            assert callable(apply)
            nodes[target] += apply(nodes[source])
    return complex(np.round(nodes[3], 9))


FUNCTIONS: dict[int, object] = {
    1: lambda x: x * (1.1 + 0.3j),
    2: lambda x: np.sin(x * (0.9 - 0.4j)),
    3: lambda x: np.tanh(x * (0.5 + 0.8j)),
    4: lambda x: x * x + 0.3j * x,
}


def test_nasbench201_counts_6466_functions_and_keeps_the_random_module_alone() -> None:
    random.seed(5)
    expected = random.Random(5).random()
    members = NASBENCH201.members()
    assert random.random() == expected
    assert len(set(members)) == 15_625
    assert [NASBENCH201.index_of(genes) for genes in members] == list(range(15_625))
    assert len({NASBENCH201.canonical(genes) for genes in members}) == 6466


def test_nasbench201_equal_forms_are_equal_functions() -> None:
    functions = {**FUNCTIONS, 1: lambda x: x}
    for genes in NASBENCH201.members():
        form = NASBENCH201.canonical(genes)
        assert cell_value(genes, functions, 1) == cell_value(form, functions, 1)


def test_nasbench201_index_order_of_the_released_table() -> None:
    known = {
        0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
        "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
        1: "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|"
        "+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
        6111: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
        "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    }
    for index, text in known.items():
        assert NASBENCH201.describe(NASBENCH201.parse(str(index))) == text
        assert NASBENCH201.index_of(NASBENCH201.parse(text)) == index


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared benchmark tables are not here")
def test_nasbench201_classes_are_those_of_the_published_latencies() -> None:
    with np.load(DATA / "nasbench201_pi5_runtime.npz") as file:
        measured = file["representative"]
    forms = [NASBENCH201.canonical(genes) for genes in NASBENCH201.members()]
    assert all(forms[index] == forms[same] for index, same in enumerate(measured))
    assert len(set(measured.tolist())) == len(set(forms))


def test_transnas_sizes() -> None:
    assert len(set(TRANSNAS_MICRO.members())) == 4096
    assert len(set(TRANSNAS_MACRO.members())) == 3256
    texts = {TRANSNAS_MACRO.describe(genes) for genes in TRANSNAS_MACRO.members()}
    assert len(texts) == 3256
    assert "64-444-basic" not in texts
    assert "64-1111-basic" not in texts
    assert "64-123441-basic" in texts


def test_transnas_forms_are_exactly_the_different_functions() -> None:
    values = {g: cell_value(g, FUNCTIONS, 1) for g in TRANSNAS_MICRO.members()}
    forms = {g: TRANSNAS_MICRO.canonical(g) for g in TRANSNAS_MICRO.members()}
    assert all(values[genes] == values[form] for genes, form in forms.items())
    assert len(set(values.values())) == len(set(forms.values()))


def test_macro_counts_3969_networks() -> None:
    assert len(MACRO.members()) == 6561
    assert len({MACRO.canonical(genes) for genes in MACRO.members()}) == 3969


@pytest.mark.parametrize("space", [MACRO, FBNET], ids=["nasbench-macro", "fbnet"])
def test_layers_that_do_nothing_can_stand_anywhere(space: object) -> None:
    assert space in (MACRO, FBNET)
    chosen = MACRO if space is MACRO else FBNET
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = sample(chosen, 30, np.random.default_rng(0))
    moved = [genes for genes in found if chosen.canonical(genes) != genes][:3]
    assert moved
    for genes in moved:
        outputs = []
        for same in (genes, chosen.canonical(genes)):
            torch.manual_seed(0)
            with torch.no_grad():
                outputs.append(chosen.build(same).eval()(x))
        assert torch.equal(*outputs)


def permuted(genes: Genes, order: tuple[int, ...]) -> Genes | None:
    """The same graph with interior vertices in another order; None when an edge points back."""
    place = dict(enumerate((0, *order, VERTICES - 1)))
    moved = {place[v]: v for v in place}
    edges = {(moved[s], moved[t]) for (s, t), on in zip(PAIRS, genes, strict=False) if on}
    if any(source >= target for source, target in edges):
        return None
    ops = [genes[len(PAIRS) + place[v] - 1] for v in range(1, VERTICES - 1)]
    return (*(int(pair in edges) for pair in PAIRS), *ops)


def test_nasbench101_isomorphic_cells_have_one_form_and_hash() -> None:
    rng = np.random.default_rng(0)
    checked = 0
    for genes in sample(NASBENCH101, 200, rng):
        other = permuted(genes, tuple(int(v) + 1 for v in rng.permutation(INTERIOR)))
        if other is not None and other != genes:
            checked += 1
            assert NASBENCH101.canonical(other) == NASBENCH101.canonical(genes)
            assert NASBENCH101.module_hash(other) == NASBENCH101.module_hash(genes)
    assert checked > 10


def test_nasbench101_dead_vertices_do_not_count() -> None:
    cell = NASBENCH101.parse("0100-0001-0000-0000:3x3,pool")
    assert NASBENCH101.canonical(cell) == NASBENCH101.canonical(
        NASBENCH101.parse("010-001-000:3x3")
    )
    assert NASBENCH101.dag(cell).ops == ("conv3x3-bn-relu",)


@pytest.mark.parametrize(
    ("cell", "published"),
    [
        (
            "0100110-0010000-0001001-0000010-0000010-0000001-0000000:3x3,pool,3x3,3x3,1x1",
            "00005c142e6f48ac74fdcf73e3439874",
        ),
        (
            "0111010-0000001-0000001-0000100-0000001-0000001-0000000:1x1,3x3,3x3,3x3,pool",
            "28cfc7874f6d200472e1a9dcd8650aa0",
        ),
    ],
)
def test_nasbench101_hash_is_the_key_of_the_released_table(cell: str, published: str) -> None:
    assert NASBENCH101.module_hash(NASBENCH101.parse(cell)) == published


def labelings(vertices: int) -> np.ndarray:
    """All operations of the interior vertices of a graph with so many vertices."""
    labels = np.zeros((3 ** (vertices - 2), INTERIOR), dtype=np.int64)
    if vertices > 2:
        labels[:, : vertices - 2] = list(product(range(3), repeat=vertices - 2))
    return labels


@pytest.mark.slow
def test_nasbench101_counts_423624_cells() -> None:
    graphs = []
    for start in range(0, 2 ** len(PAIRS), 2**17):
        numbers = np.arange(start, start + 2**17)
        bits = numbers[:, None] >> np.arange(len(PAIRS)) & 1
        rows = np.concatenate([bits, np.zeros((len(bits), INTERIOR), dtype=bits.dtype)], axis=1)
        whole = live(rows)[0].sum(axis=1) == bits.sum(axis=1)
        kept = rows[whole & NASBENCH101.valid_rows(rows)]
        graphs.append(np.unique(NASBENCH101.canonical_rows(kept), axis=0))
    shapes = np.unique(np.concatenate(graphs), axis=0)
    vertices = live(shapes)[1].sum(axis=1)
    total = 0
    for shape, count in zip(shapes, vertices, strict=True):
        labels = labelings(int(count))
        rows = np.concatenate([np.tile(shape[: len(PAIRS)], (len(labels), 1)), labels], axis=1)
        total += len(np.unique(NASBENCH101.canonical_rows(rows), axis=0))
    assert total == 423_624


def test_attention_that_cancels_is_simplified() -> None:
    plain = AUTOBERT.parse("standard")
    text = AUTOBERT.describe(plain)
    longer = text.replace("transpose(K)", "transpose(transpose(transpose(K)))")
    assert longer != text
    assert AUTOBERT.canonical(AUTOBERT.parse(longer)) == AUTOBERT.canonical(plain)

    one = text.replace("transpose(K)", "transpose(add(K,Q))")
    two = text.replace("transpose(K)", "transpose(add(Q,K))")
    assert AUTOBERT.canonical(AUTOBERT.parse(one)) == AUTOBERT.canonical(AUTOBERT.parse(two))
    assert AUTOBERT.canonical(AUTOBERT.parse(one)) != AUTOBERT.canonical(plain)
