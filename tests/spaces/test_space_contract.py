"""What every search space keeps, whatever it is; a new file is tested without a new test."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from space_cases import build, example, reference_count, small_shape

from exporters.options import ExportOptions
from nasprof.spaces._cost import count_network
from nasprof.spaces._genes import (
    canonical_forms,
    check,
    crossover,
    distinct,
    input_shape,
    mutate,
    neighbours,
    numeric,
    one_hot,
    sample,
    sample_distinct,
)
from nasprof.spaces._space import Enumerated, Genes, Space
from profiler.core.errors import InputError
from profiler.core.plugins import load, names

NAMES = names("nasprof.spaces")


@pytest.fixture(params=NAMES)
def space(request: pytest.FixtureRequest) -> Space:
    found: Space = load("nasprof.spaces", request.param)
    return found


def drawn(space: Space, count: int, seed: int = 0) -> list[Genes]:
    return sample(space, count, np.random.default_rng(seed))


def test_the_description_of_a_space_is_whole(space: Space) -> None:
    assert len(space.gene_names) == len(space.choices) == len(space.sizes)
    assert len(set(space.gene_names)) == len(space.gene_names)
    assert space.sizes == tuple(len(options) for options in space.choices)
    assert all(len(set(options)) == len(options) for options in space.choices)
    assert space.title
    assert min(space.input_shape) > 0


def test_samples_are_valid_and_repeat_with_the_seed(space: Space) -> None:
    candidates = drawn(space, 200)
    assert all(check(space, genes) == genes for genes in candidates)
    assert candidates == drawn(space, 200)
    assert candidates != drawn(space, 200, seed=1)


def test_text_is_read_back(space: Space) -> None:
    for genes in drawn(space, 200):
        assert space.parse(space.describe(genes)) == genes


def test_canonical_form_is_valid_and_its_own_form(space: Space) -> None:
    candidates = drawn(space, 200)
    forms = canonical_forms(space, candidates)
    assert forms == [space.canonical(genes) for genes in candidates]
    assert canonical_forms(space, forms) == forms
    assert all(space.valid(form) for form in forms)
    kept = distinct(space, candidates + forms)
    assert len(kept) == len(set(forms))
    assert kept == distinct(space, candidates)


def test_neighbours_differ_and_are_valid(space: Space) -> None:
    for genes in drawn(space, 3):
        near = neighbours(space, genes)
        assert near
        assert len(set(near)) == len(near)
        for other in near:
            assert space.valid(other)
            assert space.canonical(other) != space.canonical(genes)


def test_mutation_and_crossover_give_valid_candidates(space: Space) -> None:
    parents = drawn(space, 20)
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    for a, b in pairwise(parents):
        child = mutate(space, a, rng)
        assert space.valid(child)
        assert space.canonical(child) != space.canonical(a)
        mixed = crossover(space, a, b, rng)
        assert space.valid(mixed)
        assert (child, mixed) == (mutate(space, a, again), crossover(space, a, b, again))


def test_distinct_samples_leave_out_the_known(space: Space) -> None:
    known = {space.canonical(genes) for genes in drawn(space, 50)}
    found = sample_distinct(space, 30, np.random.default_rng(0), known)
    forms = {space.canonical(genes) for genes in found}
    assert len(forms) == len(found) == 30
    assert not forms & known


def test_encodings_tell_candidates_apart(space: Space) -> None:
    candidates = distinct(space, drawn(space, 50))
    ones, plain = one_hot(space, candidates), numeric(space, candidates)
    assert ones.dtype == plain.dtype == np.float32
    assert ones.shape == (len(candidates), sum(space.sizes))
    assert plain.shape == (len(candidates), len(space.sizes))
    assert (ones.sum(axis=1) == len(space.sizes)).all()
    assert len(np.unique(ones, axis=0)) == len(np.unique(plain, axis=0)) == len(candidates)


def test_members_are_all_the_valid_candidates(space: Space) -> None:
    if not isinstance(space, Enumerated):
        pytest.skip("the space does not list its members")
    members = space.members()
    assert len(set(members)) == len(members)
    grid = np.indices(space.sizes).reshape(len(space.sizes), -1).T.tolist()
    assert set(members) == {tuple(row) for row in grid if space.valid(tuple(row))}


def test_genes_outside_the_space_are_refused(space: Space) -> None:
    genes = drawn(space, 1)[0]
    with pytest.raises(InputError, match="genes, not"):
        check(space, genes[:-1])
    with pytest.raises(InputError, match="must be 0"):
        check(space, (space.sizes[0], *genes[1:]))
    for text in ("", "x", "no such architecture", "-1", "999999999999"):
        with pytest.raises(InputError):
            space.parse(text)


def built_and_counted(space: Space, genes: Genes) -> None:
    shape = small_shape(space, genes)
    network, x = build(space, genes), example(space, shape)
    with torch.no_grad():
        assert torch.isfinite(network.eval()(x)).all()
    cost = count_network(lambda: build(space, genes), shape, space.input_dtype)
    assert (cost.macs, cost.norm_elements, cost.params) == reference_count(network, x)


def test_networks_run_and_cost_what_is_counted(space: Space) -> None:
    for genes in drawn(space, 4):
        built_and_counted(space, genes)
    assert min(input_shape(space, genes)) > 0


@pytest.mark.slow
def test_two_hundred_networks_run_and_cost_what_is_counted(space: Space) -> None:
    for genes in drawn(space, 200, seed=11):
        built_and_counted(space, genes)


def test_small_networks_train_on_tiny_images(space: Space) -> None:
    genes = drawn(space, 1)[0]
    if space.task != "classification":
        with pytest.raises(InputError):
            space.small(genes, classes=10, channels=1)
        return
    network = space.small(genes, classes=10, channels=1).train()
    scores = network(torch.randn(8, 1, 8, 8))
    assert scores.shape == (8, 10)
    scores.sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.slow
def test_twenty_networks_export_with_parity(space: Space, tmp_path: Path) -> None:
    from nasprof.exporting import export
    from profiler.core.tensor import TensorSpec

    for number, genes in enumerate(drawn(space, 20, seed=1)):
        spec = TensorSpec("input", space.input_dtype, (1, *small_shape(space, genes)))
        result = export(
            build(space, genes),
            tmp_path / f"{number}.onnx",
            input_shape=(spec,),
            cache_dir=tmp_path / "cache",
        )
        assert result.parity
        assert max(check.relative for check in result.parity) <= ExportOptions().tolerance
