"""NCP, winner takes all: one step of one gene at a time, the best predicted one."""

from __future__ import annotations

from nasprof.search.following import Following
from nasprof.search.propagation import climb

PLUGIN = Following("ncp-wta", climb)
