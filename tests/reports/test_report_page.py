"""What the page holds, whatever the names are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_values import HOSTILE, LATENCY, NAMED, SEARCH, fill

from profiler.store.records import SearchState
from profiler.store.store import Store, open_store
from reports.gather import Material, gather
from reports.to_html import to_html


class Page(HTMLParser):
    """Counts elements, and keeps attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_part_is_there(page: Page) -> None:
    places = {value for name, value in page.attributes if name == "id"}
    assert {
        "search", "measurements", "macs", "spread", "operators", "failures", "machine",
        "provenance",
    } <= places  # fmt: skip
    links = {value[1:] for name, value in page.attributes if name == "href" and value[:1] == "#"}
    assert links <= places
    assert page.tags["svg"] >= 4
    for name, *_ in NAMED:
        assert name in page.text
    for words in ("Made-up Xeon", "Pareto set", "limit 2.000 ms", "onnxruntime 1.31.1", "crashed"):
        assert words in page.text


def test_ids_are_given_once(page: Page) -> None:
    ids = Counter(value for name, value in page.attributes if name == "id")
    assert ids.most_common(1)[0][1] == 1


def test_nothing_comes_from_outside_and_nothing_runs(page: Page, html: str) -> None:
    forbidden = ("script", "iframe", "object", "embed", "img", "form", "base")
    assert not [tag for tag in forbidden if page.tags[tag]]
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    links = [value for name, value in page.attributes if name in ("href", "xlink:href")]
    assert [link for link in links if not link.startswith("#")] == ["data:,"]
    policies = [value for name, value in page.attributes if "default-src 'none'" in value]
    assert len(policies) == 1
    assert not re.search(r"url\((?!#)|@import", html)


def test_hostile_names_are_text(nasty_html: str, twin_html: str) -> None:
    hostile = Page(nasty_html)
    assert hostile.tags == Page(twin_html).tags
    assert "<script>alert(1)</script>" in hostile.text
    assert "\x1b" not in hostile.text
    assert "\u202e" not in hostile.text
    assert "$x^2$" in hostile.text
    assert len(nasty_html) < 2_000_000
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]


def test_the_same_material_gives_the_same_page(material: Material, html: str) -> None:
    assert to_html(material, "2026-01-01") == html


def test_no_home_folder_is_shown(material: Material) -> None:
    failed = next(s for s in material.subjects if s.row.status == "failure")
    row = replace(failed.row, label="/home/somebody/nets/a.onnx")
    changed = replace(material, subjects=(replace(failed, row=row),), search=None)
    text = to_html(changed, "now")
    assert "somebody" not in text
    assert "~/nets/a.onnx" in text


def test_an_empty_store_still_makes_a_page() -> None:
    with open_store("sqlite://") as store:
        page = Page(to_html(gather(store), "now"))
    assert "Nothing was measured yet" in page.text
    assert page.tags["svg"] == 0


def test_measurements_without_a_search() -> None:
    with open_store("sqlite://") as store:
        fill(store, trials=0)
        page = Page(to_html(gather(store), "now"))
    assert "Search" not in page.text
    assert page.tags["svg"] >= 3


def test_a_search_that_was_cut_short_says_so(filled: Store) -> None:
    with open_store("sqlite://") as store:
        found = filled.load_search(SEARCH)
        assert found is not None
        store.create_search(replace(found, state=SearchState.INTERRUPTED))
        for trial in filled.trials(SEARCH)[:20]:
            store.put_trial(SEARCH, trial)
        page = Page(to_html(gather(store), "now"))
    assert "interrupted and not finished" in page.text
    assert "Pareto set so far" in page.text


def test_a_search_without_any_accuracy(filled: Store) -> None:
    with open_store("sqlite://") as store:
        found = filled.load_search(SEARCH)
        assert found is not None
        store.create_search(found)
        for trial in filled.trials(SEARCH)[:5]:
            store.put_trial(SEARCH, replace(trial, accuracy=None, metrics={LATENCY: 9e9}))
        page = Page(to_html(gather(store), "now"))
    assert "No network is to be reported" in page.text
    assert "No accuracy is known" in page.text


def test_commands_can_be_pasted(page: Page, nasty_html: str) -> None:
    named = "nasprof bench reference:resnet18 --on onnxruntime-cpu --threads 2 --batch 1 --seed 0"
    assert named in page.text
    assert "--limit 'latency@onnxruntime-cpu<=2ms'" in page.text
    hostile = Page(nasty_html).text
    assert "nasprof bench '" in hostile
    assert HOSTILE[:5] in hostile
