"""Stages: nobody and nothing comes past a gate whose requirements are not met."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.accounts import audit
from apps.accounts.types import SYSTEM
from apps.core.errors import DomainError, Invalid
from apps.core.models import Event
from apps.extraction import link_selectors as links
from apps.extraction import services as records
from apps.extraction.models import Collection, Record
from apps.workflows import gates as workflow_gates
from apps.workflows import presentation, services
from apps.workflows.models import Approval, Definition, Run, Step
from apps.workflows.services import stages
from apps.workflows.types import GateClosed, NotNext
from tests.accounts.factories import actor_of, member_of, reader_of
from tests.extraction.factories import people
from tests.faults.drill import LONG
from tests.workflows.factories import fresh, ran, stage, steps, walked

pytestmark = pytest.mark.django_db

TWO = {"records": {"collection": "people", "complete": True, "at_least": 2}}
AGED = {"every": {"collection": "people", "has": "age"}}
NOTHING = {"set": "${ . }"}


def states(run):
    return {each["name"]: each["state"] for each in presentation.stage_map(fresh(run))}


def person(actor, collection, **data):
    return records.create_record(actor=actor, collection_id=collection.pk, data=data)


def film(**more):
    return [
        {"concept": {**NOTHING, **stage("Concept")}},
        {"scenes": {**NOTHING, **stage("Scenes", requires=[TWO, AGED], manual=True, **more)}},
        {"board": {**NOTHING, **stage("Board", requires=[{"approved": {"stage": "scenes", "by": "manager"}}])}},
    ]


def test_stage_waits_says_what_is_missing_and_begins_when_it_is_there(actor, project):
    collection = people(actor, project)
    run = ran(actor, project, film())
    assert (run.status, run.waits_for, run.stage) == ("waiting", "stage", "concept")
    assert states(run) == {"concept": "current", "scenes": "blocked", "board": "blocked"}
    shown = presentation.stage_map(run)[1]
    assert shown["missing"] == [
        "People: at least 2 complete records are needed, there are 0.",
        "People: there is no record yet.",
    ]

    person(actor, collection, name="Sarah", age=28)
    tomas = person(actor, collection, name="Tomás")
    with pytest.raises(GateClosed) as closed:
        services.advance_stage(actor=actor, run_id=run.pk, stage="scenes")
    assert closed.value.extra["missing"] == ["People without “age”: Tomás."]
    records.change_record(actor=actor, record_id=tomas.pk, changes={"age": 31})
    assert states(run)["scenes"] == "available"
    services.advance_stage(actor=actor, run_id=run.pk, stage="scenes")
    run = walked(run)

    assert states(run) == {"concept": "done", "scenes": "current", "board": "blocked"}
    services.approve_stage(actor=actor, run_id=run.pk, stage="scenes")
    run = walked(run)
    assert run.status == "completed"
    assert set(states(run).values()) == {"done"}
    advanced = Event.objects.filter(type="workflows.run_advanced").order_by("insertion")
    assert [event.payload["place"] for event in advanced] == [1, 2, 3]


def test_gate_over_a_collection_for_who_is_named_says_no_title(actor, project):
    collection = people(actor, project, name="The secret people", slug="people", visibility="named")
    person(actor, collection, name="Tomás")
    run = ran(actor, project, film())

    assert presentation.stage_map(run)[1]["missing"] == [
        "people: at least 2 complete records are needed, there are 1.",
        "people without “age”: 1.",
    ]
    assert {each["collection"] for each in presentation.stage_map(run)[1]["requires"]} == {None}


def test_gate_that_needs_nobody_opens_when_records_come(actor, project):
    collection = people(actor, project)
    run = ran(actor, project, [{"scenes": {**NOTHING, **stage("Scenes", requires=[TWO])}}])
    assert run.status == "waiting"

    person(actor, collection, name="Sarah")
    assert walked(run).status == "waiting"
    person(actor, collection, name="Tomás")

    assert walked(run).status == "completed"


def test_only_the_next_stage_can_be_let_in(actor, project):
    run = ran(
        actor, project, [{"a": {**NOTHING, **stage("A", manual=True)}}, {"b": {**NOTHING, **stage("B", manual=True)}}]
    )

    with pytest.raises(NotNext) as wrong:
        services.advance_stage(actor=actor, run_id=run.pk, stage="b")
    with pytest.raises(NotNext):
        services.advance_stage(actor=actor, run_id=run.pk, stage="no such")

    assert wrong.value.extra["next"] == "a"
    assert steps(run) == [("a#gate", "waiting")]


def test_override_is_a_managers_right_has_a_reason_and_is_audited(actor, project):
    from apps.core.errors import Forbidden

    people(actor, project)
    run = ran(actor, project, [{"scenes": {**NOTHING, **stage("Scenes", requires=[TWO], manual=True)}}])
    editor = actor_of(member_of(project))

    with pytest.raises(Forbidden):
        services.advance_stage(actor=editor, run_id=run.pk, override=True, reason="Now")
    for reason in ("", "  "):
        with pytest.raises(Invalid) as refused:
            services.advance_stage(actor=actor, run_id=run.pk, override=True, reason=reason)
        assert [(each.field, each.code) for each in refused.value.fields] == [("reason", "required")]
    assert steps(run) == [("scenes#gate", "waiting")]
    assert not Event.objects.filter(type="workflows.gate_overridden").exists()
    services.advance_stage(actor=actor, run_id=run.pk, override=True, reason="The festival waits")

    assert walked(run).status == "completed"
    gate = Step.objects.get(run=run, kind="gate")
    told = Event.objects.get(type="workflows.gate_overridden")
    assert told.payload == {"run_id": str(run.pk), "step_id": str(gate.pk), "place": 1, "missing": 1}
    assert told.actor_id == actor.user_id
    assert audit.is_audited(told.type)
    assert Event.objects.get(type="workflows.run_advanced").payload["is_override"] is True
    said = {"by": str(actor.user_id), "reason": "The festival waits"}
    assert presentation.step_data(gate, {})["override"] == said
    assert presentation.stage_map(fresh(run))[0]["override"] == said


def test_who_overrode_a_gate_and_why_stands_at_its_stage(actor, owner, project, client):
    people(actor, project)
    run = ran(actor, project, [{"scenes": {**NOTHING, **stage("Scenes", requires=[TWO], manual=True)}}])
    services.advance_stage(actor=actor, run_id=run.pk, override=True, reason="The festival waits")
    client.force_login(owner)

    page = client.get(f"/runs/{run.pk}/").content.decode()

    stages, steps_ = page.split('id="steps"')
    assert "Begun though something was missing: The festival waits" in stages
    assert owner.display_name in stages
    assert "Begun though something was missing: The festival waits" in steps_


def test_stage_of_managers_is_not_for_editors(actor, project):
    from apps.core.errors import Forbidden

    run = ran(actor, project, [{"a": {**NOTHING, **stage("A", manual=True, by="manager")}}])

    with pytest.raises(Forbidden):
        services.advance_stage(actor=actor_of(member_of(project)), run_id=run.pk)
    with pytest.raises(Forbidden):
        services.advance_stage(actor=actor_of(reader_of(project)), run_id=run.pk)

    services.advance_stage(actor=actor, run_id=run.pk)
    assert walked(run).status == "completed"


def test_approval_counts_only_while_its_person_has_the_role(actor, project):
    gate = {"approved": {"stage": "a", "by": "editor", "people": 2}}
    run = ran(actor, project, [{"a": {**NOTHING, **stage("A")}}, {"b": {**NOTHING, **stage("B", requires=[gate])}}])
    other = member_of(project)

    services.approve_stage(actor=actor, run_id=run.pk, stage="a")
    services.approve_stage(actor=actor, run_id=run.pk, stage="a")
    assert walked(run).status == "waiting"
    services.approve_stage(actor=actor_of(other), run_id=run.pk, stage="a")

    assert walked(run).status == "completed"


@pytest.mark.parametrize(
    ("gate", "is_open"),
    [
        ({"any": [TWO, {"records": {"collection": "people", "where": ["name:is:Sarah"]}}]}, True),
        ({"not": {"records": {"collection": "people", "where": ["name:is:Sarah"]}}}, False),
        ({"not": {"records": {"collection": "gone"}}}, False),
        ({"not": {"records": {"collection": "people", "where": ["nothing:is:1"]}}}, False),
        ({"not": {"any": [{"records": {"collection": "gone"}}]}}, False),
        ({"not": {"records": {"collection": "people", "where": ["name:is:Nobody"]}}}, True),
        ({"records": {"collection": "people", "at_most": 0}}, False),
        ({"records": {"collection": "people", "at_most": 1}}, True),
        ({"records": {"collection": "gone"}}, False),
        ({"records": {"collection": "people", "where": ["nothing:is:1"]}}, False),
        ({"every": {"collection": "places", "has": "name"}}, False),
        ({"every": {"collection": "places", "has": "name", "or_none": True}}, True),
    ],
)
def test_predicates(actor, project, gate, is_open):
    person(actor, people(actor, project), name="Sarah")

    run = ran(actor, project, [{"a": {**NOTHING, **stage("A", requires=[gate])}}])

    assert run.status == ("completed" if is_open else "waiting")


def test_stage_that_has_not_begun_is_not_approved(actor, project):
    run = ran(actor, project, film())

    with pytest.raises(NotNext):
        services.approve_stage(actor=actor, run_id=run.pk, stage="scenes")
    assert not Approval.objects.filter(run=run).exists()


def test_fork_begins_in_no_stage_that_is_closed_to_who_forks(actor, project):
    inside = {"do": [{"x": NOTHING}, {"y": NOTHING}], **stage("Scenes", requires=[TWO], manual=True)}
    collection = people(actor, project)
    run = ran(actor, project, [{"concept": {**NOTHING, **stage("Concept")}}, {"scenes": inside}])
    services.advance_stage(actor=actor, run_id=run.pk, stage="scenes", override=True, reason="We show it anyway")
    run = walked(run)
    assert run.status == "completed"
    place = next(each for each in Step.objects.filter(run=run) if each.path.endswith("/y")).number
    before = Run.objects.count()

    with pytest.raises(GateClosed) as closed:
        services.fork_run(actor=actor_of(member_of(project)), run_id=run.pk, number=place)

    assert (closed.value.extra["stage"], Run.objects.count()) == ("scenes", before)
    for name in ("Sarah", "Tomás"):
        person(actor, collection, name=name, age=28)
    assert services.fork_run(actor=actor, run_id=run.pk, number=place).stage == "scenes"
    assert services.fork_run(actor=actor, run_id=run.pk, number=1).stage == ""


def test_what_is_said_is_the_definitions_own_words(actor, project):
    people(actor, project)
    run = ran(actor, project, [{"a": {**NOTHING, **stage("A", requires=[{**TWO, "says": "Two heroes first"}])}}])

    assert presentation.stage_map(run)[0]["missing"] == ["Two heroes first"]
    assert [verdict.says for verdict in services.check_stage(actor=actor, run_id=run.pk, stage="a")] == [
        "Two heroes first"
    ]


WHY = "We show it anyway"
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.sampled_from(["", "a", "b", "c"])),
        st.tuples(st.just("override"), st.tuples(st.sampled_from(["", "b", "c"]), st.sampled_from(["", " ", WHY]))),
        st.tuples(st.just("approve"), st.sampled_from(["a", "b", "c"])),
        st.tuples(st.just("add"), st.booleans()),
        st.tuples(st.just("need"), st.booleans()),
        st.tuples(st.just("fork"), st.tuples(st.integers(1, 12), st.booleans())),
        st.tuples(st.sampled_from(["remove", "walk", "pause", "resume", "retry", "reshape"]), st.none()),
        st.tuples(st.just("back"), st.sampled_from(["a", "b", "c"])),
    ),
    min_size=4,
    max_size=40 if LONG else 12,
)


class Gates:
    """A run with three stages, what is done with it and with its records, and whether each stage that began had what it requires then: by
    a count of its own, or because a manager said why it goes on.
    """

    def __init__(self, actor, project):
        self.actor, self.begun, self.act = actor, [], ("", None)
        Definition.objects.filter(deleted_at=None).update(deleted_at="2026-01-01T00:00:00Z")
        self.collection = Collection.objects.filter(project=project, slug="people").first() or people(actor, project)
        Record.objects.filter(collection=self.collection).update(deleted_at="2026-01-01T00:00:00Z")
        self.do("need", wanted=False)
        one = {"records": {"collection": "people", "complete": True}}
        self.run = ran(
            actor,
            project,
            [
                {"a": {**NOTHING, **stage("A", requires=[one])}},
                {"b": {"do": [{"first": NOTHING}, {"then": NOTHING}], **stage("B", requires=[AGED], manual=True)}},
                {"c": {**NOTHING, **stage("C", requires=[{"approved": {"stage": "b"}}], manual=True)}},
            ],
        )

    def is_met(self, run, name):
        living = [row.data for row in Record.objects.filter(collection=self.collection, deleted_at=None)]
        match name:
            case "a":
                needed = Collection.objects.get(pk=self.collection.pk).needed
                return any(set(needed) <= row.keys() for row in living)
            case "b":
                return bool(living) and all("age" in row for row in living)
        return Approval.objects.filter(run=run, stage="b").exists()

    def entered(self, run, name, *, is_override):
        """A stage begins at this moment."""
        kind, what = self.act
        is_said = is_override and kind == "override" and what[1].strip() != "" and what[0] in {"", name}
        self.begun.append((run.pk, name, self.is_met(run, name) or is_said))

    def do(self, act, what=None, *, wanted=None):
        given = {"actor": self.actor}
        match act:
            case "need":
                needed = ["age"] if (what if wanted is None else wanted) else []
                records.change_collection(**given, collection_id=self.collection.pk, changes={"needed": needed})
            case "reshape":
                records.reshape_records(actor=SYSTEM)
            case "add":
                person(self.actor, self.collection, name="X", **({"age": 1} if what else {}))
            case "remove":
                if row := Record.objects.filter(collection=self.collection, deleted_at=None).first():
                    records.delete_record(**given, record_id=row.pk)
            case "advance":
                services.advance_stage(**given, run_id=self.run.pk, stage=what)
            case "override":
                services.advance_stage(**given, run_id=self.run.pk, stage=what[0], override=True, reason=what[1])
            case "approve":
                services.approve_stage(**given, run_id=self.run.pk, stage=what)
            case "back":
                services.roll_back(**given, run_id=self.run.pk, stage=what)
            case "fork":
                self.fork(*what)
            case "pause" | "resume" | "retry":
                getattr(services, f"{act}_run")(**given, run_id=self.run.pk)

    def fork(self, number, goes_along):
        """The stage in which the other run begins has what it requires, whatever was said of it in this one."""
        other = services.fork_run(actor=self.actor, run_id=self.run.pk, number=number)
        if other.stage:
            self.begun.append((other.pk, other.stage, self.is_met(other, other.stage)))
        self.run = other if goes_along else self.run


@pytest.mark.timeout(3_000 if LONG else 120)
@settings(max_examples=300 if LONG else 6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
@example(acts=[("add", False), ("override", ("b", WHY)), ("fork", (5, True)), ("need", True), ("fork", (2, False))])
@example(acts=[("add", False), ("need", True), ("back", "a"), ("resume", None), ("fork", (2, True)), ("walk", None)])
def test_no_sequence_of_calls_comes_past_an_unmet_gate(actor, project, acts, monkeypatch):
    """Each time that a stage is begun, a count of our own says that its requirements are met at this moment."""
    enter, found = stages._enter, None

    def entered(run, step_id, name, who, *, is_override):
        if found is not None:
            found.entered(run, name, is_override=is_override)
        enter(run, step_id, name, who, is_override=is_override)

    monkeypatch.setattr(stages, "_enter", entered)
    found = Gates(actor, project)
    for act in acts:
        found.act = act
        try:
            with transaction.atomic():
                found.do(*act)
        except DomainError:
            continue
        found.act = ("walk", None)
        walked(found.run)

    assert [each for each in found.begun if not each[2]] == []
    for each in Run.objects.exclude(status="failed"):
        done = Step.objects.filter(run=each, status="completed")
        passed = {row.path.removesuffix("#gate") for row in done.filter(kind="gate")}
        assert {row.path.split("/")[0] for row in done.filter(kind="set")} <= passed


LIVES = {"every": {"collection": "people", "has": "lives_in"}}


def test_what_a_field_points_to_has_to_be_there(actor, project):
    collection = people(actor, project)
    town = Collection.objects.get(project=project, slug="places")
    port, inn = (person(actor, town, name=name) for name in ("Port", "Inn"))
    person(actor, collection, name="Sarah", lives_in=str(port.pk))
    person(actor, collection, name="Tomás", lives_in=str(inn.pk))
    run = ran(actor, project, [{"scenes": {**NOTHING, **stage("Scenes", requires=[LIVES], manual=True)}}])
    assert states(run) == {"scenes": "available"}

    records.delete_record(actor=actor, record_id=port.pk)

    assert presentation.stage_map(fresh(run))[0]["missing"] == ["People without “lives_in”: Sarah."]
    with pytest.raises(GateClosed):
        services.advance_stage(actor=actor, run_id=run.pk)
    records.restore_record(actor=actor, record_id=port.pk)
    services.advance_stage(actor=actor, run_id=run.pk)
    assert walked(run).status == "completed"


def test_record_whose_needed_field_points_to_what_is_gone_is_not_complete(actor, project):
    collection = people(actor, project, needed=["lives_in"])
    town = Collection.objects.get(project=project, slug="places")
    port, inn = (person(actor, town, name=name) for name in ("Port", "Inn"))
    person(actor, collection, name="Sarah", lives_in=str(port.pk))
    person(actor, collection, name="Tomás", lives_in=str(inn.pk))
    says = {"says": "Two who live somewhere."}
    none_else = {"records": {"collection": "people", "complete": False, "at_most": 0}}
    gates = [TWO, TWO | says, none_else]
    run = ran(actor, project, [{"scenes": {**NOTHING, **stage("Scenes", requires=gates, manual=True)}}])
    assert states(run) == {"scenes": "available"}

    records.delete_record(actor=actor, record_id=port.pk)

    why = "Not complete, since what they point to was deleted: Sarah."
    for _before_and_after in range(2):
        assert presentation.stage_map(fresh(run))[0]["missing"] == [
            f"People: at least 2 complete records are needed, there are 1. {why}",
            f"Two who live somewhere. {why}",
            "People: at most 0 records may be there.",
        ]
        records.follow_target(actor=SYSTEM, record_id=port.pk)
        records.reshape_records(actor=SYSTEM)
    with pytest.raises(GateClosed):
        services.advance_stage(actor=actor, run_id=run.pk)
    records.restore_record(actor=actor, record_id=port.pk)
    services.advance_stage(actor=actor, run_id=run.pk)
    assert walked(run).status == "completed"


def test_gate_that_wants_complete_records_holds_what_their_needed_fields_point_to(actor, project):
    collection = people(actor, project, needed=["lives_in"])
    town = Collection.objects.get(project=project, slug="places")

    assert links.list_read(actor, project.pk, ["people"], [], complete=["people", "gone"]) == {collection.pk, town.pk}
    assert list(workflow_gates.completed_in([{"not": {"any": [TWO, AGED]}}])) == ["people"]


def test_gate_holds_what_is_told_of_the_records_that_a_field_points_to(actor, project):
    collection = people(actor, project)
    town = Collection.objects.get(project=project, slug="places")

    read = links.list_read(actor, project.pk, ["people"], [("people", "lives_in"), ("people", "age"), ("gone", "x")])

    assert read == {collection.pk, town.pk}
    assert links.list_read(actor, project.pk, ["people"], []) == {collection.pk}


def test_run_is_woken_when_the_collection_needs_less(actor, project):
    """Nobody writes a record: what is there is complete, once it is looked at by what the collection says now."""
    collection = people(actor, project, needed=["age"])
    person(actor, collection, name="Sarah")
    one = {"records": {"collection": "people", "complete": True}}
    run = ran(actor, project, [{"scenes": {**NOTHING, **stage("Scenes", requires=[one])}}])
    assert (run.status, run.waits_for) == ("waiting", "stage")

    records.change_collection(actor=actor, collection_id=collection.pk, changes={"needed": []})
    assert walked(run).status == "waiting"
    records.reshape_records(actor=SYSTEM)

    assert walked(run).status == "completed"
    (told,) = Event.objects.filter(type="extraction.records_reshaped")
    assert told.payload == {"collection_id": str(collection.pk), "became_complete": 1, "became_incomplete": 0}
    assert told.topic == f"collection:{collection.pk}"
