"""Records in the order of one of their fields: every page of it, both ways, whatever the values are."""

import random

import pytest

from apps.core.errors import Invalid
from apps.extraction import orders, selectors, services
from apps.extraction.models import Record
from tests.extraction.factories import people, record

pytestmark = pytest.mark.django_db
DOCUMENT = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "weight": {"type": "number"},
        "is_alive": {"type": "boolean"},
        "born": {"type": "string", "format": "date"},
        "odd \"name's": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "friend": {"type": "string", "format": "uuid", "x-relation": "people"},
    },
}
VALUES = {
    "name": ["Zoe", "Émile", "anna", "Anna", "x" * 400, "x" * 399 + "a", "", None],
    "age": [3, 30, -7, 0, 2**60, 12, None],
    "weight": [0.1, 3, -2.5, 1e300, 12.25, None],
    "is_alive": [True, False, None],
    "born": ["1998-02-01", "2001-01-01", None],
    "odd \"name's": ["b", "a", None],
}


@pytest.fixture
def collection(me, project):
    return people(me, project, document=DOCUMENT)


def filled(me, collection, name, seed):
    dice = random.Random(seed)
    for _each in range(23):
        value = dice.choice(VALUES[name])
        record(me, collection, **({name: value} if value is not None else {}))


def plain(name, row):
    """The key as Python says it; None stands last."""
    value = row.data.get(name)
    return None if value in (None, "") else value[: orders.MOST_CHARACTERS] if isinstance(value, str) else value


def expected(name, *, descending):
    rows = list(Record.objects.all())
    there = sorted((row for row in rows if plain(name, row) is not None), key=lambda row: (plain(name, row), row.pk))
    empty = sorted((row for row in rows if plain(name, row) is None), key=lambda row: row.pk)
    if descending:
        there.reverse()
        empty.reverse()
    return [row.pk for row in [*there, *empty]]


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("name", VALUES)
def test_pages_go_through_all_in_order_and_back(name, sign, api, me, collection):
    filled(me, collection, name, seed=len(name))
    query = {"collection": str(collection.pk), "sort": f"{sign}data.{name}", "limit": "4"}
    wanted = [str(pk) for pk in expected(name, descending=bool(sign))]

    forth, cursor = [], ""
    while cursor is not None:
        page = api.get("/api/v1/records/", query | ({"cursor": cursor} if cursor else {})).json()
        forth += [row["id"] for row in page["results"]]
        cursor = page["next"]
    assert forth == wanted
    back, cursor = [row["id"] for row in page["results"]], page["previous"]
    while cursor is not None:
        page = api.get("/api/v1/records/", query | {"cursor": cursor}).json()
        back = [row["id"] for row in page["results"]] + back
        cursor = page["previous"]
    assert back == wanted


def test_value_of_another_kind_counts_as_none(me, collection):
    older, newer = record(me, collection, age=40), record(me, collection, age=7)
    Record.objects.filter(pk=older.pk).update(data={"age": "forty"})  # as an older schema may have left it

    page = orders.page_of(
        collection, selectors.list_records(collection=collection), sort="-data.age", cursor=None, limit=10
    )

    assert [row.pk for row in page.results] == [newer.pk, older.pk]


@pytest.mark.parametrize("sort", ["data.shoe", "data.tags", "-data.friend", "data."])
def test_what_has_no_one_value_is_no_order(sort, api, collection):
    answer = api.get("/api/v1/records/", {"collection": str(collection.pk), "sort": sort})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "sort")


def test_cursor_of_another_field_is_refused(me, collection):
    for age in range(3):
        record(me, collection, age=age, name="x")
    rows = selectors.list_records(collection=collection)
    page = orders.page_of(collection, rows, sort="data.age", cursor=None, limit=1)

    with pytest.raises(Invalid):
        orders.page_of(collection, rows, sort="data.name", cursor=page.next, limit=1)


def test_page_of_the_table_is_sorted_by_its_heads(client, owner, me, collection):
    for name, age in (("Sarah", 28), ("Tomás", 71), ("Ana", None)):
        record(me, collection, name=name, **({"age": age} if age else {}))
    client.force_login(owner)

    page = client.get(f"/records/{collection.pk}/?sort=-data.age&columns=age,tags").content.decode()

    assert [page.index(name) for name in ("Tomás", "Sarah", ">Ana")] == sorted(
        page.index(name) for name in ("Tomás", "Sarah", ">Ana")
    )
    assert '<th scope="col" class="num" aria-sort="descending">' in page
    assert "sort=data.age" in page
    assert "sort=data.tags" not in page
    view = services.keep_view(actor=me, collection_id=collection.pk, name="Old", state={"sort": "-data.age"})
    assert 'aria-sort="descending"' in client.get(f"/records/{collection.pk}/?view={view.pk}").content.decode()
    assert client.get(f"/records/{collection.pk}/?sort=data.shoe").status_code == 200


def test_more_than_can_be_sorted_are_refused_until_few_are_left(api, client, owner, me, collection, monkeypatch):
    for number in range(7):
        record(me, collection, name="odd" if number % 2 else "even", age=number)
    monkeypatch.setattr(orders, "MOST_SORTED", 5)
    query = {"collection": str(collection.pk), "sort": "-data.age"}

    refused = api.get("/api/v1/records/", query)
    few = [api.get("/api/v1/records/", query | {"where": where}).json() for where in ("name:is:odd", "age:over:2")]
    monkeypatch.setattr(orders, "FEW", 2)
    several = api.get("/api/v1/records/", query | {"where": "name:is:odd"}).json()

    assert (refused.status_code, refused.json()["code"], refused.json()["most"]) == (422, "too_many_to_sort", 5)
    assert [[row["data"]["age"] for row in page["results"]] for page in few] == [[5, 3, 1], [6, 5, 4, 3]]
    assert several["results"] == few[0]["results"]
    client.force_login(owner)
    page = client.get(f"/records/{collection.pk}/?sort=-data.age").content.decode()
    assert "These are the newest first." in page
    assert page.count(" data-record=") == 7
    assert "sort=data.age" not in page.replace("sort=-data.age", "")
    narrowed = client.get(f"/records/{collection.pk}/?where=name:is:odd").content.decode()
    assert "sort=data.age" in narrowed
