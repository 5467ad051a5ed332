from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import PROGRAMS, Browser, program
from report_values import HOSTILE, Names, fill

from profiler.store.store import Store, open_store
from reports.gather import Material, gather
from reports.to_html import to_html

# A megabyte, of which at most 200 characters may be seen anywhere.
LONG = HOSTILE + "x" * 1_000_000
TWIN = Names(prefix="m" * len(HOSTILE), search="s", message="it died")
NASTY = Names(prefix=HOSTILE, search=HOSTILE, message=LONG)


@pytest.fixture
def browser() -> Iterator[Browser]:
    found = program()
    if found is None:
        pytest.skip(f"no browser here, looked for {', '.join(PROGRAMS)}")
    with Browser(found) as opened:
        yield opened


@pytest.fixture(scope="session")
def filled() -> Iterator[Store]:
    with open_store("sqlite://") as store:
        fill(store)
        yield store


@pytest.fixture(scope="session")
def material(filled: Store) -> Material:
    return gather(filled)


@pytest.fixture(scope="session")
def nasty() -> Material:
    with open_store("sqlite://") as store:
        fill(store, NASTY, trials=12)
        return gather(store)


@pytest.fixture(scope="session")
def twin() -> Material:
    with open_store("sqlite://") as store:
        fill(store, TWIN, trials=12)
        return gather(store)


# Drawing takes a second or two: each page is made once for all tests.


@pytest.fixture(scope="session")
def html(material: Material) -> str:
    return to_html(material, "2026-01-01")


@pytest.fixture(scope="session")
def nasty_html(nasty: Material) -> str:
    return to_html(nasty, "2026-01-01")


@pytest.fixture(scope="session")
def twin_html(twin: Material) -> str:
    return to_html(twin, "2026-01-01")
