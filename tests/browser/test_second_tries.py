"""What is pressed again after a lost answer is the same wish; and keys that belong to an input method or to a letter."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser import duo
from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

COMPOSED = """(input, key) => input.dispatchEvent(
    new KeyboardEvent("keydown", { key, keyCode: 229, bubbles: true, cancelable: true }))"""
MAC = "Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' })"


def asked(people, provider):
    provider.script({"text": "First."}, {"text": "Second."}, {"text": "Third."})
    ines = people("ines").start()
    ines.say("Which quay?")
    ines.wait_for_end()
    return ines


def losing_the_first(page, address):
    """The requests there, of which the first does not come back."""
    seen = []

    def answer(route):
        seen.append(route.request)
        if len(seen) == 1:
            route.abort()
        else:
            route.continue_()

    page.route(address, answer)
    return seen


def test_retry_after_a_lost_answer_is_the_same_wish(people, provider):
    ines = asked(people, provider)
    seen = losing_the_first(ines.page, "**/regenerate/")

    ines.last.focus()
    with ines.page.expect_event("requestfailed"):
        ines.page.keyboard.press("r")
    expect(ines.page.locator("[data-composer-target=notice]")).to_contain_text("The server did not answer.")
    ines.last.focus()
    ines.page.keyboard.press("r")
    expect(ines.last).to_contain_text("Second.")
    ines.wait_for_end()
    ines.last.focus()
    ines.page.keyboard.press("r")
    expect(ines.last).to_contain_text("Third.")

    ines.complaints.clear()  # of the connection that was lost
    keys = [request.headers["idempotency-key"] for request in seen]
    assert keys[0] == keys[1] != keys[2]


def test_edit_after_a_lost_answer_is_the_same_edit(people, provider):
    ines = asked(people, provider)
    seen = losing_the_first(ines.page, "**/edit/")
    ines.page.locator("#draft").press("ArrowUp")
    editor = ines.page.get_by_label("Edit your message")
    expect(editor).to_have_value("Which quay?")
    editor.fill("Which ferry?")

    editor.evaluate(COMPOSED, "Escape")
    with ines.page.expect_event("requestfailed"):
        editor.press("Control+Enter")
    expect(editor).to_have_value("Which ferry?")
    editor.press("Control+Enter")

    expect(ines.last).to_contain_text("Second.")
    ines.complaints.clear()  # of the connection that was lost
    bodies = [json.loads(request.post_data) for request in seen]
    assert [body["content"] for body in bodies] == ["Which ferry?"] * 2
    assert bodies[0]["client_id"] == bodies[1]["client_id"]


def test_keys_of_an_input_method_send_nothing_and_choose_nothing(people, provider):
    provider.script({"text": "Yes."})
    ines = people("ines").start()
    draft = ines.page.locator("#draft")
    draft.press_sequentially("まち @st")
    expect(ines.page.locator("#draft-options [role=option], .completion [role=option]").first).to_be_visible()

    draft.evaluate(COMPOSED, "Enter")
    draft.evaluate(COMPOSED, "Tab")

    expect(draft).to_have_value("まち @st")
    assert ines.messages().count() == 0


def test_option_n_writes_a_letter_on_a_mac_while_somebody_writes(people):
    ines = people("ines").start()
    page, address = ines.page, ines.page.url
    page.add_init_script(MAC)
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")

    page.locator("#draft").fill("Espa")
    page.locator("#draft").press("Alt+KeyN")
    page.wait_for_timeout(500)
    assert (page.url, page.locator("#draft").input_value()[:4]) == (address, "Espa")

    page.locator("#draft").fill("")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Alt+KeyN")
    page.wait_for_url(lambda url: url != address)


def test_words_that_were_refused_are_changed_and_sent(people, provider):
    provider.script({"text": "At nine."})
    ines = people("ines").start()
    address = re.compile("/messages/$")
    refusal = {"code": "forbidden", "detail": "Not with this model."}
    ines.page.route(address, lambda route: route.fulfill(status=403, json=refusal), times=1)
    ines.say("Which ferry?")
    expect(ines.last).to_contain_text("Not with this model.")
    ines.page.locator("#draft").fill("And when?")

    ines.last.get_by_role("button", name="Edit").click()

    draft = ines.page.locator("#draft")
    expect(draft).to_have_value("Which ferry?\n\nAnd when?")
    expect(draft).to_be_focused()
    expect(ines.messages()).to_have_count(0)
    ines.complaints.clear()  # the browser tells of the refusal
    draft.press("Enter")
    expect(ines.last).to_contain_text("At nine.")
    assert [row["content"] for row in ines.rows()] == ["Which ferry?\n\nAnd when?", "At nine."]


def test_page_goes_on_after_its_person_signed_in_anew_in_another_tab(people, stack, provider):
    provider.script({"text": "At nine."}, {"text": "At ten."})
    ines = people("ines").start()

    def sign_in(name):
        ines.context.clear_cookies(name=duo.SESSION)  # it is over
        tab = ines.context.new_page()
        duo.sign_in(tab, stack.base_url, stack.cast[f"{name}_email"])
        tab.close()

    sign_in("ines")
    ines.say("Which ferry?")
    expect(ines.last).to_contain_text("At nine.")
    ines.wait_for_end()

    sign_in("daniel")  # at her computer: her words wait for her
    ines.say("And the next one?")
    expect(ines.last).to_contain_text("You are signed out.")
    expect(ines.page.locator("#connection")).to_contain_text("what you wrote is kept here")
    sign_in("ines")
    ines.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(ines.last).to_contain_text("At ten.")
    expect(ines.page.locator("#connection")).not_to_contain_text("signed out")

    ines.complaints.clear()  # the browser tells of the tokens that were refused
    authors = {row["author"]["name"] for row in ines.rows() if row["role"] == "user"}
    assert authors == {"Inês Duarte"}


def test_words_sent_after_a_sign_out_in_another_tab_wait_for_their_writer(people, stack, provider):
    provider.script({"text": "At nine."})
    ines = people("ines")
    ines.context.clear_cookies()  # a session of its own: signing out ends it
    duo.sign_in(ines.page, stack.base_url, stack.cast["ines_email"])
    ines.start()
    draft = ines.page.locator("#draft")
    draft.fill("Which ferry?")
    other = ines.context.new_page()
    other.goto(f"{stack.base_url}/c/{ines.conversation}/")
    expect(other.locator("#draft")).to_have_value("Which ferry?")
    other.locator('form[action="/accounts/logout/"] button').evaluate("(button) => button.click()")
    other.wait_for_url("**/accounts/login/**")

    draft.press("Enter")
    expect(ines.last).to_contain_text("You are signed out.")
    duo.sign_in(other, stack.base_url, stack.cast["ines_email"])
    other.close()
    ines.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(ines.last).to_contain_text("At nine.")

    ines.complaints.clear()  # the browser tells of what was refused
    assert [row["content"] for row in ines.rows()] == ["Which ferry?", "At nine."]
    assert "client_id" not in ines.page.evaluate("JSON.stringify({...localStorage})")


def test_pressed_twice_on_the_welcome_page_is_one_message(people, stack, provider):
    provider.script({"text": "At nine."}, {"text": "At ten."})
    ines = people("ines")
    ines.page.goto(f"{stack.base_url}/")
    ines.page.wait_for_selector("body[data-ready]", state="attached")
    ines.page.locator("#draft").fill("Which ferry?")

    ines.page.get_by_role("button", name="Send", exact=True).dblclick()
    ines.page.wait_for_url(re.compile("/c/[0-9a-f-]{36}/"))
    ines.page.wait_for_selector("body[data-ready]", state="attached")
    expect(ines.last).to_contain_text("At nine.")
    ines.wait_for_end()

    ines.conversation = re.search("/c/([0-9a-f-]{36})/", ines.page.url)[1]
    assert [row["content"] for row in ines.rows() if row["role"] == "user"] == ["Which ferry?"]


def test_server_that_is_gone_is_not_called_being_offline(people, provider):
    provider.script({"text": "At nine."})
    ines = people("ines").start()
    address = re.compile("/messages/$")
    ines.page.route(address, lambda route: route.abort())

    ines.say("Which ferry?")
    expect(ines.last).to_contain_text("Not sent: the server does not answer.")
    ines.page.unroute(address)

    expect(ines.last).to_contain_text("At nine.")
    ines.wait_for_end()
    ines.complaints.clear()  # of the connection that was lost
