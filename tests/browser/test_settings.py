"""The settings: what is handed over is copied whole, and the form for a provider fits the kind that is chosen."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.browser.test_keyboard import tab_to
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

REFUSING = """() => {
    navigator.clipboard.writeText = async () => { throw new DOMException("no", "NotAllowedError"); };
}"""


def go(member, path):
    member.page.goto(f"{member.stack.base_url}{path}")
    member.page.wait_for_selector("body[data-ready]", state="attached")
    return member.page


def new_key(member):
    page = go(member, "/settings/keys/")
    page.get_by_label("Name").first.fill("Nightly report")
    page.get_by_role("button", name="Make the key").click()
    value = page.locator(".handover code")
    expect(value).to_be_visible()
    page.wait_for_selector("body[data-ready]", state="attached")
    return value


def selected(page):
    return page.evaluate("getSelection().toString().trim()")


def test_key_is_copied_by_keyboard_and_the_page_says_so(people):
    ines = people("ines")
    ines.context.grant_permissions(["clipboard-read", "clipboard-write"])
    value = new_key(ines)
    page = ines.page

    tab_to(page, "^Copy the key$")
    page.keyboard.press("Enter")

    expect(page.locator(".handover [role=status]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == value.inner_text()
    expect(page.locator(".handover [role=status]")).to_have_text("")


def test_key_is_selected_whole_by_a_double_click(people):
    value = new_key(people("ines"))

    value.dblclick()

    assert selected(value.page) == value.inner_text()


@pytest.mark.parametrize(("copies", "said"), [(True, "Copied"), (False, "selected: copy it")])
def test_key_is_selected_where_the_clipboard_is_refused(people, copies, said):
    value = new_key(people("ines"))
    page = value.page
    page.evaluate(REFUSING)
    if not copies:
        page.evaluate("() => { document.execCommand = () => false; }")

    page.get_by_role("button", name="Copy the key").click()

    assert selected(page) == value.inner_text()
    expect(page.locator(".handover [role=status]")).to_contain_text(said)


def test_invitation_link_has_its_button(people):
    page = go(people("ines"), "/settings/people/")
    page.get_by_label("E-mail").fill("nuno@example.org")
    page.locator("form", has=page.locator("[value=invite]")).get_by_role("button").click()

    expect(page.get_by_role("button", name="Copy the link")).to_be_visible()


def test_provider_form_says_what_the_kind_needs(people):
    page = go(people("ines"), "/settings/providers/")
    address = page.get_by_label("Address")
    note = page.locator("#id_base_url_note")
    expect(note).to_contain_text("Only for a proxy")

    page.get_by_label("Kind").select_option("ollama")

    expect(address).to_have_attribute("placeholder", "http://localhost:11434/v1")
    expect(note).to_have_text("Empty: the usual address on the computer that runs Parlance.")

    page.get_by_label("Kind").select_option("openai-compatible")

    expect(address).to_have_attribute("placeholder", "https://")
    expect(note).to_contain_text("/chat/completions")


def test_settings_of_a_phone_hold_what_they_show(people):
    """A long mark of the access review goes over two lines, and so does a long filter."""
    ines = people("ines")
    ines.page.set_viewport_size({"width": 360, "height": 740})

    page = go(ines, "/settings/access/")

    mark = page.locator("p > .badge", has_text="Manages others with nothing but a password").first
    expect(mark).to_be_visible()
    card = page.locator(".list.boxed > li", has=mark)
    assert end_of(mark) <= end_of(card)
    filters = page.get_by_role("navigation", name="Findings")
    assert max(end_of(each) for each in filters.get_by_role("link").all()) <= end_of(page.locator(".page-head")) <= 344
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def end_of(place):
    box = place.bounding_box()
    return box["x"] + box["width"]


def test_sections_of_a_phone_are_chosen_from_one_button_by_keyboard(people):
    ines = people("ines")
    ines.page.set_viewport_size({"width": 360, "height": 740})
    page = go(ines, "/settings/access/")
    sections = page.get_by_role("navigation", name="Settings")
    expect(sections).to_be_hidden()

    page.get_by_role("button", name="Section: Access review").focus()
    page.keyboard.press("Enter")

    expect(sections.get_by_role("group", name="Models and limits")).to_be_visible()
    expect(sections.locator("[aria-current=page]")).to_have_text("Access review")
    assert end_of(sections) <= 352
    page.keyboard.press("Escape")
    expect(sections).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(sections.get_by_role("link").first).to_be_focused()
    sections.get_by_role("link", name="Your profile").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/**")
    expect(page.get_by_role("button", name="Section: Your profile")).to_be_visible()

    page.set_viewport_size({"width": 1440, "height": 900})
    expect(sections).to_be_visible()
    expect(page.get_by_role("button", name="Section:")).to_be_hidden()
