"""Only what is not complete, as a table shows it: what is begun from there takes those records and no others."""

import pytest

from apps.bulk import engine
from apps.bulk.models import Item, Operation
from apps.core.doors.bulk_kinds import BulkScope
from apps.core.errors import Invalid
from apps.extraction import link_selectors, selectors, services
from apps.extraction.bulk_scopes import chosen
from apps.extraction.models import Collection, Record
from apps.extraction.services import keep_view
from tests.bulk.factories import planned
from tests.extraction.factories import people, record
from tests.extraction.making import demo

__all__ = ["demo"]
pytestmark = pytest.mark.django_db(transaction=True)
KINDS = {
    "records.update": {"data": {"is_alive": True}},
    "records.delete": {},
    "records.export": {"format": "json"},
    "records.prompt": {"prompt": "Who is {name}?"},
}


@pytest.fixture
def collection(me, project, demo):
    """Two that are complete, one that is not."""
    found = people(me, project, needed=["age"])
    for name, age in (("Ana", 20), ("Rui", 30)):
        record(me, found, name=name, age=age)
    record(me, found, name="Zoe")
    return Collection.objects.get(pk=found.pk)


@pytest.mark.parametrize("kind", KINDS)
def test_operation_takes_those_that_are_not_complete(me, project, collection, kind):
    sizes = []
    for complete in (False, True, None):
        made = planned(me, project, kind, collection=str(collection.pk), complete=complete, start=False, **KINDS[kind])
        scope = BulkScope(made.pk, project.organization_id, project.pk, me, made.params)
        items = Item.objects.filter(operation=made)
        sizes.append(chosen(scope, collection).count() if kind == "records.export" else items.count())

    assert sizes == [1, 2, 3]


def test_who_needs_less_by_now_is_complete_before_the_upkeep_has_passed(me, collection):
    services.change_collection(actor=me, collection_id=collection.pk, changes={"needed": []})
    needs_none = selectors.with_document(Collection.objects.filter(pk=collection.pk)).get()
    services.change_collection(actor=me, collection_id=collection.pk, changes={"needed": ["age", "name"]})
    needs_more = selectors.with_document(Collection.objects.filter(pk=collection.pk)).get()
    rows = Record.objects.filter(collection=collection)
    counts = [
        link_selectors.by_completeness(rows, collection=each, is_complete=complete).count()
        for each in (needs_none, needs_more)
        for complete in (True, False)
    ]

    assert counts == [3, 0, 2, 1]


def test_ids_and_complete_are_not_said_together(me, project, collection):
    for params in ({"ids": [], "complete": False}, {"complete": "no"}):
        with pytest.raises(Invalid):
            planned(me, project, "records.delete", collection=str(collection.pk), **params)


def test_prompt_from_the_table_asks_of_what_it_shows(browser, collection):
    address = f"/records/{collection.pk}/prompt/"

    page = browser.get(f"{address}?complete=no").content.decode()
    browser.post(address, {"prompt": "Who is {name}?", "complete": "no"})
    engine.plan_operation(operation_id=Operation.objects.get().pk)

    assert 'name="complete" value="no"' in page
    assert Operation.objects.get().params["complete"] is False
    assert [each.payload["title"] for each in Item.objects.all()] == ["Zoe"]


def test_export_from_the_table_offers_and_takes_what_it_shows(browser, collection):
    address = f"/records/{collection.pk}/export/?complete=no"

    page = browser.get(address).content.decode()
    browser.post(address, {"which": "shown", "format": "json"})

    assert 'name="which" value="shown"' in page
    assert Operation.objects.get().params["complete"] is False


def test_kept_view_keeps_it_for_a_prompt(me, project, collection):
    view = keep_view(actor=me, collection_id=collection.pk, name="Open", state={"where": [], "complete": False})

    planned(
        me,
        project,
        "records.prompt",
        collection=str(collection.pk),
        prompt="Who is {name}?",
        view=str(view.pk),
        start=False,
    )

    assert [each.payload["title"] for each in Item.objects.all()] == ["Zoe"]
