"""A conversation as two people live it: real processes, a scripted model, Chromium."""

import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.members import READ, hold, people, stack, states
from tests.provider.fixtures import provider, running_provider
from tests.provider.script import expected_text

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)  # the first one waits for a stack and its people


def test_answer_is_written_while_it_comes_and_ends_as_the_row(people, provider):
    provider.script({"tokens": 160, "rate": 200, "hold": 40})
    ines = people("ines").start()

    ines.say("Which containers were **changed**?")

    expect(ines.messages("streaming")).to_have_count(1)
    seen = ines.last.locator(".prose").inner_text()
    assert 0 < len(seen) < len(expected_text(160))
    assert expected_text(160).startswith(seen.strip())
    expect(ines.last.locator(".caret")).to_have_count(1)
    expect(ines.page.get_by_role("button", name="Stop the answer")).to_be_visible()
    provider.release()
    ines.wait_for_end()
    assert ines.texts() == ["Which containers were changed?", expected_text(160)]
    assert [row["content"] for row in ines.rows()] == ["Which containers were **changed**?", expected_text(160)]
    assert ines.messages().locator("strong").inner_text() == "changed"
    expect(ines.last.locator(".meta")).to_contain_text("160 tokens")
    expect(ines.page.locator("#announcer")).to_have_text("Answer finished, 160 words")


def test_all_words_of_an_answer_are_counted_for_who_opened_the_page_while_it_was_written(people, provider):
    provider.script({"tokens": 120, "rate": 200, "hold": 60})
    ines = people("ines").start()
    ines.say("At length.")
    expect(ines.messages("streaming")).to_have_count(1)
    ines.page.wait_for_timeout(2500)  # a checkpoint has some of the words by now
    ines.page.reload()
    expect(ines.messages("streaming")).to_have_count(1)

    provider.release()
    ines.wait_for_end()

    expect(ines.page.locator("#announcer")).to_have_text("Answer finished, 120 words")


def test_stop_keeps_the_words_and_continue_goes_on_behind_them(people, provider):
    provider.script({"tokens": 300, "rate": 30}, {"text": "and so on."})
    ines = people("ines").start()
    ines.say("Count.")
    expect(ines.messages("streaming")).to_have_count(1)

    ines.page.keyboard.press("Escape")

    expect(ines.messages("stopped")).to_have_count(1)
    stopped = ines.rows()[-1]
    assert stopped["status"] == "stopped"
    assert stopped["content"]
    assert expected_text(300).startswith(stopped["content"])
    assert ines.texts()[-1] == stopped["content"].strip()
    expect(ines.last).to_contain_text("Stopped by Inês Duarte")

    ines.last.get_by_role("button", name="Continue").click()

    expect(ines.messages("completed")).to_have_count(2)
    assert ines.messages().count() == 2
    assert ines.rows()[-1]["content"].startswith(stopped["content"])
    assert ines.rows()[-1]["content"].endswith("and so on.")
    assert ines.texts()[-1] == ines.rows()[-1]["content"].strip()


def test_retry_makes_a_sibling_and_arrows_switch(people, provider):
    provider.script({"text": "First answer."}, {"text": "Second answer."})
    ines = people("ines").start()
    ines.say("Which quay?")
    ines.wait_for_end()

    ines.last.focus()
    ines.page.keyboard.press("r")

    expect(ines.last).to_contain_text("Second answer.")
    expect(ines.last.locator(".siblings")).to_contain_text("2 of 2")
    ines.wait_for_end()
    ines.last.get_by_role("button", name="Earlier version").focus()
    ines.page.keyboard.press("ArrowLeft")
    expect(ines.last).to_contain_text("First answer.")
    expect(ines.last.locator(".siblings")).to_contain_text("1 of 2")
    expect(ines.last.get_by_role("button", name="Later version")).to_be_focused()
    assert [row["content"] for row in ines.rows()] == ["Which quay?", "First answer."]
    ines.page.reload()
    expect(ines.last).to_contain_text("First answer.")


def test_page_says_that_the_conversation_goes_on_elsewhere_and_follows(people, provider):
    provider.script({"text": "First answer."}, {"text": "Second answer."})
    ines = people("ines").start()
    ines.say("Which quay?")
    ines.wait_for_end()
    kept = ines.rows()[-1]["id"]
    ines.last.get_by_role("button", name="Answer again").click()
    expect(ines.last).to_contain_text("Second answer.")
    ines.wait_for_end()
    again = ines.rows()[-1]["id"]
    elsewhere = ines.page.get_by_text("The conversation goes on on another branch.")
    expect(elsewhere).to_be_hidden()
    ines.last.get_by_role("button", name="Earlier version").click()
    expect(elsewhere).to_be_visible()
    daniel = people("daniel").open(ines.conversation)

    def say(parent, content):
        daniel.write("POST", f"conversations/{ines.conversation}/messages/", {"content": content, "parent": parent})

    say(kept, "@Inês Duarte it is here.")
    expect(ines.last).to_contain_text("it is here")
    expect(elsewhere).to_be_hidden()
    say(again, "@Inês Duarte and there.")
    expect(elsewhere).to_be_visible()
    expect(ines.last).to_contain_text("it is here")
    ines.page.get_by_role("button", name="Follow").focus()
    ines.page.keyboard.press("Enter")

    expect(ines.last).to_contain_text("and there")
    expect(elsewhere).to_be_hidden()
    expect(ines.page.get_by_role("region", name="Messages")).to_be_focused()
    assert ines.page.evaluate(READ, f"/api/v1/conversations/{ines.conversation}/branches/")["is_following"] is True

    # Who follows is led along, hears of it, and may stay.
    moved = ines.page.get_by_text("The conversation went on on another branch, which is shown now.")
    expect(moved).to_be_hidden()
    say(kept, "@Inês Duarte over here again.")
    expect(ines.last).to_contain_text("over here again")
    expect(moved).to_be_visible()
    ines.page.get_by_role("button", name="Back to where you were").press("Enter")
    expect(ines.last).to_contain_text("and there")
    expect(moved).to_be_hidden()
    expect(elsewhere).to_be_visible()


def test_edit_makes_a_branch_and_keeps_the_earlier_words(people, provider):
    provider.script(
        {"text": "About the ferry."},
        {"text": "About the locker."},
        {"text": "Deck two.", "hold": 1},
        {"text": "Number nine."},
    )
    ines = people("ines").start()
    ines.say("The ferry.")
    ines.wait_for_end()
    ines.page.get_by_role("button", name="Answered by").click()
    ines.page.locator("#models [data-model]:not([aria-disabled])").first.click()

    ines.page.locator("#draft").press("ArrowUp")
    expect(ines.page.get_by_label("Edit your message")).to_be_focused()
    expect(ines.page.get_by_label("Edit your message")).to_have_value("The ferry.")
    ines.page.keyboard.press("Control+a")
    ines.page.keyboard.type("The locker.")
    with ines.page.expect_request("**/edit/") as edit:
        ines.page.keyboard.press("Control+Enter")
    assert edit.value.post_data_json["model"]

    expect(ines.last).to_contain_text("About the locker.")
    ines.wait_for_end()
    assert ines.texts() == ["The locker.", "About the locker."]
    question = ines.messages().first
    expect(question.locator(".siblings")).to_contain_text("2 of 2")
    question.get_by_role("button", name="Earlier version").click()
    expect(ines.messages().first).to_contain_text("The ferry.")
    assert ines.texts() == ["The ferry.", "About the ferry."]

    # Found where it stands; the page says whose branch that is not, and leads back.
    other = ines.page.get_by_text("Another branch than yours is shown.")
    expect(other).to_be_hidden()
    ines.page.get_by_role("button", name="Find in this conversation").click()
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("locker")
    expect(ines.page.locator(".find-bar .num")).to_contain_text("2 of 2")
    expect(other).to_be_visible()
    assert ines.texts() == ["The locker.", "About the locker."]
    ines.page.wait_for_load_state("networkidle")
    expect(ines.page.get_by_role("button", name="New words")).to_be_hidden()
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("ferry")
    expect(other).to_be_hidden()
    assert ines.texts() == ["The ferry.", "About the ferry."]
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("locker")
    expect(other).to_be_visible()
    ines.page.get_by_role("link", name="Back to your branch").click()
    expect(other).to_be_hidden()
    assert ines.texts() == ["The ferry.", "About the ferry."]

    # Switched at another page meanwhile: what is said goes where it was written.
    locker = ines.write("POST", f"conversations/{ines.conversation}/branches/", {"message": None})["leaf"]
    ines.say("Which deck?")
    expect(ines.messages("streaming")).to_have_count(1)

    # What comes meanwhile on one's own branch is not drawn into the one that is shown.
    ines.page.get_by_role("button", name="Find in this conversation").click()
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("locker")
    expect(other).to_be_visible()
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("ferry")
    expect(other).to_be_hidden()
    expect(ines.messages("streaming")).to_have_count(1)
    deck = ines.messages("streaming").get_attribute("data-message")
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("locker")
    expect(other).to_be_visible()
    with ines.page.expect_response(f"**/{deck}/"):
        provider.release()
    ines.page.wait_for_load_state("networkidle")
    assert ines.texts() == ["The locker.", "About the locker."]
    ines.page.get_by_role("searchbox", name="Find in this conversation").fill("ferry")
    expect(other).to_be_hidden()
    about_the_ferry = ["The ferry.", "About the ferry.", "Which deck?", "Deck two."]
    assert ines.texts() == about_the_ferry
    ines.page.goto(f"{ines.page.url}?message={locker}")
    ines.page.wait_for_selector("body[data-ready]", state="attached")
    assert [row["content"] for row in ines.rows()] == about_the_ferry
    ines.say("Which number?")
    expect(ines.last).to_contain_text("Number nine.")
    ines.wait_for_end()
    assert ines.texts() == ["The locker.", "About the locker.", "Which number?", "Number nine."]


def test_words_written_offline_go_out_once_and_in_order(people, stack, provider):
    ines = people("ines").start()
    ines.context.set_offline(offline=True)
    expect(ines.page.locator("#connection")).to_contain_text("You are offline")

    ines.say("First, offline.")
    ines.say("Second, offline.")

    expect(ines.messages("unsent")).to_have_count(2)
    expect(ines.last).to_contain_text("It is kept here")
    ines.context.set_offline(offline=False)
    expect(ines.messages("unsent")).to_have_count(0, timeout=15_000)
    ines.wait_for_end()
    questions = [row["content"] for row in ines.rows() if row["role"] == "user"]
    assert questions == ["First, offline.", "Second, offline."]
    count = "SELECT count(*), count(DISTINCT client_id) FROM conversations_message WHERE conversation_id = %s AND role = 'user'"
    assert stack.sql(count, [ines.conversation]) == [(2, 2)]
    ines.complaints.clear()  # the browser itself reports each request that failed while offline


def test_first_words_written_offline_begin_their_conversation_later(people, stack, provider):
    ines = people("ines")
    page = ines.page
    page.goto(f"{stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    ines.context.set_offline(offline=True)
    expect(page.locator("#connection")).to_contain_text("You are offline")

    ines.say("Taken back.")
    waiting = page.locator("[data-start-target=waiting]")
    expect(waiting).to_contain_text("Taken back.")
    waiting.get_by_role("button", name="Edit").click()
    expect(page.locator("#draft")).to_have_value("Taken back.")
    expect(waiting).to_be_empty()
    ines.say("Refused elsewhere.")  # in a project that may not be opened any more
    page.evaluate("""async () => { const { write } = await import("core/storage"), { outbox } = await import("conversations/outbox");
        const there = ({ begin, ...item }) => ({ ...item, begin: { ...begin, body: { project: crypto.randomUUID() } }, refusal: "Archived." });
        write("outbox", outbox().items().map(there)); outbox().dispatchEvent(new Event("change")); }""")
    expect(waiting).to_contain_text("Archived.")
    waiting.get_by_role("button", name="Discard").click()
    ines.say("Begun offline.")
    expect(waiting).to_contain_text("Begun offline.")
    expect(page.locator("#draft")).to_have_value("")
    ines.context.set_offline(offline=False)

    page.wait_for_url("**/c/**")
    ines.conversation = page.url.rstrip("/").split("/")[-1]
    page.wait_for_selector("body[data-ready]", state="attached")
    ines.wait_for_end()
    assert [row["content"] for row in ines.rows() if row["role"] == "user"] == ["Begun offline."]
    count = "SELECT count(*), count(DISTINCT conversation_id) FROM conversations_message WHERE content IN ('Begun offline.', 'Taken back.')"
    assert stack.sql(count, []) == [(1, 1)]
    ines.complaints.clear()  # the browser itself reports each request that failed while offline


def test_unsent_words_survive_a_reload_of_the_page(people, provider):
    ines = people("ines").start()
    ines.page.route("**/messages/", lambda route: route.abort() if route.request.method == "POST" else route.fallback())
    ines.say("Kept over a reload.")
    expect(ines.messages("unsent")).to_have_count(1)

    ines.page.unroute("**/messages/")
    ines.page.reload()

    ines.wait_for_end()
    assert [row["content"] for row in ines.rows() if row["role"] == "user"] == ["Kept over a reload."]
    ines.complaints.clear()


def test_draft_survives_reload_and_belongs_to_its_conversation(people):
    ines = people("ines").start()
    first = ines.conversation
    ines.page.locator("#draft").fill("Not finished yet")
    ines.page.reload()
    expect(ines.page.locator("#draft")).to_have_value("Not finished yet")

    ines.start()
    expect(ines.page.locator("#draft")).to_have_value("")

    ines.open(first)
    expect(ines.page.locator("#draft")).to_have_value("Not finished yet")


LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


def test_draft_in_two_tabs_is_lost_in_neither(people):
    ines = people("ines").start()
    one, other = ines.page, ines.context.new_page()
    other.goto(one.url)
    other.wait_for_selector("body[data-ready]", state="attached")

    other.locator("#draft").fill("Typed in the other tab")
    expect(one.locator("#draft")).to_have_value("Typed in the other tab")
    one.evaluate(LOOK)
    other.reload()
    other.wait_for_selector("body[data-ready]", state="attached")
    expect(other.locator("#draft")).to_have_value("Typed in the other tab")

    one.locator("#draft").fill("Typed here")
    expect(other.locator("#draft")).to_have_value("Typed here")
    other.locator("#draft").fill("Typed there")
    other.evaluate(LOOK)
    one.evaluate(LOOK)
    expect(one.locator("#draft")).to_have_value("Typed here")
    one.locator("#draft").fill("")
    other.close()
    one.evaluate(LOOK)
    expect(one.locator("#draft")).to_have_value("Typed there")
    one.reload()
    expect(one.locator("#draft")).to_have_value("Typed there")


def test_first_step_fills_an_empty_field_alone(people):
    ines = people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    draft, steps = page.locator("#draft"), page.locator("button.start")

    steps.filter(has_text="Think something through").click()
    expect(draft).to_have_value("Help me decide: ")
    steps.filter(has_text="Draft a text").click()
    expect(draft).to_have_value("Draft a short mail to ")
    draft.fill("Typed by hand")
    steps.filter(has_text="Think something through").click()

    expect(draft).to_be_focused()
    expect(draft).to_have_value("Typed by hand")


def test_two_people_see_the_same_words_as_they_come(people, provider):
    provider.script({"tokens": 400, "rate": 200, "hold": 80}, {"text": "Short."})
    ines = people("ines").start()
    daniel = people("daniel").open(ines.conversation)
    expect(ines.page.locator(".faces")).to_have_attribute("aria-label", re.compile("Daniel Okoye"))

    daniel.page.locator("#draft").press_sequentially("Wait")
    expect(ines.page.locator(".typing")).to_contain_text("Daniel Okoye is typing")
    ines.say("Read the log.")

    expect(daniel.messages("streaming")).to_have_count(1)
    late = people("daniel").open(ines.conversation)
    expect(late.messages("streaming")).to_have_count(1)
    provider.release()
    for member in (ines, daniel, late):
        member.wait_for_end()
    assert ines.texts() == daniel.texts() == late.texts() == ["Read the log.", expected_text(400)]

    daniel.say("Thank you.")
    expect(ines.last).to_contain_text("Short.")
    for member in (ines, daniel, late):
        expect(member.messages()).to_have_count(4)
        member.wait_for_end()
    assert ines.texts() == daniel.texts() == late.texts()
    assert ines.texts()[2:] == ["Thank you.", "Short."]


def test_answer_goes_on_while_the_web_process_restarts(people, stack, provider):
    provider.script({"tokens": 160, "rate": 25})
    ines = people("ines").start()
    ines.say("Take your time.")
    expect(ines.messages("streaming")).to_have_count(1)

    stack.restart("web", number=signal.SIGKILL)

    ines.wait_for_end()
    assert ines.texts() == ["Take your time.", expected_text(160)]
    ines.complaints.clear()  # the browser reports the socket that broke


def test_keyboard_alone_is_enough(people, provider):
    provider.script({"tokens": 400, "rate": 30}, {"text": "Again."})
    ines = people("ines")
    page = ines.page
    page.goto(f"{ines.stack.base_url}/conversations/")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.keyboard.press("Alt+n")
    page.wait_for_url(f"{ines.stack.base_url}/")
    page.wait_for_selector("body[data-ready]", state="attached")
    for _ in range(3):
        if page.evaluate("document.activeElement.id") != "draft":
            page.keyboard.press("F6")
    page.keyboard.type("Write a lot.")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Very much.")
    page.keyboard.press("Enter")
    page.wait_for_url("**/c/**")
    ines.conversation = page.url.rstrip("/").split("/")[-1]
    expect(ines.messages("streaming")).to_have_count(1)

    page.keyboard.press("F6")
    page.keyboard.press("Escape")
    expect(ines.messages("stopped")).to_have_count(1)
    assert ines.rows()[0]["content"] == "Write a lot.\nVery much."
    page.keyboard.press("Alt+ArrowUp")
    expect(ines.last).to_be_focused()
    page.keyboard.press("Alt+ArrowUp")
    expect(ines.messages().first).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_label("Edit your message")).to_be_focused()
    page.keyboard.press("Escape")
    expect(ines.messages().first).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(ines.messages().first).to_be_focused()
    page.keyboard.press("Control+/")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+e")
    expect(page.get_by_label("Edit your message")).to_be_focused()


def test_what_a_model_or_a_person_says_runs_nothing(people, provider):
    payload = (
        "<img src=x onerror=alert(1)> <script>alert(1)</script> [x](javascript:alert(1)) ![p](https://canary.invalid/p.png?s)\n\n"
        '```"><svg onload=alert(1)>\n</pre><img src=x onerror=alert(1)>\n```\n\n| <svg onload=alert(1)> |\n|---|\n| x |'
    )
    provider.script({"text": payload, "rate": 60})
    ines = people("ines").start()
    fired, asked = [], []
    ines.page.on("dialog", lambda dialog: (fired.append(dialog.message), dialog.dismiss()))
    ines.page.on("request", lambda request: "canary" in request.url and asked.append(request.url))

    ines.say(payload)
    ines.wait_for_end()
    ines.page.reload()
    ines.wait_for_end()

    assert fired == []
    assert asked == []
    assert ines.messages().locator("img:not([data-part]), script, svg:not(.icon):not(.avatar svg)").count() == 0
    assert ines.messages().locator("a.remote-image").all_inner_texts() == ["p canary.invalid"] * 2


def test_delete_can_be_taken_back(people, provider):
    provider.script({"text": "Fine."})
    ines = people("ines").start()
    ines.say("Delete me.")
    ines.wait_for_end()
    question = ines.messages().first
    question.hover()
    question.get_by_role("button", name="More").click()

    ines.page.get_by_role("menuitem", name="Delete").click()

    expect(ines.messages("deleted")).to_have_count(1)
    expect(ines.messages().first).not_to_contain_text("Delete me.")
    ines.page.get_by_role("button", name="Undo").click()
    expect(ines.messages("deleted")).to_have_count(0)
    expect(ines.messages().first).to_contain_text("Delete me.")


FILL = """
    INSERT INTO conversations_message (id, organization_id, conversation_id, number, role, author_id, parent_id, status, parts, content,
        answered_by, is_edit, created_at, updated_at)
    SELECT md5(c.id::text || n)::uuid, c.organization_id, c.id, n, CASE WHEN n %% 2 = 1 THEN 'user' ELSE 'assistant' END,
        CASE WHEN n %% 2 = 1 THEN c.owner_id END, CASE WHEN n > 1 THEN md5(c.id::text || (n - 1))::uuid END, 'completed',
        jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'Line ' || n)), 'Line ' || n, '', false, now(), now()
    FROM conversations_conversation c, generate_series(1, 5000) n WHERE c.id = %s
"""
END = """
    UPDATE conversations_conversation SET last_number = 5000, head_id = md5(id::text || 5000)::uuid WHERE id = %s
"""
NUMBERS = "elements => elements.map((element) => Number(element.dataset.number))"


def test_five_thousand_messages_are_a_window_that_moves(people, stack):
    ines = people("ines").start()
    stack.sql(FILL, [ines.conversation])
    stack.sql(END, [ines.conversation])

    def shown():
        return ines.page.eval_on_selector_all("article[data-number]", NUMBERS)

    ines.open(ines.conversation)
    assert shown() == list(range(4951, 5001))
    expect(ines.last).to_be_in_viewport()

    # Upwards: earlier messages come by themselves, later ones leave, and what is read stays where it is.
    for _ in range(8):
        before = shown()[0]
        ines.page.locator(f'[data-number="{before}"]').scroll_into_view_if_needed()
        expect(ines.page.locator(f'[data-number="{before - 50}"]')).to_be_attached()
        expect(ines.page.locator(f'[data-number="{before}"]')).to_be_in_viewport()
    numbers = shown()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) <= 200
    assert numbers[-1] < 5000

    # Far away at once, by the words; back to the end by writing.
    ines.page.get_by_role("button", name="Find in this conversation").click()
    ines.page.keyboard.type("17")
    expect(ines.page.locator("[data-find-target=count]")).to_contain_text(re.compile(r"Message \d+ of"))
    ines.page.keyboard.press("Enter")
    ines.page.keyboard.press("Escape")
    assert len(shown()) <= 200
    ines.say("At the end.")
    expect(ines.messages().filter(has_text="At the end.")).to_have_count(1)
    ines.wait_for_end()
    assert shown()[-2:] == [5001, 5002]


def test_editor_that_was_closed_at_once_opens_again_at_once(people, provider):
    provider.script({"text": "Fine."})
    ines = people("ines").start()
    ines.say("First words.")
    ines.wait_for_end()
    held = hold(ines.page, re.compile("/api/v1/messages/[^/]+/$"))
    editor = ines.page.get_by_label("Edit your message")
    ines.page.keyboard.press("Control+e")
    expect(editor).to_be_focused()
    ines.page.keyboard.press("Escape")
    expect(editor).to_have_count(0)

    ines.page.keyboard.press("Control+e")

    expect(editor).to_be_focused()
    for route in held:
        route.continue_()
    ines.page.unroute_all()
    expect(editor).to_have_value("First words.")


def test_editor_stays_open_when_its_message_comes_anew(people, provider):
    provider.script(*({"text": text} for text in ("Fine.", "Fine again.", "Fine for good.")))
    ines = people("ines").start()
    held = hold(ines.page, re.compile("/c/[^/]+/messages/[^/]+/$"))
    ines.say("First words.")
    question = ines.messages().first
    expect(question).to_have_attribute("data-message", re.compile("."))
    question.focus()
    ines.page.keyboard.press("e")
    editor = ines.page.get_by_label("Edit your message")
    expect(editor).to_have_value("First words.")
    ines.page.keyboard.type(" And more")
    ines.page.keyboard.press("ArrowLeft")
    assert question.get_attribute("data-can") is None, "this is still the page's own article"

    for route in held:
        route.continue_()
    ines.page.unroute_all()

    expect(question).to_have_attribute("data-can", re.compile("edit"))
    expect(ines.last).to_contain_text("Fine.")
    expect(editor).to_be_focused()
    expect(editor).to_have_value("First words. And more")
    assert editor.evaluate("input => input.selectionStart") == len("First words. And mor")
    expect(question.locator(".prose")).to_be_hidden()

    daniel = people("daniel").open(ines.conversation)
    daniel.last.focus()
    daniel.page.keyboard.press("r")

    expect(ines.last).to_contain_text("Fine again.")
    expect(editor).to_be_focused()
    expect(editor).to_have_value("First words. And more")
    ines.page.keyboard.press("Escape")
    expect(question).to_be_focused()

    more = question.get_by_role("button", name="More")
    more.focus()
    question.evaluate("article => { article.dataset.old = true; }")
    daniel.wait_for_end()
    daniel.last.focus()
    daniel.page.keyboard.press("r")

    expect(ines.last).to_contain_text("Fine for good.")
    expect(ines.page.locator("[data-old]")).to_have_count(0)  # the conversation was drawn anew
    expect(more).to_be_focused()
    expect(question.locator(".prose")).to_be_visible()
