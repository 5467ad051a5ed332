"""`pruned:SUBJECT`: widths as genes, and a search over them."""

from __future__ import annotations

import pytest
import torch

from nasprof import api, inspecting
from nasprof.prune._space import SHARES, PrunedSpace, pruned_space
from profiler.core.errors import InputError

pytest.importorskip("torch_pruning", reason='surgery needs pip install "nasprof[prune]"')

FACTORY = """
from torch import nn

def small():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10),
    )
small.input_shape = (3, 12, 12)
"""


@pytest.fixture
def reference(tmp_path, monkeypatch) -> str:
    (tmp_path / "net.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    return "pruned:net.py:small"


@pytest.fixture
def space(reference) -> PrunedSpace:
    return pruned_space(reference)


def macs(space: PrunedSpace, genes: tuple[int, ...]) -> int:
    network = space.build(genes)
    return inspecting.count(inspecting.Question(network, input_shape=space.input_shape)).macs


def test_a_gene_is_the_share_that_a_group_keeps(space) -> None:
    assert space.gene_names == ("0", "3")
    assert space.kept((6, 6)) == (16, 3)
    assert space.kept((0, 0)) == (4, 1)
    assert macs(space, (6, 6)) == 100 * 27 * 16 + 64 * 9 * 16 * 3 + 30
    assert macs(space, (2, 6)) == 100 * 27 * 8 + 64 * 9 * 8 * 3 + 30


def test_widths_that_a_narrow_group_has_not_are_one_network(space) -> None:
    # Of 3 units a share of 0.375 and of 0.5 keep 2.
    assert space.kept((6, 1)) == space.kept((6, 2)) == (16, 2)
    assert space.canonical((6, 2)) == (6, 1)
    assert space.canonical((3, 0)) == (3, 0)


def test_text_form(space) -> None:
    genes = (2, 1)
    assert space.describe(genes) == "8-2"
    assert space.parse("8-2") == genes
    for text in ("8", "7-2", "8-2-1", "a-b"):
        with pytest.raises(InputError, match="the whole one is 16-3"):
            space.parse(text)


def test_weights_of_what_is_left_are_kept(space) -> None:
    whole, narrow = space.build((6, 6)), space.build((2, 6))
    rows = {tuple(row.flatten().tolist()) for row in whole[0].weight}
    assert all(tuple(row.flatten().tolist()) in rows for row in narrow[0].weight)


def test_small_images_are_fitted(space) -> None:
    network = space.small((0, 6), classes=4, channels=1).eval()
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 4)
    with pytest.raises(InputError, match="tells 10 classes apart, not 11"):
        space.small((0, 6), classes=11, channels=1)


@pytest.mark.slow
def test_a_search_finds_widths_inside_a_limit(reference, space, tmp_path) -> None:
    limit = macs(space, (6, 6)) // 2
    result = api.search(
        reference, accuracy="digits", limits=[f"macs<={limit}"], queries=3, strategy="random",
        store=tmp_path / "store.db",
    )  # fmt: skip
    inside = [t for t in result.trials if t.accuracy is not None and t.metrics["macs"] <= limit]
    assert inside
    for trial in inside:
        assert trial.metrics["macs"] == macs(space, trial.candidate.genes)


def test_what_is_no_subject_of_images_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.py").write_text(
        "from torch import nn\ndef line():\n    return nn.Linear(4, 2)\nline.input_shape = (4,)\n"
    )
    with pytest.raises(InputError, match="takes no images"):
        pruned_space("pruned:line.py:line")
    with pytest.raises(InputError, match="unknown subject"):
        pruned_space("pruned:nothing")


def test_shares_end_with_the_whole() -> None:
    assert SHARES[-1] == 1.0
    assert list(SHARES) == sorted(SHARES)
