"""Records made up from a brief: how many, unlike each other, said to be made, paid for, undone."""

import json
from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.bulk import engine, runner, services
from apps.bulk.models import Item, Operation
from apps.core.doors.bulk_kinds import BulkScope, TryLater, Work, bulk_kinds
from apps.core.errors import Invalid
from apps.core.ids import uuid7
from apps.extraction import structured
from apps.extraction.made_types import MadeBefore, NothingMade
from apps.extraction.models import FieldSource, Record
from apps.extraction.reading_types import Answer
from apps.llm import routing
from tests.accounts.factories import actor_of, reader_of
from tests.bulk.factories import counts, fresh, planned
from tests.bulk.test_runner import until
from tests.extraction.factories import people, record
from tests.extraction.making import demo, priced_model, run
from tests.provider.fixtures import provider, running_provider

__all__ = ["demo", "priced_model", "provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)


def answer(**fields):
    return {"text": json.dumps({"entities": {"people": [{"id": "m1", "fields": fields}]}, "links": []})}


@pytest.fixture
def me(owner):
    routing.forget()
    return actor_of(owner)


def made(me, project, collection, **params):
    return planned(
        me,
        project,
        "records.create",
        **({"brief": "A noir set in Lisbon", "count": 12} | params),
        collection=str(collection.pk),
    )


def test_demo_makes_as_many_as_were_asked_for_and_all_is_undone(me, project, demo):
    collection = people(me, project)
    record(me, collection, name="Rui Almeida")
    operation = made(me, project, collection, start=False)
    said = fresh(operation).dry_run
    services.start_operation(actor=me, operation_id=operation.pk)

    run(operation, "completed")

    rows = Record.objects.filter(collection=collection, deleted_at=None).exclude(title="Rui Almeida")
    assert (said["total"], said["estimate"]["cost"], said["found"]["is_demo"]) == (12, "0", True)
    assert counts(operation) == {"succeeded": 12}
    assert len({row.title for row in rows} - {"Rui Almeida"}) == 12
    sources = FieldSource.objects.filter(operation_id=operation.pk)
    assert set(sources.values_list("method", "is_demo", "run")) == {("generated", True, None)}
    assert {source.field for source in sources.filter(record=rows[0])} == {f"/{name}" for name in rows[0].data}

    undoing = services.undo_operation(actor=me, operation_id=operation.pk)
    engine.run_all()

    assert counts(undoing) == {"succeeded": 12}
    assert list(Record.objects.filter(collection=collection, deleted_at=None).values_list("title", flat=True)) == [
        "Rui Almeida"
    ]


def test_repeated_answers_are_asked_for_again_and_each_call_is_paid(me, project, provider, priced_model):
    collection = people(me, project)
    provider.script(answer(name="Ana"), answer(name="ana"), answer(name="Rui"))
    operation = made(me, project, collection, count=2, concurrency=1)

    run(operation, "completed")

    assert sorted(Record.objects.values_list("title", flat=True)) == ["Ana", "Rui"]
    first, second = Item.objects.filter(operation=operation).order_by("number")
    assert (first.attempts, second.attempts) == (1, 2)
    assert first.cost > 0
    assert second.cost > first.cost
    assert fresh(operation).cost == first.cost + second.cost
    asked = json.dumps(provider.bodies[-1]["messages"], ensure_ascii=False)
    assert "number 2 of 2" in asked
    assert "- Ana" in asked


def test_what_fails_is_paid_for_too(me, project, provider, priced_model, monkeypatch):
    """A limit that gives way by itself, which costs no attempt, then answers that fit nothing."""
    collection = people(me, project)
    monkeypatch.setattr(structured, "PAUSE_SECONDS", 0.05)
    provider.script(
        *[{"status": 429, "headers": {"Retry-After": "0"}}] * 3, answer(age=3), answer(age=4), answer(age=5)
    )
    operation = made(me, project, collection, count=1)

    run(operation, "completed_with_failures")

    item = Item.objects.get(operation=operation)
    assert (item.attempts, item.error_code) == (3, "record_invalid")
    assert item.cost > 0
    assert fresh(operation).cost == item.cost


def test_estimate_says_what_it_is_made_of(me, project, priced_model):
    collection = people(me, project)

    estimate = fresh(made(me, project, collection, count=100, start=False)).dry_run["estimate"]

    assert Decimal("0.005") < Decimal(estimate["cost"]) < Decimal(1)
    assert estimate["seconds"] > 100
    assert "100 calls of" in estimate["basis"]
    assert "A million tokens cost 1 and 2 USD." in estimate["basis"]


def test_cancelled_operation_makes_nothing_more(me, project, provider, priced_model):
    collection = people(me, project)
    provider.default(delay=60)
    operation = made(me, project, collection, count=3)
    runner.runner().submit()
    until(lambda: provider.stats["open_streams"] >= 3)

    services.cancel_operation(actor=me, operation_id=operation.pk)
    until(lambda: fresh(operation).status == "cancelled")
    until(lambda: provider.stats["open_streams"] == 0)
    runner.close()

    assert (counts(operation), Record.objects.count()) == ({"cancelled": 3}, 0)


def test_it_is_asked_for_with_a_brief_a_number_and_a_model_that_is_there(me, project, demo):
    collection = people(me, project)
    check = bulk_kinds.get("records.create").check
    good = {"collection": str(collection.pk), "brief": "Sailors", "count": 3}

    for field, params in (
        ("collection", {"collection": str(uuid7())}),
        ("brief", {"brief": " "}),
        ("count", {"count": 1001}),
        ("count", {"count": True}),
        ("nothing", {"nothing": 1}),
    ):
        with pytest.raises(Invalid) as refused:
            check(BulkScope(uuid7(), project.organization_id, project.pk, me, good | params))
        assert refused.value.fields[0].field == f"params.{field}"
    with pytest.raises(Invalid) as refused:
        check(BulkScope(uuid7(), project.organization_id, project.pk, me, good | {"model": "nobody"}))
    assert refused.value.fields[0].field == "model"


def test_page_plans_and_says_what_is_wrong_beside_the_field(me, owner, project, demo):
    collection = people(me, project)
    browser = Client()
    browser.force_login(owner)
    address = f"/records/{collection.pk}/make/"

    assert address in browser.get(f"/records/{collection.pk}/").content.decode()
    refused = browser.post(address, {"brief": "Sailors", "count": "1001", "model": ""})
    planned_one = browser.post(address, {"brief": "Sailors", "count": "3", "model": ""})

    assert refused.status_code == 400
    assert "A number from 1 to 1000." in refused.content.decode()
    operation = Operation.objects.get()
    assert planned_one.headers["Location"] == f"/operations/{operation.pk}/"
    assert (operation.status, operation.params["count"], Record.objects.count()) == ("draft", 3, 0)
    reader = Client()
    reader.force_login(reader_of(project))
    assert reader.post(address, {"brief": "Sailors", "count": "3"}).status_code == 403


def test_what_an_estimate_is_based_on_is_shown_in_the_language_of_who_looks(me, owner, project, demo):
    operation = made(me, project, people(me, project), start=False)
    User.objects.filter(pk=owner.pk).update(language="de")
    browser = Client()
    browser.force_login(owner)

    page = browser.get(f"/operations/{operation.pk}/").content.decode()

    assert fresh(operation).dry_run["estimate"]["basis"] == "The demo answers by rules and costs nothing."
    assert "Die Demo antwortet nach Regeln und kostet nichts." in page


def test_last_answer_that_does_not_do_is_a_failure_with_its_reason(me, project, demo):
    collection = people(me, project)
    params = {"collection": str(collection.pk), "brief": "Sailors", "count": 2, "model": ""}
    scope = BulkScope(uuid7(), project.organization_id, project.pk, me, params)
    kind, works = bulk_kinds.get("records.create"), [Work(scope, uuid7(), 1, {}, None, n, "k") for n in (1, 3)]
    ana = Answer(answer(name="Ana")["text"])
    kind.apply(works[0], ana)

    with pytest.raises(TryLater) as later:
        kind.apply(works[0], ana)
    with pytest.raises(MadeBefore) as repeated:
        kind.apply(works[1], ana)
    with pytest.raises(NothingMade) as nothing:
        kind.apply(works[1], Answer("I would rather not."))

    assert (later.value.code, repeated.value.code, nothing.value.code) == ("made_before", "made_before", "nothing_made")
