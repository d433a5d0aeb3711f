"""A collection described in a conversation, seen and decided on in the browser."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)
LONG = 40_000


def field(name, kind="text", **more):
    return {"name": name, "kind": kind, "choices": [], "required": False, "is_list": False, "relation": ""} | more


@pytest.fixture
def ines(people, stack, provider):
    ines = people("ines").start()
    provider.script({"text": "Noted."})
    ines.say("The port at night.")
    ines.wait_for_end()
    yield ines
    for row in ines.write("GET", f"collections/?project={stack.cast['project']}&limit=100")["results"]:
        if row["name"] in {"Barges", "Lighters"}:
            ines.write("DELETE", f"collections/{row['id']}/")


def proposal(name):
    fields = [
        field("Name", required=True),
        field("State", "choice", choices=["afloat", "sunk"]),
        field("Built", "date"),
    ]
    return {"text": json.dumps({"name": name, "purpose": "What lies in the port.", "fields": fields})}


def test_card_shows_fields_and_makes_the_collection(ines, provider):
    provider.script(proposal("Barges"))
    ines.page.set_viewport_size({"width": 360, "height": 800})
    ines.say("/collection barges with name, state and when they were built")
    card = ines.page.locator(".card", has_text="A new collection “Barges”")
    expect(card).to_be_visible(timeout=LONG)
    expect(card.get_by_role("row")).to_have_count(4)
    expect(card.get_by_role("row", name="State")).to_contain_text("Choice")
    assert ines.page.evaluate("document.documentElement.scrollWidth <= 360")

    card.get_by_role("button", name="Make the collection").click()

    made = ines.page.locator(".card", has_text="Collection “Barges”").last
    expect(made.locator(".badge", has_text="Made")).to_be_visible(timeout=LONG)
    made.get_by_role("link", name="The records").click()
    expect(ines.page.get_by_role("heading", name="Barges").first).to_be_visible(timeout=LONG)
    assert ines.complaints == []


def test_edit_leads_to_the_form_with_the_fields_in_it(ines, provider):
    provider.script(proposal("Lighters"))
    ines.say("/collection lighters")
    card = ines.page.locator(".card", has_text="A new collection “Lighters”")
    card.get_by_role("link", name="Edit").click(timeout=LONG)
    expect(ines.page.get_by_label("Name", exact=True).first).to_have_value("Lighters")
    expect(ines.page.locator(".lines > li")).to_have_count(3)

    ines.page.get_by_role("button", name="Make the collection").click()

    expect(ines.page.get_by_role("heading", name="Lighters").first).to_be_visible(timeout=LONG)
    assert ines.complaints == []
