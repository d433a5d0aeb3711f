"""Around the words: the key that sends, who answers, the menu of the conversation, and taking it along."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.members import READ, people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

SECOND_MODEL = (
    "from apps.llm.models import Model; first = Model.objects.get(pk='{model}'); "
    "Model.objects.create(organization_id=first.organization_id, provider_id=first.provider_id, name='stub-large')"
)


def conversation_of(member):
    return member.page.evaluate(READ, f"/api/v1/conversations/{member.conversation}/")


def choose(member, name):
    member.page.get_by_role("button", name="More actions").click()
    member.page.locator("#conversation-menu").get_by_role("menuitem", name=name, exact=True).click()


def test_key_that_sends_is_the_members_choice(people):
    daniel = people("daniel")
    page = daniel.page
    page.goto(f"{daniel.stack.base_url}/settings/profile/")
    page.get_by_label("Send with").select_option("mod-enter")
    page.locator("form", has=page.get_by_label("Send with")).get_by_role("button", name="Save").click()
    expect(page.get_by_label("Send with")).to_have_value("mod-enter")
    daniel.start()
    draft = page.locator("#draft")
    expect(page.locator(".hint")).to_contain_text(re.compile(r"Ctrl ↵\s+send\s+↵\s+new line"))

    draft.press_sequentially("One line")
    draft.press("Enter")
    draft.press_sequentially("and another")
    expect(draft).to_have_value("One line\nand another")
    assert daniel.messages().count() == 0
    draft.press("Control+Enter")
    daniel.wait_for_end()
    assert daniel.rows()[0]["content"] == "One line\nand another"

    ines = people("ines").start()
    draft = ines.page.locator("#draft")
    expect(ines.page.locator(".hint")).to_contain_text(re.compile(r"^\s*↵\s+send\s+⇧ ↵\s+new line"))
    draft.press_sequentially("One line")
    draft.press("Shift+Enter")
    draft.press_sequentially("and another")
    draft.press("Enter")
    ines.wait_for_end()
    assert ines.rows()[0]["content"] == "One line\nand another"


def test_conversation_is_named_tagged_pinned_and_archived_from_its_menu(people):
    ines = people("ines").start()
    page = ines.page
    daniel = people("daniel").open(ines.conversation)
    toast = page.locator("#toasts")

    choose(ines, "Pin")
    expect(toast).to_contain_text("Pinned.")
    choose(ines, "Tags")
    page.locator("#tags-input").fill("noir, port , noir")
    page.get_by_role("dialog", name="Tags").get_by_role("button", name="Save").click()
    expect(toast).to_contain_text("Saved.")
    expect(page.locator("#context-panel a.chip")).to_have_text(["noir", "port"], use_inner_text=True)

    # What somebody else has written meanwhile stands in the dialog, and is not under one's own words when they are saved.
    expect(daniel.page.locator("#tags-input")).to_have_value("noir, port")
    choose(daniel, "Tags")
    daniel.page.locator("#tags-input").fill("noir, port, night")
    choose(ines, "Tags")
    page.locator("#tags-input").fill("noir, port, quay")
    page.get_by_role("dialog", name="Tags").get_by_role("button", name="Save").click()
    choose(ines, "Rename")
    page.locator("#rename-input").fill("The quay at night")
    page.get_by_role("dialog", name="Rename").get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("The quay at night")
    expect(daniel.page.locator("h1")).to_have_text("The quay at night")
    expect(daniel.page.locator("#tags-input")).to_have_value("noir, port, night")
    daniel.page.get_by_role("dialog", name="Tags").get_by_role("button", name="Save").click()
    expect(daniel.page.locator("#toasts")).to_contain_text("Saved.")
    expect(page.locator("#tags-input")).to_have_value("noir, port, quay, night")
    expect(page.locator("#rename-input")).to_have_value("The quay at night")

    choose(ines, "Archive")
    expect(page.locator(".dock")).to_contain_text("This conversation is archived")
    expect(page.locator("#draft")).to_have_count(0)
    page.locator(".dock").get_by_role("button", name="Bring it back").click()
    expect(page.locator("#draft")).to_be_visible()
    page.wait_for_selector("body[data-ready]", state="attached")
    choose(ines, "Unpin")
    expect(toast).to_contain_text("No longer pinned.")
    choose(ines, "Pin")
    expect(toast).to_contain_text("Pinned.")

    found = conversation_of(ines)
    assert (found["title"], found["tags"]) == ("The quay at night", ["noir", "port", "quay", "night"])
    assert (found["is_pinned"], found["archived_at"]) == (True, None)
    assert conversation_of(daniel)["is_pinned"] is False
    page.goto(f"{ines.stack.base_url}/conversations/?view=pinned")
    expect(page.locator("main table a", has_text="The quay at night")).to_be_visible()


def test_who_is_chosen_in_the_picker_answers(people, stack, provider):
    stack.manage("shell", "--no-imports", "-c", SECOND_MODEL.format(**stack.cast))
    ines = people("ines").start()
    page = ines.page

    page.get_by_role("button", name="Answered by").click()
    expect(page.get_by_role("combobox", name="Find an agent or a model")).to_be_focused()
    page.keyboard.type("LARGE")
    expect(page.locator("#models [role=option]:visible")).to_have_count(1)
    page.locator("#models [role=option]:visible").click()
    expect(page.locator("#draft")).to_be_focused()
    expect(page.get_by_role("button", name="Answered by")).to_contain_text("stub-large")
    ines.say("Who is it?")
    ines.wait_for_end()
    assert provider.bodies[-1]["model"] == "stub-large"
    assert "stub-large" in ines.rows()[-1]["model"]
    expect(ines.last.locator(".meta")).to_contain_text("stub-large")

    page.get_by_role("button", name="Answered by").click()
    chosen = page.locator("#models [role=option][aria-selected=true]")
    expect(chosen).to_contain_text("stub-large")
    expect(page.locator("#models [role=option]", has_text="in use")).to_have_text(re.compile("stub-large"))
    page.keyboard.press("Escape")
    ines.say("And now?")
    ines.wait_for_end()
    assert provider.bodies[-1]["model"] == "stub-large"


def test_conversation_is_taken_along_and_comes_back(people, tmp_path):
    ines = people("ines").start()
    page = ines.page
    (tmp_path / "log.txt").write_text("Container, sealed, changed")
    page.locator(".composer input[type=file]").set_input_files(tmp_path / "log.txt")
    expect(page.locator(".composer li.file[data-state=ready]")).to_be_visible()
    ines.say("Which **quay** is it?")
    ines.wait_for_end()
    rows = ines.rows()

    with page.expect_download() as downloading:
        ines.say("/export")
    words = Path(downloading.value.path()).read_text()
    assert downloading.value.suggested_filename.endswith(".md")
    assert "Which **quay** is it?" in words
    assert rows[-1]["content"] in words
    expect(page.locator(".thread [role=note]")).to_contain_text("The export is ready")
    with page.expect_download() as downloading:
        choose(ines, "Save as JSON")
    saved = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(saved)
    assert json.loads(saved.read_text())
    assert '"Which **quay** is it?"' in saved.read_text()
    with page.expect_download() as downloading:
        choose(ines, "Save with all files (ZIP)")
    packed = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(packed)

    page.goto(f"{ines.stack.base_url}/conversations/")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.get_by_role("button", name="Import a conversation").click()
    page.get_by_label("File", exact=True).set_input_files(packed)
    page.get_by_role("dialog").get_by_role("button", name="Import").click()
    page.wait_for_url("**/c/**")
    page.wait_for_selector("body[data-ready]", state="attached")
    first, ines.conversation = ines.conversation, page.url.rstrip("/").split("/")[-1]
    assert ines.conversation != first
    assert [row["content"] for row in ines.rows()] == [row["content"] for row in rows]
    expect(ines.messages().first.locator("a.file")).to_contain_text("log.txt")
    expect(page.locator("#context-panel")).to_contain_text("Inês Duarte imported it on")
    with page.expect_download() as downloading:
        ines.messages().first.locator("a.file").evaluate("link => { link.download = 'log.txt'; link.click(); }")
    assert Path(downloading.value.path()).read_text() == "Container, sealed, changed"

    (tmp_path / "wrong.json").write_text("{}")
    page.goto(f"{ines.stack.base_url}/conversations/")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.get_by_role("button", name="Import a conversation").click()
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "wrong.json")
    page.get_by_role("dialog").get_by_role("button", name="Import").click()
    expect(page.locator("#toasts .toast[data-kind=bad]")).to_be_visible()
