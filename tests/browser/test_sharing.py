"""Who sees a conversation, as its owner and the others live it."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)


def open_people(member):
    member.page.get_by_role("tab", name="People").click()
    panel = member.page.locator("#context-panel")
    expect(panel.get_by_role("heading", name="Seen by")).to_be_visible()
    return panel


def test_conversation_is_private_from_its_first_word(people, provider):
    provider.script({"text": "Between us."})
    daniel, ines = people("daniel"), people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    privacy = page.get_by_role("button", name="Private", exact=True)
    expect(privacy).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#reach")).to_contain_text("Everybody in the project")

    privacy.focus()
    page.keyboard.press("Space")

    expect(privacy).to_have_attribute("aria-pressed", "true")
    expect(privacy).to_have_accessible_description("Only you and the people you invite can read and write here.")
    page.locator("#draft").fill("Not for Daniel.")
    page.locator("#draft").press("Enter")
    page.wait_for_url("**/c/*/")
    expect(page.locator(".privacy[data-of=private]")).to_be_visible()
    expect(ines.messages().first).to_contain_text("Not for Daniel.")
    ines.wait_for_end()
    assert daniel.page.goto(page.url).status == 404
    daniel.complaints.clear()  # the browser says that the page is missing


def test_private_conversation_is_for_those_who_are_invited(people, provider):
    provider.script({"text": "Between us."})
    ines = people("ines").start()
    daniel = people("daniel").open(ines.conversation)
    panel = open_people(ines)
    expect(panel.locator("[data-person]")).to_have_count(2)
    assert panel.get_by_role("button", name="Remove Daniel Okoye").count() == 0

    panel.locator("label", has_text="Private").click()

    expect(panel.get_by_text("Only you and the people you invite can read and write here.")).to_be_visible()
    expect(panel.locator("[data-person]")).to_have_count(1)
    expect(panel.get_by_role("radio", name="Private")).to_be_focused()
    expect(ines.page.locator(".privacy[data-of=private]")).to_be_visible()
    expect(daniel.page.locator(".dock")).to_contain_text("You may no longer follow this.")
    ines.say("Not for Daniel.")
    ines.wait_for_end()
    assert "Not for Daniel." not in daniel.page.content()
    assert daniel.page.goto(daniel.page.url).status == 404
    daniel.complaints.clear()  # the browser says that the page is missing

    panel.get_by_label("Invite somebody of the organization").select_option(label="Daniel Okoye")
    panel.get_by_role("button", name="Invite").click()

    expect(ines.page.locator(".toasts")).to_contain_text("Daniel Okoye sees this conversation now.")
    expect(panel.locator("[data-person]")).to_have_count(2)
    expect(panel.get_by_text("There is nobody else in the organization to invite.")).to_be_visible()
    daniel.open(ines.conversation)
    expect(daniel.messages().first).to_contain_text("Not for Daniel.")
    theirs = open_people(daniel)
    expect(theirs.get_by_text("Only people invited by Inês Duarte can read and write here.")).to_be_visible()
    assert theirs.get_by_role("radio").count() == 0
    assert theirs.get_by_role("button").all_inner_texts() == ["Leave this conversation…"]

    panel.get_by_role("button", name="Remove Daniel Okoye").click()

    expect(panel.locator("[data-person]")).to_have_count(1)
    expect(daniel.page.locator(".dock")).to_contain_text("You may no longer follow this.")
    panel.locator("label", has_text="Team").click()
    expect(panel.locator("[data-person]")).to_have_count(2)
    expect(ines.page.locator(".privacy[data-of=private]")).to_be_hidden()
    daniel.open(ines.conversation)


def test_who_was_invited_leaves_by_themselves(people):
    ines = people("ines").start()
    panel = open_people(ines)
    panel.locator("label", has_text="Private").click()
    panel.get_by_label("Invite somebody of the organization").select_option(label="Daniel Okoye")
    panel.get_by_role("button", name="Invite").click()
    expect(panel.locator("[data-person]")).to_have_count(2)
    daniel = people("daniel").open(ines.conversation)
    theirs = open_people(daniel)
    theirs.get_by_role("button", name="Leave this conversation…").click()
    dialog = daniel.page.get_by_role("alertdialog", name="Leave this conversation?")
    expect(dialog.get_by_role("button", name="Stay")).to_be_focused()

    dialog.get_by_role("button", name="Leave").click()

    daniel.page.wait_for_url(f"{daniel.stack.base_url}/conversations/")
    expect(panel.locator("[data-person]")).to_have_count(1)
    assert daniel.page.goto(f"{daniel.stack.base_url}/c/{ines.conversation}/").status == 404
    daniel.complaints.clear()  # the browser says that the page is missing


def test_sharing_that_fails_says_so_and_changes_nothing(people):
    ines = people("ines").start()
    panel = open_people(ines)
    ines.context.set_offline(offline=True)

    panel.locator("label", has_text="Private").click()

    expect(panel.get_by_role("alert")).to_contain_text("The server did not answer. Nothing was changed.")
    expect(panel.get_by_role("radio", name="Team")).to_be_checked()
    expect(panel.get_by_role("radio", name="Team")).to_be_enabled()
    ines.context.set_offline(offline=False)
    expect(ines.page.locator("#connection")).not_to_contain_text("You are offline")
    panel.locator("label", has_text="Private").click()
    expect(panel.get_by_role("radio", name="Private")).to_be_checked()
    expect(panel.locator("[data-person]")).to_have_count(1)
    ines.complaints.clear()


def test_people_who_come_are_marked_in_the_list(people):
    ines = people("ines").start()
    panel = open_people(ines)
    theirs = panel.locator("[data-person]").filter(has_text="Daniel Okoye").locator(".avatar")
    assert theirs.get_attribute("data-here") is None

    people("daniel").open(ines.conversation)

    expect(theirs).to_have_attribute("data-here", "yes")
    ines.page.get_by_role("tab", name="Details").click()
    expect(panel.get_by_text("This conversation")).to_be_visible()
    open_people(ines)
    expect(theirs).to_have_attribute("data-here", "yes")


def test_news_while_details_are_on_their_way_fetch_them_again(people):
    ines = people("ines").start()
    page, held = ines.page, []
    details = "**/context/details/"
    news = "dispatchEvent(new CustomEvent('talks:changed'))"
    open_people(ines)

    page.route(details, lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function
    with page.expect_request(details):
        page.get_by_role("tab", name="Details").click()
    page.evaluate(news)  # what is on its way may not know of them
    page.wait_for_timeout(1000)  # it asks after a moment, and only once the first answer is there
    with page.expect_request(details):
        held[0].continue_()
    expect(page.get_by_role("heading", name="This conversation", exact=True)).to_be_visible()
    assert len(held) == 2

    panel = open_people(ines)
    with page.expect_response(details):
        held[1].continue_()
    page.wait_for_timeout(300)
    expect(panel.get_by_role("heading", name="Seen by")).to_be_visible()  # the tab was left: it comes too late
    page.unroute(details)


def test_link_is_made_read_by_nobody_and_withdrawn(people, browser):
    ines = people("ines").start()
    ines.say("For everybody to read.")
    ines.wait_for_end()
    panel = open_people(ines)
    panel.locator("label", has_text="Link").click()
    expect(ines.page.locator(".privacy[data-of=link]")).to_be_visible()
    panel.get_by_role("button", name="Make a link").click()
    address = panel.get_by_label("The new link")
    expect(address).to_be_visible()
    reader = browser.new_context(locale="en-GB").new_page()

    assert reader.goto(address.input_value()).status == 200
    expect(reader.get_by_role("main")).to_contain_text("For everybody to read.")
    expect(reader.get_by_role("textbox")).to_have_count(0)
    panel.get_by_role("button", name="Withdraw this link").click()
    panel.get_by_role("alertdialog").get_by_role("button", name="Withdraw", exact=True).click()
    expect(panel.locator("[data-link]")).to_have_count(0)

    assert reader.goto(reader.url).status == 404
    reader.context.close()


def test_somebody_is_kept_out_and_let_in_again(people):
    ines = people("ines").start()
    panel = open_people(ines)
    daniel = people("daniel").open(ines.conversation)
    panel.get_by_text("Kept out").click()
    panel.get_by_label("Whom").select_option(label="Daniel Okoye")
    panel.get_by_role("button", name="Keep out").click()

    expect(daniel.page.locator(".dock")).to_contain_text("You may no longer follow this.")
    panel.get_by_role("button", name="Let Daniel Okoye in again").click()
    expect(panel.get_by_role("button", name="Let Daniel Okoye in again")).to_have_count(0)
    daniel.open(ines.conversation)
    daniel.complaints.clear()
