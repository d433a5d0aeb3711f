"""Two people at one table: what the one writes stands at the other's, and nothing moves under a hand."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

#: More than one page of the table, at once: the API takes them one by one, and not so many a second.
GUESTS = """
from apps.extraction.models import Collection
from tests.accounts.factories import actor_of
from apps.accounts.models import User
from tests.extraction.factories import record
made = Collection.objects.get(pk="{collection}")
for number in range(51):
    record(actor_of(User.objects.get(pk="{person}")), made, name=f"Guest {{number}}")
"""


def at_table(member, collection):
    member.page.goto(f"{member.stack.base_url}/records/{collection}/")
    member.page.wait_for_selector("body[data-ready]", state="attached")
    return member


@pytest.fixture
def both(people, stack):
    """Both look at a table with Sarah, Tomás and Ana in it."""
    ines, daniel = people("ines").start(), people("daniel").start()
    collection = ines.make_collection("Quay")
    ids = {
        name: ines.write("POST", "records/", {"collection": collection, "data": {"name": name, "age": 3}})["id"]
        for name in ("Sarah", "Tomás", "Ana")
    }
    yield at_table(ines, collection), at_table(daniel, collection), collection, ids
    ines.write("DELETE", f"collections/{collection}/")


def cell(member, record, field):
    return member.page.locator(f'tr[data-record="{record}"] td[data-field="{field}"]')


def test_what_one_writes_stands_at_the_other_s(both):
    ines, daniel, collection, ids = both

    cell(ines, ids["Sarah"], "age").dblclick()
    ines.page.locator("#cell-editor input").fill("29")
    ines.page.keyboard.press("Enter")

    expect(cell(daniel, ids["Sarah"], "age")).to_have_text("29", timeout=10_000)
    expect(daniel.page.locator("tr[data-record]")).to_have_count(3)
    news = daniel.page.locator("[data-collection-feed-target=news]")
    expect(news).to_be_hidden()
    for name in ("Rui", "Zoe"):
        ines.write("POST", "records/", {"collection": collection, "data": {"name": name}})
    expect(news).to_contain_text("2 new records")
    expect(daniel.page.locator("tr[data-record]")).to_have_count(3)
    news.get_by_role("link", name="Show").click()
    expect(daniel.page.locator("tr[data-record]")).to_have_count(5)

    ines.write("DELETE", f"records/{ids['Tomás']}/")
    row = daniel.page.locator(f'tr[data-record="{ids["Tomás"]}"]')
    expect(row).to_have_attribute("data-gone", "")
    expect(row.locator("[data-field]")).to_have_count(0)
    expect(daniel.page.locator("tr[data-record]")).to_have_count(5)


def test_row_under_a_hand_is_left_alone_until_it_is_let_go(both):
    ines, daniel, _collection, ids = both
    cell(daniel, ids["Ana"], "age").dblclick()
    field = daniel.page.locator("#cell-editor input")
    field.fill("44")

    ines.write("PATCH", f"records/{ids['Ana']}/", {"data": {"name": "Ana Maria"}})
    ines.write("PATCH", f"records/{ids['Sarah']}/", {"data": {"age": 30}})

    expect(cell(daniel, ids["Sarah"], "age")).to_have_text("30", timeout=10_000)
    expect(cell(daniel, ids["Ana"], "name")).to_have_text("Ana")
    expect(field).to_be_focused()
    expect(field).to_have_value("44")
    field.press("Escape")
    expect(cell(daniel, ids["Ana"], "name")).to_have_text("Ana Maria", timeout=10_000)


def test_focus_stays_in_the_row_that_is_drawn_anew(both):
    ines, daniel, _collection, ids = both
    cell(daniel, ids["Ana"], "age").click()
    expect(cell(daniel, ids["Ana"], "age")).to_be_focused()

    ines.write("PATCH", f"records/{ids['Ana']}/", {"data": {"age": 45}})

    expect(cell(daniel, ids["Ana"], "age")).to_have_text("45", timeout=10_000)
    expect(cell(daniel, ids["Ana"], "age")).to_be_focused()


def test_who_is_named_no_more_hears_nothing_more(both):
    ines, daniel, collection, ids = both

    ines.write("PATCH", f"collections/{collection}/", {"visibility": "named"})
    ines.write("PATCH", f"records/{ids['Sarah']}/", {"data": {"name": "The secret name"}})
    expect(cell(ines, ids["Sarah"], "name")).to_have_text("The secret name", timeout=10_000)
    daniel.page.wait_for_timeout(500)

    expect(daniel.page.locator("tr[data-record]", has_text="secret")).to_have_count(0)
    expect(cell(daniel, ids["Sarah"], "name")).to_have_text("Sarah")
    daniel.complaints.clear()


def test_all_that_the_table_shows_are_chosen_where_a_page_shows_some_of_them(people, stack):
    ines = people("ines").start()
    collection = ines.make_collection("Pier")
    stack.manage("shell", "--no-imports", "-c", GUESTS.format(collection=collection, person=stack.cast["ines"]))
    page = at_table(ines, collection).page
    bar, every = page.locator(".chosen-bar"), page.get_by_role("button", name="Choose all 51")
    delete = bar.get_by_role("button", name="Delete")

    page.locator("thead .tick").check()
    expect(bar).to_contain_text("50 chosen")
    every.click()
    expect(bar).to_contain_text("All 51 chosen")
    expect(every).to_be_hidden()
    page.locator("tbody .tick").first.uncheck()
    expect(bar).to_contain_text("49 chosen")
    page.locator("thead .tick").uncheck()
    page.locator("thead .tick").check()
    every.click()

    expect(delete).to_have_count(1)
    delete.click()
    expect(page.locator(".page")).to_contain_text("51 records")
    at_table(ines, collection)
    page.locator("thead .tick").uncheck()
    page.locator("thead .tick").check()
    every.click()
    bar.get_by_role("button", name="Change a field").click()
    page.get_by_role("button", name="Next: what it is to say").click()
    expect(page.locator("#value")).to_be_visible()
    expect(page.locator(".page")).to_contain_text("51 records")
    page.go_back()
    expect(page.get_by_role("button", name="Next: what it is to say")).to_be_visible()
    ines.write("DELETE", f"collections/{collection}/")
