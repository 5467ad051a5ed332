from __future__ import annotations

import torch

from nasprof.evaluate._evaluator import open_evaluator
from nasprof.evaluate.digits import digits_arrays
from nasprof.spaces.nasbench201 import PLUGIN as SPACE

CONVOLUTIONS = (3, 1, 1, 1, 1, 3)
DEAD = (0, 0, 0, 0, 0, 0)


def test_a_good_cell_learns_and_a_dead_one_cannot() -> None:
    accuracy = open_evaluator("digits", SPACE, 0)
    assert accuracy(CONVOLUTIONS) > 0.8
    assert accuracy(DEAD) < 0.2


def test_the_seed_decides_the_training_and_torchs_own_generator_is_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = open_evaluator("digits", SPACE, 3)(CONVOLUTIONS)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert open_evaluator("digits", SPACE, 3)(CONVOLUTIONS) == first
    others = {open_evaluator("digits", SPACE, seed)(CONVOLUTIONS) for seed in (4, 5, 6)}
    assert others != {first}


def test_the_split_is_stratified_and_shares_no_image() -> None:
    arrays = digits_arrays()
    assert arrays.train_images.shape == (1078, 1, 8, 8)
    assert arrays.test_images.shape == (719, 1, 8, 8)
    shares = torch.bincount(arrays.test_labels) / torch.bincount(arrays.train_labels)
    assert shares.min() > 0.6
    assert shares.max() < 0.72
    assert arrays.train_images.mean().abs() < 1e-5
