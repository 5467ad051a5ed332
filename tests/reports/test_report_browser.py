"""The page in a real browser: nothing is fetched, nothing is run, nothing complains."""

from __future__ import annotations

from pathlib import Path

from browser import Browser

NODES = "document.getElementsByTagName('*').length"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def write(folder: Path, html: str) -> Path:
    page = folder / "index.html"
    page.write_text(html, encoding="utf-8")
    return page


def test_the_page_needs_nothing_and_complains_about_nothing(
    browser: Browser, html: str, tmp_path: Path
) -> None:
    page = write(tmp_path, html)
    browser.open(page)
    assert [url for url in browser.requests if not url.startswith("data:")] == [page.as_uri()]
    assert browser.complaints == []
    assert browser.evaluate("document.querySelectorAll('svg.chart').length") >= 4
    assert browser.evaluate("document.querySelector('svg.chart').clientHeight") > 200
    assert browser.evaluate(OVERFLOW) <= 0


def test_hostile_names_make_no_element_and_no_request(
    browser: Browser, nasty_html: str, twin_html: str, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    browser.open(write(tmp_path / "a", twin_html))
    harmless = browser.evaluate(NODES)
    browser.open(write(tmp_path / "b", nasty_html))
    assert browser.evaluate(NODES) == harmless
    assert browser.dialogs == []
    assert browser.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in browser.requests)
    assert browser.evaluate("document.body.textContent.includes('<script>alert(1)')")


def test_this_browser_would_have_told(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"
        "<img src='http://nowhere.invalid/a.png'><script>1</script>"
    )
    browser.open(page)
    assert "http://nowhere.invalid/a.png" in browser.requests
    assert any("Security Policy" in text for text in browser.complaints)
