"""What a page must not have, in two themes: nothing for axe to say, nothing sideways, no text on text, a silent console."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Page

from tests.browser import pages
from tests.stack import Stack

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: What else axe judges is the same in every theme.
COLOURS = ["color-contrast", "link-in-text-block"]
RUN_AXE = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"], selectors: false });
  return violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html, failureSummary }) =>
    `${id}: ${html.slice(0, 160)} — ${failureSummary.split("\\n")[1]?.trim()}`));
}"""


@pytest.fixture(scope="module")
def stack():
    with Stack(interactives=0, jobs=0) as running:
        yield running


@pytest.fixture(scope="module")
def addresses(stack, browser):
    found = pages.tell(stack)
    with pages.visitor(browser, stack.base_url, width=1440, theme="light", signed_in=True) as (page, _complaints):
        found["settings"] = pages.settings_paths(page, stack.base_url)
    return found


def faults_at(stack, browser, addresses, *, width, is_public, part=0, parts=1):
    mine = [each for each in pages.views(addresses) if each.is_public == is_public]
    faults = []
    with pages.visitor(browser, stack.base_url, width=width, theme="light", signed_in=not is_public) as (
        page,
        complaints,
    ):
        for view in mine[part::parts]:
            complaints.clear()
            page.emulate_media(color_scheme="light")
            pages.open_view(page, stack.base_url, view)
            faults += pages.faults_of(page, view, complaints) + judged(page, view, RULES)
            page.emulate_media(color_scheme="dark")
            page.evaluate(pages.REPAINTED)
            faults += [f"dark: {text}" for text in judged(page, view, COLOURS)]
    return faults


def look_at(page: Page, route: str) -> None:
    """The page that somebody has come to on a way that no address alone leads to. ``route`` is that of its address."""
    assert resolve(urlsplit(page.url).path).route.replace("^", "") == route, page.url
    page.wait_for_selector("body[data-ready]", state="attached")
    before, view, faults = page.viewport_size, pages.View(route, page.url), []
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": pages.WIDTHS[width]})
        page.emulate_media(color_scheme="light")
        page.evaluate(pages.REPAINTED)
        faults += pages.faults_of(page, view, []) + judged(page, view, RULES)
        page.emulate_media(color_scheme="dark")
        page.evaluate(pages.REPAINTED)
        faults += [f"dark: {text}" for text in judged(page, view, COLOURS)]
    page.set_viewport_size(before)
    assert faults == []


def judged(page, view, rules):
    # The policy of the page lets no script in but its own; the test speaks to the engine behind it.
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE)
    return [f"{view.name}: {text}" for text in page.evaluate(RUN_AXE, rules)]
