"""The pages in a headless Chromium: wide, narrow, light, dark, sorted by mouse and keyboard."""

from __future__ import annotations

import re

import pytest

from tests.samplers.compare.browsing import CONTRASTS, OVERFLOW, ROWS, chromium, opened

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
LEAST = 4.5  # WCAG 2.1, AA


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=["one", "two"])
def path(request, finished, compared):
    return (finished.out if request.param == "one" else compared) / "report.html"


@pytest.mark.parametrize("width, scheme", VIEWS)
def test_is_legible_without_network_and_sideways_scrolling(browser, path, width, scheme):
    page, complaints = opened(browser, path, width, scheme)
    assert complaints == []
    assert page.evaluate(OVERFLOW) <= 0
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [c for c in contrasts if c[0] < LEAST] == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark == (scheme == "dark")
    page.close()


def test_these_checks_can_fail(browser, finished):
    """Grey on grey, a wide element, a message and a request are seen."""
    page, complaints = opened(browser, finished.out / "report.html", 390, "light")
    page.evaluate("document.documentElement.style.setProperty('--soft', '#9aa0a6')")
    assert [c for c in page.evaluate(CONTRASTS) if c[0] < LEAST]
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<div style=width:999px>x</div>')")
    assert page.evaluate(OVERFLOW) > 0
    page.evaluate(
        "console.log('said'); document.body.append(new Image()); "
        "document.body.lastChild.src = 'http://localhost:9/x.png'"
    )
    page.wait_for_timeout(200)
    assert "said" in complaints
    assert any("localhost:9" in text for text in complaints)
    page.close()


def numbers(page, column):
    cells = page.locator(f"table.sortable tbody tr td:nth-child({column + 1})").all_inner_texts()
    return [float(re.match(r"[+-]?[\d.]+", cell).group()) for cell in cells]


@pytest.mark.parametrize("press", ["click", "Enter", "Space"])
def test_a_head_sorts_by_its_column(browser, path, press):
    """Up, down and back as it was; other heads are unsorted again."""
    page, _ = opened(browser, path, 1280, "light")
    before, column = page.evaluate(ROWS), 3
    heads = page.locator("table.sortable thead th")

    def sort(which):
        button = heads.nth(which).locator("button")
        if press == "click":
            button.click()
        else:
            button.focus()
            page.keyboard.press(press)
        return [h.get_attribute("aria-sort") for h in heads.all()]

    assert sort(0)[0] == "ascending"
    names = page.locator("table.sortable tbody th").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    assert sort(column) == ["none"] * column + ["ascending"] + ["none"] * (
        heads.count() - column - 1
    )
    up = numbers(page, column)
    assert up == sorted(up)
    assert len(set(up)) > 1
    assert page.evaluate(ROWS) != before
    assert sort(column)[column] == "descending"
    assert numbers(page, column) == sorted(up, reverse=True)
    assert set(sort(column)) == {"none"}
    assert page.evaluate(ROWS) == before
    page.close()


def test_the_keyboard_reaches_the_first_head(browser, finished):
    page, _ = opened(browser, finished.out / "report.html", 1280, "light")
    for _ in range(2):  # the box that scrolls, then the head
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "method"
    page.close()
