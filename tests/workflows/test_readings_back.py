"""The way back and what ``extract`` read: records that a collection took by itself return, what waits is withdrawn, what people took stays."""

import pytest

from apps.extraction import services as records
from apps.extraction.models import ExtractionRun, Proposal, Record
from apps.extraction.types import STOPPED_BY_PERSON
from apps.workflows import services
from apps.workflows.models import Step
from tests.conversations.factories import say, start
from tests.extraction.factories import answered, people, record
from tests.workflows.factories import defined, fresh, step, walked
from tests.workflows.test_reaching_back import cast
from tests.workflows.test_rollback import change, there

pytestmark = pytest.mark.django_db

WORDS = "Sarah is 28. Tomás, born 1998-02-01, is 31. Inês is 8."
TOMAS = {"name": "Tomás", "born": "1998-02-01"}


@pytest.fixture
def reading_run(actor, project):
    def begin(*after):
        talk = start(actor, project, title="Harbour")
        say(actor, talk, WORDS)
        definition = defined(actor, project, cast({"read": {"call": "extract"}}, *after))
        return walked(services.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk))

    return begin


def reading_of(run):
    return ExtractionRun.objects.get(pk=step(run, "cast/do/read").state["extraction"])


def read(run, *people_read):
    """The answer of the model, and the run as far as it comes with it."""
    entities = [
        {"collection": "people", "id": f"e{place}", "fields": fields} for place, fields in enumerate(people_read)
    ]
    answered(reading_of(run), *entities)
    return walked(run)


def test_records_that_a_trusting_collection_took_return_and_come_again(actor, api, project, reading_run):
    collection = people(actor, project, trust="accept", unique_keys=[["name"]])
    there_before = record(actor, collection, **TOMAS, tags=["a"])
    run = read(reading_run(), {"name": "Inês", "age": 8}, {**TOMAS, "age": 31})
    grown = {**TOMAS, "age": 31, "tags": ["a"]}
    assert (run.status, there(collection)) == ("waiting", [{**grown}, {"name": "Sarah"}, {"name": "Inês", "age": 8}])
    rows = api.get(f"/api/v1/runs/{run.pk}/steps/").json()["results"]
    wrote = next(each["records"] for each in rows if each["path"] == "cast/do/read")
    assert set(wrote) == {str(there_before.pk), str(Record.objects.get(title="Inês").pk)}

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = walked(run)

    assert (run.status, there(collection)) == ("paused", [{**TOMAS, "tags": ["a"]}])
    assert not Step.objects.exclude(kept=[]).exists()
    services.resume_run(actor=actor, run_id=run.pk)
    run = read(walked(run), {"name": "Inês", "age": 8}, {**TOMAS, "age": 31})
    assert (run.status, there(collection)) == ("waiting", [{**grown}, {"name": "Sarah"}, {"name": "Inês", "age": 8}])


def test_record_joined_into_one_that_is_surely_the_same_is_as_it_was(actor, project, reading_run):
    """What is read becomes a record of its own, which is joined into the other at once: it was not there before."""
    collection = people(actor, project, trust="accept")
    record(actor, collection, **TOMAS)
    run = read(reading_run(), {**TOMAS, "age": 31})
    assert there(collection)[0] == {**TOMAS, "age": 31}

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (walked(run).status, there(collection)) == ("paused", [TOMAS])
    assert not Step.objects.exclude(kept=[]).exists()


def test_what_a_later_step_or_somebody_changed_since(actor, api, project, reading_run):
    collection = people(actor, project, trust="accept")
    only = {"call": "records.list", "with": {"collection": "people", "where": ["name:is:Inês"]}}
    run = read(reading_run({"find": only}, {"one": {"set": "${ .[0] }"}}, {"older": change(age=9)}), {"name": "Inês"})
    assert [each for each in there(collection) if each["name"] == "Inês"] == [{"name": "Inês", "age": 9}]
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    assert (walked(run).status, there(collection)) == ("paused", [])

    services.resume_run(actor=actor, run_id=run.pk)
    run = read(walked(run), {"name": "Inês"})
    mine = Record.objects.get(title="Inês", deleted_at=None)
    records.change_record(actor=actor, record_id=mine.pk, changes={"tags": ["mine"]})
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (walked(run).status, there(collection)) == ("paused", [{"name": "Inês", "age": 9, "tags": ["mine"]}])
    kept = api.get(f"/api/v1/runs/{run.pk}/").json()["kept"]
    assert {(each["what"], each["id"], each["code"]) for each in kept} == {
        ("record", str(mine.pk), "record_changed_since")
    }


def test_suggestions_that_wait_are_withdrawn_and_what_people_accepted_is_named(
    actor, api, client, owner, project, reading_run
):
    collection = people(actor, project)
    run = read(reading_run(), {"name": "Inês"}, {"name": "Tomás"})
    first = Proposal.objects.get(run=reading_of(run), number=1)
    mine = records.accept_proposal(actor=actor, proposal_id=first.pk)

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (walked(run).status, there(collection)) == ("paused", [{"name": mine.title}])
    states = Proposal.objects.filter(run=reading_of(run)).order_by("number").values_list("status", flat=True)
    assert list(states) == ["accepted", "rejected"]
    (kept,) = api.get(f"/api/v1/runs/{run.pk}/").json()["kept"]
    assert (kept["what"], kept["id"], kept["code"], kept["path"]) == (
        "record", str(mine.pk), "proposal_decided", "cast/do/read",
    )  # fmt: skip
    client.force_login(owner)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "Somebody accepted what was read here. The record is theirs." in page
    assert f"/record/{mine.pk}/" in page


def test_reading_that_is_stopped_writes_nothing_that_stays(actor, project, reading_run):
    """The piece that is being read ends, and the collection takes what it says: after that all of it is taken back."""
    collection = people(actor, project, trust="accept")
    run = reading_run()
    reading = reading_of(run)
    assert (run.status, reading.status, reading.stopped_by) == ("waiting", "queued", "")

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = walked(run)

    reading.refresh_from_db()
    assert (run.status, run.waits_for, reading.stopped_by) == ("waiting", "undo", STOPPED_BY_PERSON)
    answered(reading, {"collection": "people", "id": "e1", "fields": {"name": "Inês"}})
    assert Record.objects.filter(title="Inês", deleted_at=None).exists()
    assert (walked(run).status, there(collection)) == ("paused", [])


def test_reading_of_a_run_that_is_cancelled_begins_no_further_piece(actor, project, reading_run):
    people(actor, project)
    run = reading_run()

    services.cancel_run(actor=actor, run_id=run.pk)

    assert reading_of(run).stopped_by == STOPPED_BY_PERSON
    assert fresh(run).status == "cancelled"
