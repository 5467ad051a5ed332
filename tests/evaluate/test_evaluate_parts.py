"""Several evaluators as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasprof.evaluate._evaluator import open_evaluator
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from profiler.core.errors import InputError


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "two.csv"
    rows = [
        f"{SPACE.describe(SPACE.at(i))},{one},{two}" for i, one, two in ((5, 80, 40), (7, 60, 70))
    ]
    path.write_text("\n".join(["arch,one,two", *rows]) + "\n")
    return str(path)


def test_tasks_are_weighted_or_the_worst_counts(table: str) -> None:
    both = f"3*table:{table}:one and 1*table:{table}:two"
    weighted = open_evaluator(f"weighted:{both}", SPACE, 0)
    assert weighted(SPACE.at(5)) == pytest.approx((3 * 0.8 + 0.4) / 4)
    worst = open_evaluator(f"worst:table:{table}:one and table:{table}:two", SPACE, 0)
    assert (worst(SPACE.at(5)), worst(SPACE.at(7))) == (0.4, 0.6)


def test_an_accuracy_and_a_proxy_are_on_one_scale(table: str) -> None:
    share = open_evaluator("proxy:params", SPACE, 4)(SPACE.at(5))
    text = f"weighted:1*table:{table}:one and 1*proxy:params"
    assert open_evaluator(text, SPACE, 4)(SPACE.at(5)) == pytest.approx((0.8 + share) / 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("weighted", "fewer than two parts; write"),
        ("worst:digits", "fewer than two parts"),
        ("weighted:digits and 1*proxy:macs", "'digits' has no weight above 0"),
        ("weighted:-1*digits and 1*proxy:macs", "has no weight above 0"),
        ("worst:digits and magic:x", "unknown accuracy 'magic:x'"),
    ],
)
def test_bad_combinations_are_one_clear_line(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        open_evaluator(text, SPACE, 0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
