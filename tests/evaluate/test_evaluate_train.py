from __future__ import annotations

from pathlib import Path

import pytest

from nasprof.evaluate._evaluator import open_evaluator
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from profiler.core.errors import InputError

DOCUMENT = Path(__file__).parents[2] / "docs" / "search-your-training.md"
CODE = """
def size(network):
    return sum(p.numel() for p in network.parameters()) / 1e7

def told(network, *, seed, text, genes=(), more=3):
    return seed / 10 + len(genes) / 100 + text.startswith("|") / 1000

def first_weight(network):
    return abs(float(next(network.parameters()).detach().flatten()[0])) % 1

def picky(network, data):
    return 0.5

def nothing():
    return 0.5

def broken(network):
    raise RuntimeError("out of data")
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return str(path)


def test_the_function_gets_the_network_of_the_candidate(file: str) -> None:
    accuracy = open_evaluator(f"train:{file}:size", SPACE, 0)
    # Published for index 0 on CIFAR-10: 129,306 parameters.
    assert accuracy(SPACE.at(0)) == pytest.approx(129_306 / 1e7)


def test_it_is_told_what_it_asks_for(file: str) -> None:
    assert open_evaluator(f"train:{file}:told", SPACE, 3)(SPACE.at(7)) == pytest.approx(0.361)


def test_the_seed_decides_the_first_weights(file: str) -> None:
    one, same, other = (
        open_evaluator(f"train:{file}:first_weight", SPACE, seed)(SPACE.at(5)) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_what_it_raises_is_not_hidden(file: str) -> None:
    with pytest.raises(RuntimeError, match="out of data"):
        open_evaluator(f"train:{file}:broken", SPACE, 0)(SPACE.at(5))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train", "needs a function; write train:FILE.py:FUNCTION"),
        ("train:mine.py", "needs a function"),
        ("train:absent.py:size", "does not exist"),
        ("train:FILE:absent", "has no 'absent'; it defines: size"),
        ("train:FILE:picky", "no value for 'data'"),
        ("train:FILE:nothing", "takes a network"),
        ("train:no_such_module:size", "cannot import 'no_such_module'"),
        ("train:json:absent", "has no 'absent'"),
    ],
)
def test_functions_that_cannot_be_are_one_clear_line(text: str, words: str, file: str) -> None:
    with pytest.raises(InputError) as caught:
        open_evaluator(text.replace("FILE", file), SPACE, 0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_function_of_the_document_trains(tmp_path: Path) -> None:
    code = DOCUMENT.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "mine.py").write_text(code)
    found = open_evaluator(f"train:{tmp_path / 'mine.py'}:accuracy", SPACE, 0)
    # A cell that only passes its input on is quick.
    accuracy = found(SPACE.parse("|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"))
    assert 0 <= accuracy <= 1
    assert accuracy * 597 == pytest.approx(round(accuracy * 597), abs=1e-3)
