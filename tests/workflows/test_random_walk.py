"""Forward, back, failed, tried again and killed in any order: the records are what the steps that are left wrote, those of runs inside as well."""

import random

import pytest

from apps.core.errors import DomainError
from apps.extraction import services as records
from apps.extraction.models import Collection, Record
from apps.workflows import engine, services
from apps.workflows.models import Run, Step
from tests.extraction.factories import people
from tests.workflows.factories import begun, defined, fresh, killed, stage, tell

pytestmark = pytest.mark.django_db(transaction=True)

STAGES = ("cast", "grow", "more")
UNDER_WAY = ("queued", "running")
#: How often each is tried.
ACTS = {"walk": 6, "kill": 3, "advance": 4, "resume": 4, "retry": 4, "back": 1, "door": 2}


def make(name):
    return {"call": "records.create", "with": {"collection": "people", "data": {"name": name}}}


def change(**data):
    return {"call": "records.update", "with": {"record": "${ .id }", "data": data}}


def knock(door):
    """Fails while the door is not there, and gives on what it got."""
    return {"call": "records.update", "with": {"record": str(door.pk), "data": {}}, "output": {"as": "${ $input }"}}


def document(door):
    inner = {"run": {"workflow": {"namespace": "tests", "name": "inner", "version": "1.0.0"}}}
    more = [
        {"other": make("Nuno")},
        {"inner": inner},
        {"own": make("Eva")},
        {"in": knock(door)},
        {"also": change(age=40)},
    ]
    return [
        {"cast": {"do": [{"make": make("Sarah")}, {"age": change(age=28)}], **stage("Cast")}},
        {"grow": {"do": [{"older": change(age=29)}, {"oldest": change(age=30)}], **stage("Grow", manual=True)}},
        {"more": {"do": more, **stage("More", manual=True)}},
        {"rest": {"set": "${ . }", **stage("Rest", manual=True)}},
    ]


def there(collection):
    return {str(row.pk): row.data for row in Record.objects.filter(collection=collection, deleted_at=None)}


def said(collection):
    """What the steps that are left gave, in their order: of each record the last."""
    steps = Step.objects.filter(kind="call", status="completed").order_by("run", "number")
    found = {step.output["id"]: step.output["data"] for step in steps if "data" in step.output}
    ids = {str(pk) for pk in Record.objects.filter(collection=collection).values_list("pk", flat=True)}
    return {pk: data for pk, data in found.items() if pk in ids}


def walk():
    """Each run once as far as it comes, those inside first."""
    for pk in Run.objects.filter(status__in=UNDER_WAY).order_by("-depth").values_list("pk", flat=True):
        engine.go_on(pk)
    tell()


def act(run, actor, chance, door):
    match chance.choices(list(ACTS), list(ACTS.values()))[0]:
        case "walk":
            walk()
        case "kill":
            under_way = Run.objects.filter(status__in=UNDER_WAY).order_by("-depth")
            killed(under_way.first() or run, chance.randint(1, 4))
            tell()
        case "advance":
            services.advance_stage(actor=actor, run_id=run.pk)
        case "resume":
            services.resume_run(actor=actor, run_id=run.pk)
        case "retry":
            services.retry_run(actor=actor, run_id=run.pk)
        case "back":
            services.roll_back(actor=actor, run_id=run.pk, stage=chance.choice(STAGES))
        case "door":
            turn(door, actor)


def turn(door, actor):
    door.refresh_from_db()
    (records.delete_record if door.deleted_at is None else records.restore_record)(actor=actor, record_id=door.pk)


@pytest.mark.parametrize("seed", [1, 5])
def test_records_are_what_the_surviving_steps_wrote(actor, project, seed):
    chance = random.Random(seed)
    collection = people(actor, project)
    door = records.create_record(
        actor=actor, collection_id=Collection.objects.get(project=project, slug="places").pk, data={"name": "Door"}
    )
    inside = [{"make": make("Rui")}, {"in": knock(door)}, {"age": change(age=50)}]
    defined(actor, project, inside, name="inner")
    run = begun(actor, project, document(door))
    turn(door, actor)
    seen = set()

    for _act in range(70):
        try:
            act(run, actor, chance, door)
        except DomainError:
            continue
        seen |= set(Run.objects.values_list("depth", "status"))
        if not Run.objects.filter(is_unwinding=True).exists():
            assert there(collection) == said(collection)

    door.refresh_from_db()
    if door.deleted_at is not None:
        turn(door, actor)
    for _turn in range(60):
        match fresh(run).status, fresh(run).waits_for:
            case "completed", _:
                break
            case "paused", _:
                services.resume_run(actor=actor, run_id=run.pk)
            case "failed", _:
                services.retry_run(actor=actor, run_id=run.pk)
            case "waiting", "stage":
                services.advance_stage(actor=actor, run_id=run.pk)
        walk()
    assert fresh(run).status == "completed", fresh(run).error
    assert there(collection) == said(collection)
    assert sorted((data["name"], data.get("age", 0)) for data in there(collection).values()) == [
        ("Eva", 40), ("Nuno", 0), ("Rui", 50), ("Sarah", 30),
    ]  # fmt: skip
    assert {(0, "failed"), (1, "failed")} <= seen  # the run, and the one inside it
