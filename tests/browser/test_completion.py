"""What stands above the composer while a command is typed never keeps it from being sent."""

import time

import pytest
from playwright.sync_api import expect

from tests.browser.members import READ, people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)


def answers(page):
    return page.locator(".thread .notice, .thread article", has_text="/extract")


def test_command_that_is_written_out_is_sent_by_enter_although_the_list_is_open(people):
    page = people("ines").start().page
    draft = page.locator("#draft")
    draft.fill("/help")
    expect(page.get_by_role("option", name="/help")).to_have_attribute("aria-selected", "true")

    draft.press("Enter")

    expect(draft).to_have_value("")
    expect(answers(page)).to_be_visible()


def test_beginning_of_a_command_is_completed_by_enter(people):
    page = people("ines").start().page
    draft = page.locator("#draft")
    draft.fill("/hel")
    expect(page.get_by_role("option", name="/help")).to_have_attribute("aria-selected", "true")

    draft.press("Enter")

    expect(draft).to_have_value("/help ")


def test_list_that_comes_after_the_command_was_sent_stays_away(people):
    ines = people("ines").start()
    page = ines.page

    def late(route):
        time.sleep(0.6)
        route.continue_()

    page.route("**/c/*/commands/", late)
    page.locator("#draft").fill("/help")
    with page.expect_response("**/c/*/commands/"):
        page.locator("#draft").press("Enter")

    expect(answers(page)).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.locator("[data-composer-target=completion]")).to_be_hidden()


def test_command_that_reads_what_was_said_makes_no_conversation(people):
    ines = people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    before = page.evaluate(READ, "/api/v1/conversations/")["results"]
    page.locator("#draft").fill("/expo")
    expect(page.get_by_role("option", name="/export")).to_have_attribute("aria-disabled", "true")

    ines.say("/export markdown")

    expect(page.get_by_role("alert").filter(has_text="nothing is said here yet")).to_be_visible()
    expect(page.locator("#draft")).to_have_value("/export markdown")
    assert page.evaluate(READ, "/api/v1/conversations/")["results"] == before
