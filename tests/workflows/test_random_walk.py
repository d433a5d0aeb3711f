"""Forward, back and killed in any order: the records are what the steps that are left wrote."""

import random

import pytest

from apps.core.errors import DomainError
from apps.extraction.models import Record
from apps.workflows import engine, services
from apps.workflows.models import Step
from tests.extraction.factories import people
from tests.workflows.factories import begun, fresh, killed, stage

pytestmark = pytest.mark.django_db(transaction=True)

STAGES = ("cast", "grow", "more")


def make(name):
    return {"call": "records.create", "with": {"collection": "people", "data": {"name": name}}}


def change(**data):
    return {"call": "records.update", "with": {"record": "${ .id }", "data": data}}


DO = [
    {"cast": {"do": [{"make": make("Sarah")}, {"age": change(age=28)}], **stage("Cast")}},
    {"grow": {"do": [{"older": change(age=29)}, {"oldest": change(age=30)}], **stage("Grow", manual=True)}},
    {"more": {"do": [{"other": make("Nuno")}, {"also": change(age=40)}], **stage("More", manual=True)}},
    {"rest": {"set": "${ . }", **stage("Rest", manual=True)}},
]


def there(collection):
    return {str(row.pk): row.data for row in Record.objects.filter(collection=collection, deleted_at=None)}


def said(run):
    """What the steps that are left gave, in their order: of each record the last."""
    steps = Step.objects.filter(run=run, kind="call", status="completed").order_by("number")
    return {step.output["id"]: step.output["data"] for step in steps}


def act(run, actor, chance):
    match chance.choice(["walk", "kill", "kill", "advance", "advance", "resume", "back"]):
        case "walk":
            engine.go_on(run.pk)
        case "kill":
            killed(run, chance.randint(1, 4))
        case "advance":
            services.advance_stage(actor=actor, run_id=run.pk)
        case "resume":
            services.resume_run(actor=actor, run_id=run.pk)
        case "back":
            services.roll_back(actor=actor, run_id=run.pk, stage=chance.choice(STAGES))


@pytest.mark.parametrize("seed", [1, 2])
def test_records_are_what_the_surviving_steps_wrote(actor, project, seed):
    chance = random.Random(seed)
    collection = people(actor, project)
    run = begun(actor, project, DO)

    for _act in range(25):
        try:
            act(run, actor, chance)
        except DomainError:
            continue
        assert there(collection) == said(run)

    if fresh(run).status == "paused":
        services.resume_run(actor=actor, run_id=run.pk)
    while fresh(run).status not in {"completed", "failed"}:
        engine.go_on(run.pk)
        if fresh(run).waits_for == "stage":
            services.advance_stage(actor=actor, run_id=run.pk)
    assert fresh(run).status == "completed", fresh(run).error
    assert there(collection) == said(run)
    assert sorted(data["age"] for data in there(collection).values()) == [30, 40]
