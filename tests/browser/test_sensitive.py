"""Sensitive words at the page, and what a browser keeps of somebody who has signed out."""

import pytest
from playwright.sync_api import expect

from tests.browser import duo
from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

STORED = "() => JSON.stringify(Object.entries(localStorage))"


def choose(member, message, entry):
    message.hover()
    message.get_by_role("button", name="More").click()
    member.page.get_by_role("menuitem", name=entry, exact=True).click()


def test_message_is_marked_when_it_is_written_and_opened_again_in_its_menu(people, provider):
    provider.script({"text": "Kept."}, {"text": "Ordinary."})
    ines = people("ines").start()
    box = ines.page.get_by_role("checkbox", name="Sensitive")
    ines.page.locator("#draft").fill("The code is 1234")
    box.check(force=True)
    ines.page.wait_for_timeout(500)
    assert "1234" not in ines.page.evaluate(STORED)  # no draft of it
    ines.page.locator("#draft").press("Enter")
    expect(ines.messages()).to_have_count(2)
    ines.wait_for_end()

    expect(ines.page.locator("article.message .badge", has_text="Sensitive")).to_have_count(2)
    assert [(row["sensitive"], row["content"]) for row in ines.rows()] == [(True, "The code is 1234"), (True, "Kept.")]

    box.uncheck(force=True)
    ines.say("And the weather?")
    expect(ines.messages()).to_have_count(4)
    ines.wait_for_end()
    assert [row["sensitive"] for row in ines.rows()] == [True, True, False, False]

    choose(ines, ines.messages().nth(0), "No longer sensitive")
    expect(ines.messages().nth(0).locator(".badge")).to_have_count(0)
    choose(ines, ines.messages().nth(2), "Mark as sensitive")
    expect(ines.messages().nth(3).locator(".badge")).to_have_count(1)
    assert [row["sensitive"] for row in ines.rows()] == [False, True, True, True]


def test_draft_is_sealed_at_sign_out_and_back_with_its_writer(people, browser, stack):
    ines = people("ines")
    duo_page = ines.page
    ines.context.clear_cookies()  # a session of its own: signing out ends it
    duo.sign_in(duo_page, stack.base_url, stack.cast["ines_email"])
    ines.start()
    duo_page.locator("#draft").fill("Half a thought")
    duo_page.wait_for_timeout(500)
    assert "Half a thought" in duo_page.evaluate(STORED)

    duo_page.locator('form[action="/accounts/logout/"] button').evaluate("(button) => button.click()")
    duo_page.wait_for_url("**/accounts/login/**")

    kept = duo_page.evaluate(STORED)
    assert ("Half a thought" in kept, ":sealed" in kept) == (False, True)
    duo.sign_in(duo_page, stack.base_url, stack.cast["daniel_email"])
    duo_page.wait_for_selector("body[data-ready]", state="attached")
    assert "Half a thought" not in duo_page.evaluate(STORED)
    ines.context.clear_cookies()
    duo.sign_in(duo_page, stack.base_url, stack.cast["ines_email"])
    ines.open(ines.conversation)
    expect(duo_page.locator("#draft")).to_have_value("Half a thought")
    assert ":sealed" not in duo_page.evaluate(STORED)
