"""A record in a message: found and taken with the keys, kept with the draft, and a link once it is said."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

MAKE = """async (project) => {
    const headers = { "content-type": "application/json", "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    const post = async (path, body) => (await fetch(`/api/v1/${path}/`, { method: "POST", headers, body: JSON.stringify(body) })).json();
    const document_ = { type: "object", properties: { name: { type: "string" }, trade: { type: "string" } }, required: ["name"] };
    const { id: collection } = await post("collections", { project, name: `Quayside ${Date.now()}`, title_template: "{name}", document: document_ });
    await post("records", { collection, data: { name: "Quay Sparrow", trade: "pilot" } });
    return (await post("records", { collection, data: { name: "Quay Nightingale", trade: "singer" } })).id;
}"""


def test_record_is_named_with_the_keys_and_becomes_a_link(people, stack, provider):
    ines = people("ines").start()
    page = ines.page
    record = page.evaluate(MAKE, stack.cast["project"])
    draft = page.locator("#draft")
    provider.script({"text": "She sings."})

    draft.press_sequentially("What does #quay")
    options = page.get_by_role("option", name="Quay")
    expect(options).to_have_count(2)
    expect(page.locator("#completion .group")).to_have_text("Records")
    expect(options.first).to_contain_text("Quay Nightingale")
    expect(options.first).to_have_attribute("aria-selected", "true")
    draft.press("Tab")
    expect(draft).to_have_value("What does #Quay Nightingale ")
    draft.press_sequentially("do?")
    expect(page.locator("[data-composer-target=completion]")).to_be_hidden()
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    expect(draft).to_have_value("What does #Quay Nightingale do?")
    draft.press("Enter")
    ines.wait_for_end()

    chip = ines.messages().first.locator("a.record-chip")
    expect(chip).to_have_text("#Quay Nightingale")
    expect(chip).to_have_attribute("href", f"/record/{record}/")
    assert "singer" in str(provider.bodies)


def test_record_is_named_while_an_old_message_is_edited(people, stack, provider):
    ines = people("ines").start()
    page = ines.page
    page.evaluate(MAKE, stack.cast["project"])
    provider.script({"text": "Who?"}, {"text": "Both sing."})
    page.locator("#draft").press_sequentially("What does #quay")
    expect(page.get_by_role("option", name="Quay")).not_to_have_count(0)
    page.locator("#draft").press("Tab")
    page.locator("#draft").press("Enter")
    ines.wait_for_end()

    page.locator("#draft").press("ArrowUp")
    editor = page.locator("form.edit textarea")
    expect(editor).to_have_value("What does #Quay Nightingale")
    editor.press_sequentially(" ask of #quay sp")
    option = page.locator("form.edit").get_by_role("option", name="Quay Sparrow")
    expect(option.first).to_have_attribute("aria-selected", "true")
    editor.press("Enter")
    expect(editor).to_have_value("What does #Quay Nightingale ask of #Quay Sparrow ")
    editor.press("Control+Enter")
    ines.wait_for_end()

    expect(ines.messages().first.locator("a.record-chip")).to_have_text(["#Quay Nightingale", "#Quay Sparrow"])
    assert "pilot" in str(provider.bodies[-1])
    assert "singer" in str(provider.bodies[-1])
