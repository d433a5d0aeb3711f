"""Each flow by the keyboard alone: no click, no focus set by the test but where a page begins."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import duo
from tests.browser.members import hold, people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

NAME = """() => {
    const { activeElement: at } = document;
    return (at.getAttribute("aria-label") || at.labels?.[0]?.innerText || at.innerText || "").trim();
}"""


def tab_to(page, name, *, key="Tab", most=80):
    """Press until what is named so has the focus, as somebody would who sees the ring."""
    for _ in range(most):
        page.keyboard.press(key)
        if re.search(name, page.evaluate(NAME)):
            return
    raise AssertionError(f"{name} is not reached by {key}")


def asked(people, provider, *answers):
    provider.script(*({"text": text} for text in answers))
    ines = people("ines").start()
    ines.say("Which quay is it?")
    ines.wait_for_end()
    return ines


def let_go(page, held, at):
    while len(held) <= at:
        page.wait_for_timeout(20)
    held[at].continue_()


def test_sign_in(browser, stack, people):
    people("ines")  # the people of the story are there
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{stack.base_url}/accounts/login/")
    page.wait_for_selector("body[data-ready]", state="attached")
    if page.evaluate("document.activeElement.name") != "login":
        tab_to(page, "E-mail")
    page.keyboard.type(stack.cast["daniel_email"])
    tab_to(page, "Password")
    page.keyboard.type(duo.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{stack.base_url}/")
    context.close()


def test_menu_gives_the_focus_to_its_message_when_that_came_anew(people, provider):
    ines = asked(people, provider, "The fourth one.")
    page = ines.page
    page.keyboard.press("Alt+ArrowUp")
    tab_to(page, "^More$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy").first).to_be_focused()

    page.evaluate(
        "() => { const shown = [...document.querySelectorAll('article.message')].at(-1); shown.replaceWith(shown.cloneNode(true)); }"
    )
    page.keyboard.press("Escape")

    expect(ines.messages().last).to_be_focused()


def test_letters_do_what_the_menu_of_the_message_has(people, provider):
    ines = asked(people, provider, "The fourth one.")
    page = ines.page
    page.route("**/api/v1/extractions/", lambda route: route.fulfill(status=202, json={}))
    page.keyboard.press("Alt+ArrowUp")
    expect(ines.messages().last).to_be_focused()

    with page.expect_request("**/api/v1/extractions/") as asking:
        page.keyboard.press("e")
    assert asking.value.post_data_json["message"] == ines.rows()[-1]["id"]
    expect(page.get_by_label("Edit your message")).to_have_count(0)

    page.keyboard.press("Alt+ArrowUp")
    expect(ines.messages().first).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator("#toasts")).to_contain_text("That cannot be done with this message.")
    assert len(ines.rows()) == 2


def test_message_is_deleted_restored_and_forked(people, provider):
    ines = asked(people, provider, "The third one.")
    page = ines.page
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+ArrowUp")
    expect(ines.messages().first).to_be_focused()

    tab_to(page, "^More$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy").first).to_be_focused()
    page.keyboard.press("d")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    expect(ines.messages("deleted")).to_have_count(1)
    expect(ines.messages().first).to_be_focused()
    tab_to(page, "^Restore")
    held = hold(page, re.compile("/c/[^/]+/messages/[^/]+/$"))
    page.keyboard.press("Enter")
    let_go(page, held, 0)
    expect(ines.messages("deleted")).to_have_count(0)
    expect(ines.messages().first).to_be_focused()

    tab_to(page, "^More$")
    ines.messages().first.evaluate("article => { article.dataset.old = true; }")
    let_go(page, held, 1)  # the news of it fetch it once more
    page.unroute_all()
    expect(page.locator("[data-old]")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy").first).to_be_focused()
    page.keyboard.press("n")
    expect(page.get_by_role("menuitem", name="New conversation from here")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/c/" in url and ines.conversation not in url)


def test_conversation_is_renamed(people):
    ines = people("ines").start()
    page = ines.page
    page.keyboard.press("F6")
    tab_to(page, "^More actions$", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title", exact=True)).to_be_focused()

    page.keyboard.press("Control+a")
    page.keyboard.type("The quay at night")
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("The quay at night")
    expect(page.locator("#rename")).to_be_hidden()


def menu(page, name):
    """An entry of the conversation's menu, from the words being written."""
    for _ in range(4):
        if page.evaluate("document.activeElement.id") == "draft":
            break
        page.keyboard.press("F6")
    tab_to(page, "^More actions$", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#conversation-menu [role=menuitem]:focus")).to_have_count(1)
    for _ in range(20):
        if re.search(f"^{name}$", page.evaluate(NAME)):
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def test_file_is_attached_and_who_answers_is_chosen(people, provider):
    ines = people("ines").start()
    page = ines.page
    choosing = []
    page.on("filechooser", lambda chooser: choosing.append(chooser))  # noqa: PLW0108 - Playwright marks what it is given; before the key: the browser is told by and by that we choose in its place
    page.keyboard.press("F6")
    tab_to(page, "^Attach files$")
    page.keyboard.press("Enter")
    for _ in range(200):
        if choosing:
            break
        page.wait_for_timeout(100)
    choosing[0].set_files([{"name": "log.txt", "mimeType": "text/plain", "buffer": b"Sealed"}] * 2)
    files = page.locator(".composer li.file[data-state=ready]")
    expect(files).to_have_count(2)
    tab_to(page, "^Remove log.txt$", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(files).to_have_count(1)
    expect(page.locator("#draft")).to_be_focused()

    tab_to(page, "^Answered by")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Find an agent or a model")).to_be_focused()
    page.keyboard.type("stub-small")
    chosen = page.locator("#models [role=option][aria-selected=true]")
    if chosen.get_attribute("data-agent"):  # an assistant that uses this model comes before it
        page.keyboard.press("ArrowDown")
    expect(chosen).to_have_attribute("data-model", re.compile("."))
    page.keyboard.press("Enter")
    expect(page.locator("#draft")).to_be_focused()
    expect(page.get_by_role("button", name="Answered by")).to_contain_text("stub-small")
    page.keyboard.type("What is in it?")
    page.keyboard.press("Enter")
    ines.wait_for_end()
    assert [part["type"] for part in ines.rows()[0]["parts"]] == ["file", "text"]
    assert ines.rows()[1]["model"].endswith("stub-small")


def test_conversation_is_pinned_tagged_archived_and_brought_back(people):
    ines = people("ines").start()
    page = ines.page
    menu(page, "Pin")
    expect(page.locator("#toasts")).to_contain_text("Pinned.")
    menu(page, "Tags")
    expect(page.get_by_label("Tags, with commas between")).to_be_focused()
    page.keyboard.type("noir, port")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    menu(page, "Archive")
    expect(page.locator(".dock")).to_contain_text("This conversation is archived")
    page.wait_for_selector("body[data-ready]", state="attached")

    tab_to(page, "^Bring it back$")
    page.keyboard.press("Enter")
    expect(page.locator("#draft")).to_be_visible()
    found = page.evaluate("async (url) => (await fetch(url)).json()", f"/api/v1/conversations/{ines.conversation}/")
    assert (found["is_pinned"], found["tags"], found["archived_at"]) == (True, ["noir", "port"], None)


def test_link_is_made_and_withdrawn(people, provider):
    ines = asked(people, provider, "The fifth one.")
    page = ines.page
    at_people(page)
    tab_to(page, "^Team$")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Link")).to_be_focused()
    tab_to(page, "^Make a link$")
    page.keyboard.press("Enter")
    address = page.get_by_label("The new link")
    expect(address).to_have_value(re.compile("/s/"))
    shared = address.input_value()
    tab_to(page, "^Withdraw this link$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Leave it as it is")).to_be_focused()
    tab_to(page, "^Withdraw$")
    page.keyboard.press("Enter")
    expect(page.locator("#context-panel")).to_contain_text("There is none yet.")
    expect(page.get_by_label("It works")).to_be_focused()
    assert page.evaluate("async (url) => (await fetch(url)).status", shared) == 404
    ines.complaints.clear()  # the page that is not there any more


def test_words_are_found_everywhere_and_in_one_conversation(people, provider):
    ines = asked(people, provider, "Beside the lantern, behind the lantern shed.")
    page = ines.page
    here = page.url
    page.keyboard.press("F6")
    tab_to(page, "^Find in this conversation$", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("lantern")
    expect(page.locator("[data-find-target=count]")).to_contain_text(re.compile("Message 1 of"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Messages")).to_be_focused()

    page.goto(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.keyboard.press("Control+k")
    page.keyboard.type("lantern")
    expect(page.locator("#palette [role=option]").filter(has_text="lantern").first).to_be_visible()
    for _ in range(12):
        chosen = page.locator("#palette [role=option][aria-selected=true]")
        if chosen.count() and "lantern shed" in chosen.inner_text():
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{here}**")


def test_command_is_completed_and_run(people):
    ines = people("ines").start()
    page = ines.page
    for _ in range(3):
        if page.evaluate("document.activeElement.id") != "draft":
            page.keyboard.press("F6")

    page.keyboard.type("/ti")
    expect(page.get_by_role("option", name=re.compile("title"))).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#draft")).to_have_value("/title ")
    page.keyboard.type("Twelve cranes")
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("Twelve cranes")
    expect(page.locator("#draft")).to_have_value("")


def test_commands_work_before_there_is_a_conversation(people):
    ines = people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.locator("#draft").focus()

    page.keyboard.type("/he")
    expect(page.get_by_role("option", name=re.compile("help"))).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".dock [role=note]")).to_contain_text("/title")
    assert page.url == f"{ines.stack.base_url}/"

    page.keyboard.type("/title Twelve cranes")
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/*/")

    expect(page.locator("h1")).to_have_text("Twelve cranes")
    expect(page.locator(".thread [role=note]")).to_be_visible()
    assert ines.messages().count() == 0


def test_draft_that_is_brought_back_opens_no_list_of_commands(people):
    ines = people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.locator("#draft").press_sequentially("/")
    expect(page.get_by_role("option", name=re.compile("help"))).to_be_visible()

    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")

    expect(page.locator("#draft")).to_have_value("/")
    page.wait_for_timeout(500)  # as long as the list took to come
    expect(page.locator("[data-composer-target=completion]")).to_be_hidden()
    page.locator("#draft").press("End")
    page.locator("#draft").press_sequentially("he")
    expect(page.get_by_role("option", name=re.compile("help"))).to_be_visible()


def at_people(page):
    for _ in range(4):
        if page.evaluate("document.activeElement.closest('#context') !== null"):
            break
        page.keyboard.press("F6")
    if page.evaluate("document.activeElement.getAttribute('role')") != "tab":
        tab_to(page, "^(People|Details)$")
    if page.evaluate(NAME) != "People":
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name="Seen by")).to_be_visible()


def test_somebody_is_invited_into_a_private_conversation(people):
    ines = people("ines").start()
    page = ines.page
    at_people(page)

    tab_to(page, "^Team$")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="Private")).to_be_focused()
    tab_to(page, "^Invite somebody")
    page.keyboard.type("Dan")
    tab_to(page, "^Invite$")
    page.keyboard.press("Enter")

    panel = page.locator("#context-panel")
    expect(panel.locator("[data-person]").filter(has_text="Daniel Okoye")).to_be_visible()
    tab_to(page, "^Remove Daniel Okoye$", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(panel.locator("[data-person]")).to_have_count(1)
    expect(panel.get_by_role("heading", name="People", exact=True)).to_be_focused()


def test_provider_is_added(people, running_provider):
    ines = people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/settings/")
    page.wait_for_selector("body[data-ready]", state="attached")
    tab_to(page, "^Providers")
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/providers/")
    page.wait_for_selector("body[data-ready]", state="attached")

    tab_to(page, "^Kind")
    page.keyboard.type("OpenAI-compatible")
    tab_to(page, "^Name")
    page.keyboard.press("Control+a")
    page.keyboard.type("Second stub")
    tab_to(page, "^Key")
    page.keyboard.type("sk-by-hand")
    tab_to(page, "^Address")
    page.keyboard.type(running_provider.openai_url)
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_contain_text("Second stub")
    assert "sk-by-hand" not in page.content()


def test_budget_is_set_and_a_search_is_narrowed(people, provider):
    ines = asked(people, provider, "Beside the beacon.")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/settings/budget/")
    page.wait_for_selector("body[data-ready]", state="attached")
    tab_to(page, "^At most in a month")
    page.keyboard.press("Control+a")
    page.keyboard.type("240")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_contain_text(re.compile(r"of .*240"))

    page.goto(f"{ines.stack.base_url}/search/")
    page.wait_for_selector("body[data-ready]", state="attached")
    if page.evaluate("document.activeElement.id") != "search-words":
        tab_to(page, "^Search messages and titles$")
    page.keyboard.type("beacon")
    expect(page.locator("#results mark")).to_have_text("beacon")
    tab_to(page, "^Filters$")
    page.keyboard.press("Enter")
    tab_to(page, "^Tag$")
    page.keyboard.type("nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#results mark")).to_have_count(0)
    expect(page).to_have_url(re.compile("q=beacon.*tag=nowhere"))
    if page.evaluate("document.activeElement.id") != "f-tag":
        tab_to(page, "^Tag$")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    tab_to(page, "^Model$", key="Shift+Tab")
    expect(page).to_have_url(re.compile("tag=&"))
    page.keyboard.type("stub-small")
    page.keyboard.press("Enter")
    expect(page.locator("#results mark")).to_have_text("beacon")
    expect(page).to_have_url(re.compile("model=stub-small"))
    for model, tag in (("", ""), ("", "nowhere")):
        page.go_back()
        expect(page.locator("#f-model")).to_have_value(model)
        expect(page.locator("#f-tag")).to_have_value(tag)
    expect(page.locator("#search-words")).to_be_focused()

    page.wait_for_selector("body[data-ready]", state="attached")
    page.context.clear_cookies(name=duo.SESSION)
    page.keyboard.press("Enter")  # asks once; what is typed would ask again, and be refused again, later
    for place in ("#results [role=alert]", "#connection"):
        expect(page.locator(place)).to_contain_text("You are signed out.")
    ines.complaints.clear()  # the browser tells of what was refused


CREW = """async (project) => {
    const headers = { "content-type": "application/json", "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    const post = async (url, body) => (await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).json();
    const properties = { name: { type: "string" }, age: { type: "integer" } };
    const collection = await post("/api/v1/collections/", { project, name: "Crew", document: { type: "object", properties } });
    const ids = [];
    for (const name of ["Ana", "Bruno"]) ids.push((await post("/api/v1/records/", { collection: collection.id, data: { name, age: 30 } })).id);
    return [collection.id, ...ids];
}"""
AGE = """async ([id, age]) => {
    const headers = { "content-type": "application/json", "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    await fetch(`/api/v1/records/${id}/`, { method: "PATCH", headers, body: JSON.stringify({ data: { age } }) });
}"""
AGES = "async (id) => (await (await fetch(`/api/v1/records/?collection=${id}&sort=title`)).json()).results.map(({ data }) => data.age)"


def test_cells_of_a_table_are_changed_and_a_conflict_is_decided(people, stack):
    ines = people("ines").start()
    page = ines.page
    crew, _ana, bruno = page.evaluate(CREW, stack.cast["project"])
    page.goto(f"{stack.base_url}/records/{crew}/?sort=title")
    page.wait_for_selector("body[data-ready]", state="attached")
    editor, cells = page.locator("#cell-editor"), page.locator("td[data-field=age]")

    tab_to(page, "^Ana$")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(editor.locator("[name=value]")).to_be_focused()
    page.keyboard.type("old")
    page.keyboard.press("Enter")
    expect(editor.get_by_role("alert")).to_contain_text("whole number")
    page.keyboard.press("Control+a")
    page.keyboard.type("31")
    page.keyboard.press("Tab")
    expect(cells.first).to_have_text("31")
    expect(editor.locator("[name=value]")).to_have_value("Bruno")
    page.keyboard.press("Escape")
    expect(page.locator("td.name").nth(1)).to_be_focused()

    page.evaluate(AGE, [bruno, 50])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("F2")
    page.keyboard.press("Control+a")
    page.keyboard.type("41")
    page.keyboard.press("Enter")
    expect(editor).to_contain_text("Somebody changed this meanwhile. Now it says: 50")
    expect(editor.locator('[data-slot="help"]')).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(cells.nth(1)).to_have_text("41")
    expect(cells.nth(1)).to_be_focused()
    assert page.evaluate(AGES, crew) == [31, 41]
    ines.complaints.clear()  # the refused and the stale answer, which the console tells of
