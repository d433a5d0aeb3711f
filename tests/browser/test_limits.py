"""What pages cost of a person's twenty tokens: so little that nobody trips over the limit by reading and writing."""

import time

import pytest

from tests.browser import duo
from tests.browser.members import Member
from tests.provider.fixtures import provider, running_provider
from tests.stack import Stack

__all__ = ["provider", "running_provider"]

pytestmark = pytest.mark.timeout(300)

BURST = 8000
#: So few that a server in need, which lets buckets hold an eighth, does not take any of them.
LEFT = 500


def drain(stack):
    with stack.redis() as client:
        for key in client.scan_iter("*limit:person:*"):
            client.hset(key, "tokens", LEFT)


def taken(stack):
    """All that was taken from the person's bucket, which hardly fills again."""
    time.sleep(0.8)  # frames are settled every quarter of a second
    with stack.redis() as client:
        tokens = [float(client.hget(key, "tokens")) for key in client.scan_iter("*limit:person:*")]
    return round(sum(LEFT - each for each in tokens), 1)


def test_pages_messages_and_reconnects_cost_little(browser, running_provider, provider):
    env = {"PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1", "PARLANCE_LIMIT_PERSON": f"0.00001/{BURST}"}
    with Stack(env=env) as stack:
        stack.cast = duo.hire(stack, running_provider.openai_url)
        context = browser.new_context(locale="en-GB")
        duo.sign_in(context.new_page(), stack.base_url, stack.cast["ines_email"])
        ines = Member(browser, stack, context.storage_state())
        context.close()
        drain(stack)
        costs, before = {}, taken(stack)

        def note(name):
            nonlocal before
            after = taken(stack)
            costs[name], before = round(after - before, 1), after

        ines.page.goto(f"{stack.base_url}/")
        ines.page.wait_for_selector("body[data-ready]", state="attached")
        note("start page")
        conversation = ines.write("POST", "conversations/", {"project": stack.cast["project"], "title": "Ledger"})["id"]
        note("new conversation")
        ines.open(conversation)
        note("conversation")
        provider.script({"text": "Yes."})
        ines.say("Anybody here?")
        ines.wait_for_end()
        note("message")
        ines.page.context.set_offline(True)
        ines.page.wait_for_timeout(1000)
        ines.page.context.set_offline(False)
        ines.page.wait_for_timeout(4000)
        note("reconnect")
        ines.context.close()

    assert costs["start page"] <= 1
    assert costs["conversation"] <= 1
    assert costs["message"] <= 3.5  # the message, its draft, and a frame for each second of typing and presence
    assert costs["reconnect"] <= 1
