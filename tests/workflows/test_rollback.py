"""The way back: records return to what they were before a stage, and the run goes forward again."""

import pytest

from apps.extraction import services as records
from apps.extraction.models import Record
from apps.workflows import services
from apps.workflows.models import Step
from apps.workflows.types import NotNext
from tests.extraction.factories import people
from tests.workflows.factories import fresh, ran, stage, walked

pytestmark = pytest.mark.django_db


def make(name):
    return {"call": "records.create", "with": {"collection": "people", "data": {"name": name}}}


def change(**data):
    return {"call": "records.update", "with": {"record": "${ .id }", "data": data}}


DO = [
    {"cast": {"do": [{"make": make("Sarah")}, {"age": change(age=28)}], **stage("Cast")}},
    {"grow": {"do": [{"older": change(age=29)}, {"oldest": change(age=30)}], **stage("Grow")}},
    {"last": {"set": "${ . }", **stage("Last", manual=True)}},
]


def there(collection):
    return [row.data for row in Record.objects.filter(collection=collection, deleted_at=None).order_by("created_at")]


def test_records_return_stage_by_stage_and_come_again(actor, project):
    collection = people(actor, project)
    run = ran(actor, project, DO)
    assert (run.status, there(collection)) == ("waiting", [{"name": "Sarah", "age": 30}])

    back = services.roll_back(actor=actor, run_id=run.pk, stage="grow")
    assert (back.status, back.stage, there(collection)) == ("paused", "cast", [{"name": "Sarah", "age": 28}])
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    assert (fresh(run).stage, there(collection)) == ("", [])

    services.resume_run(actor=actor, run_id=run.pk)
    assert (walked(run).status, there(collection)) == ("waiting", [{"name": "Sarah", "age": 30}])
    services.advance_stage(actor=actor, run_id=run.pk)
    assert walked(run).status == "completed"
    assert Step.objects.filter(run=run, status="rolled_back", path="cast/do/make").count() == 1


def test_what_somebody_changed_since_stays(actor, project):
    collection = people(actor, project)
    run = ran(actor, project, DO)
    row = Record.objects.get(collection=collection, deleted_at=None)
    records.change_record(actor=actor, record_id=row.pk, changes={"tags": ["mine"]})

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert there(collection) == [{"name": "Sarah", "age": 30, "tags": ["mine"]}]


def test_deleted_record_comes_back(actor, project):
    collection = people(actor, project)
    kept = records.create_record(actor=actor, collection_id=collection.pk, data={"name": "Tomás"})
    gone = {"call": "records.delete", "with": {"record": str(kept.pk)}}
    run = ran(actor, project, [{"cut": {"do": [{"gone": gone}], **stage("Cut")}}])
    assert (run.status, there(collection)) == ("completed", [])

    services.roll_back(actor=actor, run_id=run.pk, stage="cut")

    assert there(collection) == [{"name": "Tomás"}]


def test_stage_that_was_not_reached_is_no_place_to_go_back_to(actor, project):
    people(actor, project)
    run = ran(actor, project, DO)

    with pytest.raises(NotNext):
        services.roll_back(actor=actor, run_id=run.pk, stage="last")

    assert fresh(run).status == "waiting"
