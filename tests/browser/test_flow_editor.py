"""The file of a workflow beside its drawing: completed, checked at its lines, kept, and saved."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.browser.test_run_panel import POST
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)
FILE = """# What a port hides
document:
  dsl: '1.0.3'
  namespace: tests
  name: NAME
  version: 1.0.0
  title: The film
do:
- concept:
    metadata: {parlance: {stage: {title: Concept}}}
    do:
    - logline:
        call: ask
        with: {question: What is it about?}
- scenes:
    set: ${ . }
"""
made = iter(range(1, 100))
LINE = "(view) => document.querySelector('[data-flow-editor-target=text]').shadowRoot.querySelector('.cm-activeLine')?.textContent"


@pytest.fixture
def editor(people, stack):
    ines = people("ines").start()
    text = FILE.replace("NAME", f"film-{next(made)}")
    found = ines.page.evaluate(POST, ["workflows", {"project": stack.cast["project"], "text": text}])
    ines.address = f"{stack.base_url}/workflows/{found['id']}/edit/"
    ines.file = text
    return opened(ines)


def opened(member):
    member.page.goto(member.address)
    member.page.wait_for_selector("body[data-ready]", state="attached")
    expect(member.page.locator("svg.flow g.node")).to_have_count(3)
    return member


def text_of(member):
    return "\n".join(member.page.locator(".cm-line").all_inner_texts()).replace("\n\n", "\n").strip()


def write(member, text):
    """With the keys: what fills an editable element from outside leaves styles in it, which the policy of the page complains of."""
    member.page.locator(".cm-content").focus()
    member.page.keyboard.press("Control+a")
    member.page.keyboard.press("Delete")
    member.page.keyboard.insert_text(text)


def test_file_is_drawn_and_a_task_leads_to_its_line(editor):
    page = editor.page
    assert page.locator("svg.flow path.way").count() == 2

    page.locator("svg.flow g.node", has_text="scenes").click()
    assert "scenes:" in page.evaluate(LINE)
    page.locator("#task-list summary").click()
    page.get_by_role("button", name="logline (call)").press("Enter")
    assert "logline:" in page.evaluate(LINE)
    expect(page.locator(".cm-content")).to_be_focused()


def test_what_is_wrong_stands_at_its_line(editor):
    page = editor.page
    write(editor, editor.file.replace("call: ask", "call: nonsense"))

    wrong = page.get_by_role("button", name=re.compile("Line 13: .*nonsense"))
    expect(wrong).to_be_visible()
    expect(page.locator(".cm-lintRange-error")).to_have_count(1)
    expect(page.locator("svg.flow g.node")).to_have_count(3)
    wrong.click()
    assert "call: nonsense" in page.evaluate(LINE)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("This definition cannot be used.")).to_be_visible()
    editor.complaints.clear()  # the browser says that it was refused

    write(editor, editor.file)
    expect(wrong).to_be_hidden()
    expect(page.get_by_text("This definition cannot be used.")).to_be_hidden()


def test_what_may_stand_there_is_offered(editor):
    page = editor.page
    page.locator(".cm-line", has_text="scenes:").click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.evaluate(LINE) == "    "
    page.keyboard.type("meta")
    expect(page.locator(".cm-tooltip-autocomplete li", has_text="metadata")).to_be_visible()
    page.wait_for_timeout(150)  # the list takes no key at once
    page.keyboard.press("Enter")
    page.keyboard.type("par")
    expect(page.locator(".cm-tooltip-autocomplete li", has_text="parlance")).to_be_visible()
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")
    page.keyboard.type("sta")
    expect(page.locator(".cm-tooltip-autocomplete li", has_text="stage")).to_be_visible()
    page.keyboard.press("Escape")

    page.keyboard.press("Tab")
    expect(page.locator(".cm-content")).not_to_be_focused()
    editor.complaints.clear()


def test_what_is_not_saved_is_there_again_and_saving_makes_a_version(editor):
    page = editor.page
    other = editor.file.replace("# What a port hides", "# What the port of Lisbon hides")
    write(editor, other)
    opened(editor)
    expect(page.get_by_text("What you did not save is here.")).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text("the port of Lisbon")

    page.locator(".cm-content").focus()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as version 2.")).to_be_visible()
    expect(page.locator("h2#file")).to_have_text("File Version 2")
    opened(editor)
    expect(page.get_by_text("What you did not save is here.")).to_be_hidden()
    expect(page.locator(".cm-content")).to_contain_text("the port of Lisbon")


def test_discarding_brings_back_what_is_saved(editor):
    page = editor.page
    write(editor, editor.file + "# and more\n")
    opened(editor)
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".cm-content")).not_to_contain_text("and more")
    opened(editor)
    expect(page.get_by_role("button", name="Discard")).to_be_hidden()


def test_who_saves_second_is_told(editor):
    page = editor.page
    identity = editor.address.split("/")[-3]
    page.evaluate(POST, [f"workflows/{identity}/versions", {"text": editor.file + "# theirs\n"}])
    write(editor, editor.file + "# mine\n")

    page.get_by_role("button", name="Save as a new version").click()

    expect(page.get_by_text("It was changed in the meantime.")).to_be_visible()
    expect(page.locator(".cm-content")).to_contain_text("# mine")
    editor.complaints.clear()


def test_new_file_becomes_a_workflow(editor):
    page = editor.page
    size = page.viewport_size
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{editor.stack.base_url}/workflows/")
    assert page.locator(".bar h1").evaluate("(title) => title.scrollWidth <= title.clientWidth")
    page.set_viewport_size(size)
    page.goto(f"{editor.stack.base_url}/workflows/new/")
    page.wait_for_selector("body[data-ready]", state="attached")
    write(editor, editor.file.replace("name: film-", "name: other-"))
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url(re.compile(r"/workflows/[0-9a-f-]{36}/edit/"))
    expect(page.locator(".cm-content")).to_contain_text("other-")
