"""Notices are read whatever else is open: above the drawer of a phone, also when it opens after them."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

#: What answers for the middle of the notice: the notice, unless something lies on it.
IS_ON_TOP = """notice => {
    const box = notice.getBoundingClientRect();
    return notice.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
}"""


@pytest.fixture
def ines(people):
    ines = people("ines").start()
    ines.page.set_viewport_size({"width": 360, "height": 780})
    return ines


def is_on_top(page):
    notice = page.locator(".toast")
    expect(notice).to_be_visible()
    page.wait_for_timeout(400)  # it rises into its place
    return notice.evaluate(IS_ON_TOP)


def test_notice_of_what_was_done_in_the_drawer_lies_above_it(ines):
    page = ines.page
    page.locator(".context-button").click()
    page.locator("#tab-people").click()

    page.locator("#context-panel label", has_text="Private").click()

    expect(page.locator(".toast")).to_contain_text("Only")
    assert is_on_top(page)
    page.locator(".toast").get_by_role("button", name="Dismiss").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_notice_stays_above_a_drawer_that_opens_after_it(ines):
    page = ines.page
    page.evaluate("dispatchEvent(new CustomEvent('toast', { detail: { text: 'Saved.' } }))")
    assert is_on_top(page)

    page.locator(".context-button").click()

    page.locator("#context:popover-open").wait_for()
    assert is_on_top(page)


def test_notice_that_came_with_the_page_is_shown(ines):
    page = ines.page
    page.goto(f"{ines.stack.base_url}/settings/profile/")
    page.wait_for_selector("body[data-ready]", state="attached")

    page.locator("main form").filter(has=page.locator("[name=theme]")).get_by_role("button", name="Save").click()

    expect(page.locator(".toast")).to_contain_text("Saved")
    assert is_on_top(page)
