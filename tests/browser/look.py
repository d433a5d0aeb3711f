"""What a page must not have, on a phone and on a wide screen, in two themes: nothing for axe to say, nothing sideways, no text on text, a silent console."""

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
PHONE, DESK = 360, 1440  # pixels
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


class Screen:
    """Shows a page on a phone, which is touched, or on a wide screen, in one theme or the other."""

    def __init__(self, page: Page, complaints: list[str]) -> None:
        self.page, self._complaints = page, complaints
        self._devtools = page.context.new_cdp_session(page)

    def show(self, width: int, theme: str) -> None:
        self._devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": width == PHONE})
        self.page.set_viewport_size({"width": width, "height": pages.WIDTHS[width]})
        self.page.emulate_media(color_scheme=theme)
        self.page.evaluate(pages.REPAINTED)

    def faults(self, view: pages.View, *widths: int) -> list[str]:
        """Of a page that is shown at the first width in the light; it is left at the last one."""
        found = self._in_light(view, widths[0])
        for width in widths:
            self.show(width, "dark")
            found += [f"{width} px, dark: {text}" for text in judged(self.page, view, COLOURS)]
        for width in widths[1:]:
            self.show(width, "light")
            found += self._in_light(view, width)
        return found

    def _in_light(self, view: pages.View, width: int) -> list[str]:
        found = pages.faults_of(self.page, view, self._complaints) + judged(self.page, view, RULES)
        self._complaints.clear()
        return [f"{width} px: {text}" for text in found]


def faults_at(stack, browser, addresses, *, is_public, part=0, parts=1):
    mine = [each for each in pages.views(addresses) if each.is_public == is_public]
    faults, widths = [], (PHONE, DESK)
    with pages.visitor(browser, stack.base_url, width=DESK, theme="light", signed_in=not is_public) as (
        page,
        complaints,
    ):
        screen = Screen(page, complaints)
        for view in mine[part::parts]:
            # What was opened on a phone, a drawer say, is another thing on a wide screen: it is opened on each anew.
            for shown in [widths] if view.prepare is None else [[width] for width in widths]:
                screen.show(shown[0], "light")
                complaints.clear()
                pages.open_view(page, stack.base_url, view)
                faults += screen.faults(view, *shown)
            widths = widths[::-1]
    return faults


def look_at(page: Page, route: str) -> None:
    """The page that somebody has come to on a way that no address alone leads to. ``route`` is that of its address."""
    assert resolve(urlsplit(page.url).path).route.replace("^", "") == route, page.url
    page.wait_for_selector("body[data-ready]", state="attached")
    before, view, screen = page.viewport_size, pages.View(route, page.url), Screen(page, [])
    screen.show(PHONE, "light")
    faults = screen.faults(view, PHONE, DESK)
    page.set_viewport_size(before)
    assert faults == []


def judged(page, view, rules):
    # The policy of the page lets no script in but its own; the test speaks to the engine behind it.
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE)
    return [f"{view.name}: {text}" for text in page.evaluate(RUN_AXE, rules)]
