from __future__ import annotations

from pathlib import Path

import pytest

from nasprof.evaluate._evaluator import open_evaluator
from nasprof.spaces.nasbench201 import PLUGIN as SPACE
from profiler.core.errors import InputError


def _write(path: Path, rows: list[tuple[int, str]], head: str = "arch,acc") -> str:
    lines = [f"{SPACE.describe(SPACE.at(index))},{value}" for index, value in rows]
    path.write_text("\n".join([head, *lines]) + "\n")
    return str(path)


def test_percent_becomes_a_share_and_shares_stay(tmp_path: Path) -> None:
    percent = _write(tmp_path / "p.csv", [(5, "93.5"), (7, "0.5")])
    share = _write(tmp_path / "s.csv", [(5, "0.935"), (7, "0.005")])
    for file in (percent, share):
        accuracy = open_evaluator(f"table:{file}:acc", SPACE, 0)
        assert accuracy(SPACE.at(5)) == pytest.approx(0.935)
        assert accuracy(SPACE.at(7)) == pytest.approx(0.005)


def test_index_column_and_only_metric(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_text("index,acc\n12,0.25\n99,0.5\n")
    assert open_evaluator(f"table:{path}", SPACE, 0)(SPACE.at(99)) == 0.5


def test_a_missing_candidate_is_named(tmp_path: Path) -> None:
    accuracy = open_evaluator(
        f"table:{_write(tmp_path / 'p.csv', [(5, '93.5'), (7, '')])}", SPACE, 0
    )
    for index in (6, 7):
        with pytest.raises(InputError) as caught:
            accuracy(SPACE.at(index))
        assert SPACE.describe(SPACE.at(index)) in str(caught.value)


def test_an_isomorphic_row_serves(tmp_path: Path) -> None:
    genes = next(g for g in SPACE.members() if SPACE.canonical(g) != g)
    form = SPACE.canonical(genes)
    path = _write(tmp_path / "c.csv", [(SPACE.index_of(form), "0.75")])
    assert open_evaluator(f"table:{path}", SPACE, 0)(genes) == 0.75


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table", "needs a file"),
        ("table:", "needs a file"),
        ("table:absent.csv", "no file"),
        ("digits:1", "takes no argument"),
        ("imagenet", "unknown accuracy 'imagenet'; give one of: digits, proxy:naswot"),
    ],
)
def test_wrong_texts_say_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_evaluator(text, SPACE, 0)


def test_a_column_that_is_no_accuracy_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "n.csv", [(5, "-3"), (7, "12")])
    with pytest.raises(InputError, match="holds no accuracies"):
        open_evaluator(f"table:{path}:acc", SPACE, 0)
