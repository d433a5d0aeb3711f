"""The page follows new words while the reader is at the end."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)


def test_reader_at_the_end_stays_there_whatever_comes_between(people, provider):
    """The notice of the lost network takes room above the messages, the one of a message that waits takes it below."""
    provider.script({"text": "word " * 300}, {"text": "Sent, and answered. " * 40})
    ines = people("ines").start()
    ines.page.set_viewport_size({"width": 360, "height": 640})
    ines.say("At length.")
    ines.wait_for_end()

    ines.context.set_offline(offline=True)
    expect(ines.page.locator("#connection")).to_contain_text("You are offline")
    ines.say("Written in the tunnel.")
    expect(ines.page.get_by_role("button", name="Discard")).to_be_in_viewport()

    ines.context.set_offline(offline=False)
    expect(ines.messages("completed")).to_have_count(4, timeout=20_000)
    expect(ines.page.get_by_role("button", name="New words")).to_be_hidden()
    expect(ines.last.locator(".meta")).to_be_in_viewport()
    ines.complaints.clear()  # the browser says that it was offline
