"""NCP as a search: codes follow the gradient of predictors of accuracy and costs."""

from __future__ import annotations

from nasprof.search.following import Following
from nasprof.search.propagation import propagate

PLUGIN = Following("ncp", propagate)
