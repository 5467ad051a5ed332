"""The table of fault cases names exactly the tests that there are."""

import re
from pathlib import Path

HERE = Path(__file__).parent
WORKER_AND_NUMBERS = set(range(26, 50))


def test_every_case_has_a_test_and_stands_in_the_table():
    tested = {
        (int(case), file.name)
        for file in HERE.glob("test_*.py")
        for case in re.findall(r"^def test_case_(\d+)_", file.read_text(), re.MULTILINE)
    }
    listed = {
        (int(row[1]), name)
        for row in re.finditer(r"^\| (\d+) \|.*$", (HERE / "README.md").read_text(), re.MULTILINE)
        for name in re.findall(r"`(test_\w+\.py)`", row[0])
    }
    assert listed == tested
    assert {case for case, _ in tested} == WORKER_AND_NUMBERS
