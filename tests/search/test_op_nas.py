from __future__ import annotations

import numpy as np
import pytest

from nasprof.search.strategies.op_nas import priorities


def test_priorities_by_hand() -> None:
    """Counts 1 and 3: u = 0.2 + sqrt(2 ln 4) = 1.8651 and 0.5 + sqrt(2 ln 4 / 3) = 1.4613."""
    found = priorities(np.array([0.2, 0.5]), np.array([1.0, 3.0]), alpha=1.0)
    first = 1 / (1 + np.exp(1.46134 - 1.86511))
    assert found == pytest.approx([first, 1 - first], abs=1e-4)


def test_without_exploration_only_the_mean_score_counts() -> None:
    found = priorities(np.array([0.0, 1.0]), np.array([1.0, 100.0]), alpha=0.0)
    assert found == pytest.approx([1 / (1 + np.e), np.e / (1 + np.e)])


def test_values_that_were_never_tried_come_first() -> None:
    found = priorities(np.array([0.9, 0.0, 0.0]), np.array([5.0, 0.0, 0.0]), alpha=1.0)
    assert found.tolist() == [0.0, 0.5, 0.5]
