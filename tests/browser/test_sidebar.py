"""The list of conversations at the side: what others do shows without a reload."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.members import READ, people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

CHANGE = """async ([url, method, body]) => {
    const headers = { "content-type": "application/json", "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    return (await fetch(url, { method, headers, body: JSON.stringify(body) })).status;
}"""


def change(member, body, method="PATCH"):
    assert member.page.evaluate(CHANGE, [f"/api/v1/conversations/{member.conversation}/", method, body]) in (200, 204)


def listed(member, conversation):
    return member.page.locator(f'#talks [data-conversation="{conversation}"]')


def at_the_list(member):
    member.page.goto(f"{member.stack.base_url}/conversations/")
    member.page.wait_for_selector("#talks[data-live]")
    return member


def test_what_others_do_shows_in_the_list(people, provider):
    provider.script({"text": "Yes."}, {"text": "No."})
    daniel = at_the_list(people("daniel"))

    ines = people("ines").start()

    row = listed(daniel, ines.conversation)
    expect(row).to_contain_text("Ledger")
    assert row.get_attribute("data-unread") is None
    ines.say("Anybody here?")
    expect(row).to_have_attribute("data-unread", "")
    expect(row).to_have_text(re.compile(", unread"))
    change(ines, {"title": "Night ledger"})
    expect(row).to_contain_text("Night ledger")

    other = people("daniel").open(ines.conversation)
    expect(row).not_to_have_attribute("data-unread", "")
    other.page.goto(f"{ines.stack.base_url}/conversations/")
    ines.wait_for_end()
    ines.say("Still here?")
    expect(row).to_have_attribute("data-unread", "")

    change(ines, {"archived": True})
    expect(row).to_have_count(0)
    change(ines, {"archived": False})
    expect(row).to_have_count(1)
    change(ines, {}, "DELETE")
    expect(row).to_have_count(0)
    ines.complaints.clear()  # her page asks once more for a panel of what is gone, and the browser says so


def test_private_conversation_comes_and_goes_with_the_invitation(people):
    daniel = at_the_list(people("daniel"))
    frames = []
    daniel.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    daniel.page.reload()
    daniel.page.wait_for_selector("#talks[data-live]")
    ines = people("ines").start()
    row = listed(daniel, ines.conversation)
    expect(row).to_have_count(1)

    change(ines, {"visibility": "private"})
    expect(row).to_have_count(0)
    frames.clear()
    ines.say("Quietly.")
    ines.wait_for_end()
    assert [frame for frame in frames if '"news"' in frame] == []
    expect(row).to_have_count(0)

    people_url = f"/api/v1/conversations/{ines.conversation}/participants/"
    assert ines.page.evaluate(CHANGE, [people_url, "POST", {"user": ines.stack.cast["daniel"]}]) == 204
    expect(row).to_contain_text("private:")
    assert len(daniel.page.evaluate(READ, f"/api/v1/conversations/{ines.conversation}/messages/")["results"]) == 2
    assert ines.page.evaluate(CHANGE, [f"{people_url}{ines.stack.cast['daniel']}/", "DELETE", {}]) == 204
    expect(row).to_have_count(0)
