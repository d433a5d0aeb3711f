"""A prompt over records: what the model reads, where its answer goes, what refuses it, and the way back."""

import json

import pytest
from django.test import Client

from apps.agents.services import create_agent
from apps.bulk import engine, runner, services
from apps.bulk.models import Item, Operation, SharedResource
from apps.core.doors.bulk_kinds import BulkScope, bulk_kinds
from apps.core.errors import Invalid
from apps.core.ids import uuid7
from apps.extraction import structured
from apps.extraction.models import FieldSource, Record, RecordComment
from apps.extraction.services import change_record, keep_view
from apps.llm import routing
from tests.accounts.factories import actor_of
from tests.bulk.factories import counts, planned, shown
from tests.bulk.test_runner import until
from tests.extraction.factories import people, record
from tests.extraction.making import demo, priced_model, run
from tests.provider.fixtures import provider, running_provider

__all__ = ["demo", "priced_model", "provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def me(owner):
    routing.forget()
    return actor_of(owner)


def asked(me, project, collection, **params):
    return planned(me, project, "records.prompt", collection=str(collection.pk), **params)


def test_answers_go_into_the_field_checked_and_back(me, project, provider, priced_model):
    """The second answer fits no whole number, so it is asked for again; who has an age is not asked about."""
    collection = people(me, project)
    ana, rui = record(me, collection, name="Ana {age}"), record(me, collection, name="Rui")
    record(me, collection, name="Old", age=90)
    provider.script({"text": '{"age": 31}'}, {"text": '{"age": "unknown"}'}, {"text": '```json\n{"age": "42"}\n```'})
    agent = create_agent(actor=me, project_id=project.pk, name="Guesser", instructions="You guess well.")
    operation = asked(
        me,
        project,
        collection,
        prompt="How old is {name}?",
        into="age",
        only_empty=True,
        agent=str(agent.pk),
        concurrency=1,
    )
    waiting = asked(me, project, collection, prompt="How old is {name}?", into="age", start=False)
    assert shown(waiting, me)[0]["shown"]["prompt"] == "How old is Ana {age}?"

    run(operation, "completed")

    assert [Record.objects.get(pk=each.pk).data.get("age") for each in (ana, rui)] == [31, 42]
    assert list(Item.objects.filter(operation=operation).order_by("number").values_list("attempts", flat=True)) == [
        1,
        2,
    ]
    assert set(FieldSource.objects.values_list("field", "method", "operation_id")) == {
        ("/age", "generated", operation.pk)
    }
    first = provider.bodies[0]
    assert [first["messages"][1]["content"], "You guess well." in first["messages"][0]["content"]] == [
        "How old is Ana {age}?",
        True,
    ]
    assert list(first["response_format"]["json_schema"]["schema"]["properties"]) == ["age"]

    change_record(actor=me, record_id=rui.pk, changes={"age": 43})
    undoing = services.undo_operation(actor=me, operation_id=operation.pk)
    engine.run_all()

    assert counts(undoing) == {"succeeded": 1, "failed": 1}
    assert [Record.objects.get(pk=each.pk).data.get("age") for each in (ana, rui)] == [None, 43]


def test_plain_words_are_the_value_of_a_text(me, project, provider, priced_model):
    collection = people(me, project)
    ana = record(me, collection, name="Ana")
    provider.default(text=" Ana Maria, of course.\n")

    run(asked(me, project, collection, prompt="Who is {name}?", into="name"), "completed")

    ana.refresh_from_db()
    assert ana.data == {"name": "Ana Maria, of course."}


def test_what_a_person_typed_since_is_not_written_over(me, project, provider, priced_model):
    """Before the model was asked, and while it thought; nobody is asked about what is filled, nor pays for it."""
    collection = people(me, project)
    before, meanwhile, empty = (record(me, collection, name=name) for name in ("Ana", "Rui", "Zoe"))
    operation = asked(me, project, collection, prompt="How old is {name}?", into="age", only_empty=True, concurrency=1)
    change_record(actor=me, record_id=before.pk, changes={"age": 28})
    provider.script({"text": '{"age": 60}', "delay": 1.5}, {"text": '{"age": 61}'})
    runner.runner().submit()
    until(lambda: provider.stats["calls"])
    change_record(actor=me, record_id=meanwhile.pk, changes={"age": 29})

    run(operation, "completed")

    assert [Record.objects.get(pk=each.pk).data["age"] for each in (before, meanwhile, empty)] == [28, 29, 61]
    items = Item.objects.filter(operation=operation).order_by("number")
    assert [(each.status, each.result.get("skipped")) for each in items] == [
        ("skipped", "filled"),
        ("skipped", "filled"),
        ("succeeded", None),
    ]
    assert (len(provider.calls), items[0].cost, items[1].cost > 0) == (2, 0, True)


def test_tired_provider_slows_down_and_fails_nothing(me, project, provider, priced_model, monkeypatch):
    """It refuses each item more often than an item may be started (the gateway asks three times each time)."""
    monkeypatch.setattr(structured, "PAUSE_SECONDS", 0.05)
    collection = people(me, project)
    for number in range(3):
        record(me, collection, name=f"N{number}")
    provider.script(*[{"status": 429}] * 3 * 3 * 4)
    provider.default(text='{"age": 31}')

    operation = asked(me, project, collection, prompt="How old is {name}?", into="age")
    run(operation, "completed")

    assert counts(operation) == {"succeeded": 3}
    assert {row.data["age"] for row in Record.objects.filter(collection=collection)} == {31}
    assert SharedResource.objects.get().rests_until is not None


def test_demo_comments_on_what_a_view_shows_and_the_comments_go_back(me, project, demo):
    collection = people(me, project)
    record(me, collection, name="Ana", age=20)
    record(me, collection, name="Rui", age=60)
    view = keep_view(actor=me, collection_id=collection.pk, name="Old", state={"where": ["age:over:50"]})
    operation = asked(me, project, collection, prompt="What is odd here?", view=str(view.pk))

    run(operation, "completed")

    comment = RecordComment.objects.get()
    assert (comment.record.title, comment.text[:5], bool(comment.answered_by)) == ("Rui", "Demo:", True)
    assert '"name": "Rui"' in comment.text
    services.undo_operation(actor=me, operation_id=operation.pk)
    engine.run_all()
    comment.refresh_from_db()
    assert (comment.text, comment.deleted_at is not None) == ("", True)


def test_it_is_refused_where_field_agent_or_view_is_not_there(me, project, demo):
    collection = people(me, project)
    check = bulk_kinds.get("records.prompt").check
    good = {"collection": str(collection.pk), "prompt": "Who is {name}?"}

    for field, params in (
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": "{secret}"}),
        ("into", {"into": "siblings"}),
        ("into", {"into": "nothing"}),
        ("agent", {"agent": str(uuid7())}),
        ("view", {"view": str(uuid7())}),
        ("only_empty", {"only_empty": "yes"}),
    ):
        with pytest.raises(Invalid) as refused:
            check(BulkScope(uuid7(), project.organization_id, project.pk, me, good | params))
        assert refused.value.fields[0].field == f"params.{field}"


def test_page_plans_for_what_the_table_shows_or_what_was_chosen(me, owner, project, demo):
    collection = people(me, project)
    ana = record(me, collection, name="Ana")
    browser = Client()
    browser.force_login(owner)
    address = f"/records/{collection.pk}/prompt/"

    filtered = browser.get(f"{address}?where=age:over:50").content.decode()
    chosen = browser.post(address, {"act": "choose", "record": str(ana.pk)}, follow=True).content.decode()
    refused = browser.post(address, {"prompt": "{secret}", "record": str(ana.pk)})
    planned_one = browser.post(address, {"prompt": "Who is {name}?", "into": "tags", "record": str(ana.pk)})

    assert 'name="where" value="age:over:50"' in filtered
    assert "Of 1 chosen record" in chosen
    assert "There is no field “secret”." in refused.content.decode()
    operation = Operation.objects.get()
    assert planned_one.headers["Location"] == f"/operations/{operation.pk}/"
    assert (operation.params["ids"], operation.params["into"]) == ([str(ana.pk)], "tags")
    assert json.loads(json.dumps(operation.params))["only_empty"] is False
