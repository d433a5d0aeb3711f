"""What a model makes up, decided on before it is kept: by two people in one conversation, while more is being made."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)
LONG = 40_000


def names(member, collection):
    rows = member.write("GET", f"records/?collection={collection}&limit=100")["results"]
    return sorted(row["title"] for row in rows)


def sailor(name, **more):
    return {"text": json.dumps({"entities": {"sailors": [{"id": "m1", "fields": {"name": name}}]}, "links": []})} | more


def wish(count):
    said = {"is_wish": True, "count": count, "brief": "for a noir", "collection": "sailors"}
    return {"text": json.dumps(said)}


@pytest.fixture
def both(people, stack, provider):
    ines = people("ines").start()
    collection = ines.make_collection("Sailors")
    provider.script({"text": "Noted."})
    ines.say("The port at night.")
    ines.wait_for_end()
    yield ines, people("daniel").open(ines.conversation), collection
    ines.write("DELETE", f"collections/{collection}/")


def test_suggestions_come_to_both_and_each_decides(both, provider):
    ines, daniel, collection = both
    # The last one waits: the others are decided on meanwhile.
    provider.script(wish(3), sailor("Ana"), sailor("Rui"), sailor("Eva", hold=0))
    ines.say("/create 3 sailors for a noir")
    expect(ines.page.get_by_role("checkbox", name="Decide on each before it is kept")).to_be_checked(timeout=LONG)
    ines.page.get_by_role("button", name="Confirm").click()

    for member in (ines, daniel):
        expect(member.page.locator(".card.proposal")).to_have_count(2, timeout=LONG)
        expect(member.page.locator(".run-line", has_text="more are being made")).to_be_visible()
    ana = daniel.page.locator(".card.proposal", has_text="Ana")
    expect(ana.locator(".badge", has_text="Made by a model")).to_be_visible()
    ana.get_by_role("button", name="Reject").click()
    expect(ines.page.locator(".decided", has_text="Ana")).to_contain_text("Rejected by Daniel Okoye")
    provider.release()

    for member in (ines, daniel):
        expect(member.page.locator(".card.proposal", has_text="Eva")).to_be_visible(timeout=LONG)
        expect(member.page.locator(".run-line", has_text="more are being made")).to_have_count(0, timeout=LONG)
    ines.page.get_by_role("button", name="Accept all 2").click()
    for member in (ines, daniel):
        expect(member.page.locator(".decided", has_text="Accepted by Inês Duarte")).to_have_count(2)
    assert names(ines, collection) == ["Eva", "Rui"]
    assert ines.complaints == daniel.complaints == []


def test_unticked_they_are_records_at_once(both, provider):
    ines, daniel, collection = both
    provider.script(wish(2), sailor("Ana"), sailor("Rui"))
    ines.say("/create 2 sailors for a noir")
    box = ines.page.get_by_role("checkbox", name="Decide on each before it is kept")
    box.hover(timeout=LONG)
    ines.page.mouse.down()  # what others do meanwhile is shown once it is let go
    wish_api = ines.page.locator("[data-wish-api-value]").get_attribute("data-wish-api-value")
    with ines.page.expect_response(f"**/c/{ines.conversation}/messages/*/"):
        daniel.write("PATCH", wish_api.removeprefix("/api/v1/"), {"brief": "for a film"})
    ines.page.wait_for_timeout(200)
    ines.page.mouse.up()
    expect(daniel.page.get_by_role("checkbox", name="Decide on each before it is kept")).not_to_be_checked()
    expect(ines.page.locator(".card .voice")).to_have_text("for a film")
    expect(box).not_to_be_checked()
    ines.page.route(f"**{wish_api}", lambda route: route.abort())
    box.press("Space")
    box.press("Space")
    expect(ines.page.locator(".notice.passing")).to_be_visible()
    expect(box).not_to_be_checked()
    ines.page.unroute(f"**{wish_api}")
    ines.complaints.clear()
    box.press("Space")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    box.press("Space")
    ines.page.get_by_role("button", name="Confirm").click()

    expect(ines.page.locator(".card", has_text="2 of 2").last).to_be_visible(timeout=LONG)
    assert names(ines, collection) == ["Ana", "Rui"]
    expect(ines.page.locator(".card.proposal")).to_have_count(0)


SHOWN = """() => {
    const note = () => shown.push(document.querySelector("[data-wish-url-value] [type=checkbox]")?.checked);
    window.shown = [];
    new MutationObserver(note).observe(document.querySelector(".thread"), { childList: true, subtree: true });
}"""


def test_card_that_comes_late_takes_no_tick_back(both, provider):
    """By itself, and with the message that is drawn anew."""
    ines, _daniel, collection = both
    provider.script(wish(2), sailor("Ana"), sailor("Rui"))
    ines.say("/create 2 sailors for a noir")
    box = ines.page.get_by_role("checkbox", name="Decide on each before it is kept")
    box.wait_for(timeout=LONG)
    ines.open(ines.conversation)  # nothing of its making is on its way any more
    card = ines.page.locator("[data-wish-url-value]")
    message = ines.page.locator("article", has=card).get_attribute("data-message")
    places = [card.get_attribute("data-wish-url-value"), f"/c/{ines.conversation}/messages/{message}/"]
    late = []

    def hold(route):
        if len(late) < len(places):
            late.append((route, route.fetch()))
        else:
            route.continue_()

    ines.page.route(lambda url: any(url.endswith(place) for place in places), hold)
    for ticked in (False, True):
        with ines.page.expect_response(lambda answer: answer.request.method == "PATCH") as told:
            box.click()
        assert told.value.request.post_data_json == {"review": ticked}
        while len(late) < len(places):
            ines.page.wait_for_timeout(50)
    ines.page.evaluate(SHOWN)
    # The message is asked for once more as soon as the late one is there.
    with ines.page.expect_request(lambda request: request.url.endswith(places[1])):
        for route, response in late:
            route.fulfill(response=response)
    assert False not in ines.page.evaluate("shown")
    expect(box).to_be_checked()
    box.press("Space")
    ines.page.get_by_role("button", name="Confirm").click()

    expect(ines.page.locator(".card", has_text="2 of 2").last).to_be_visible(timeout=LONG)
    assert names(ines, collection) == ["Ana", "Rui"]


def test_it_fits_a_narrow_screen(both, provider):
    ines, _daniel, _collection = both
    provider.script(wish(2), sailor("Ana"), sailor("Rui"))
    ines.page.set_viewport_size({"width": 360, "height": 800})
    ines.say("/create 2 sailors for a noir")
    expect(ines.page.get_by_role("checkbox", name="Decide on each before it is kept")).to_be_visible(timeout=LONG)
    ines.page.get_by_role("button", name="Confirm").click()

    expect(ines.page.locator(".card.proposal")).to_have_count(2, timeout=LONG)
    assert ines.page.evaluate("document.documentElement.scrollWidth <= 360")
    expect(ines.page.get_by_role("button", name="Accept all 2")).to_be_visible()
