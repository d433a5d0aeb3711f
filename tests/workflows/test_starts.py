"""Runs that begin by themselves: on time, by events, for somebody who may, once each, and not without end."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.mailbox_events import MailboxProved
from apps.accounts.types import SYSTEM
from apps.core.correlation import caused_by
from apps.core.errors import Forbidden
from apps.core.eventlog.consumers import logged as to_log
from apps.core.events import emit
from apps.core.models import Event
from apps.core.types import Scope
from apps.extraction import services as records
from apps.workflows import receivers, selectors, services
from apps.workflows.invariants import check_starts_are_on_time
from apps.workflows.models import Run, Start
from apps.workflows.services import starts
from tests.accounts.factories import actor_of, add_to_project, member_of
from tests.extraction.factories import people
from tests.extraction.factories import record as recorded
from tests.workflows.factories import defined, document, logged, tell, walked

pytestmark = pytest.mark.django_db
DO = [{"keep": {"set": "${ . }"}}]
MINUTES = {"every": {"minutes": 5}}
CREATED = {"on": {"one": {"with": {"type": "record.created", "collection": "people"}}}}


def scheduled(actor, project, schedule, do=DO, **more):
    """The start of a definition, as it was armed."""
    definition = defined(actor, project, do, schedule=schedule, **more)
    return Start.objects.get(definition=definition)


def come(start, **ago):
    """Its time has come, so long ago."""
    Start.objects.filter(pk=start.pk).update(next_at=timezone.now() - timedelta(**(ago or {"seconds": 1})))
    return services.begin_due_runs(actor=SYSTEM)


def changed(actor, start, schedule, do=DO):
    more = {"schedule": schedule} if schedule else {}
    services.change_definition(actor=actor, definition_id=start.definition_id, document=document(do, **more))
    start.refresh_from_db()
    return start


def told(kind):
    return [event.payload for event in Event.objects.filter(type=f"workflows.{kind}").order_by("insertion")]


def test_what_a_stranger_armed_and_began_in_a_reclaimed_account_ends_once_and_nothing_else(actor, project):
    rest = [{"rest": {"wait": {"hours": 1}}}]
    vera = actor_of(member_of(project, role="admin"))
    start = scheduled(vera, project, MINUTES, rest, name="theirs")
    ours = scheduled(actor, project, MINUTES, rest, name="ours")
    come(start)
    before = Run.objects.get()
    with transaction.atomic():
        fact = MailboxProved(vera.user_id, "sso", keys=0, second_factors=0, identities=0, sessions=0)
        emit(fact, actor=vera, scope=Scope(f"user:{vera.user_id}"), subject=("user", vera.user_id))
    event = to_log(Event.objects.get(type="accounts.mailbox_proved"))
    come(start)
    meanwhile = Run.objects.exclude(pk=before.pk).get()
    again = scheduled(vera, project, MINUTES, rest, name="again")
    own = services.start_run(actor=vera, definition_id=again.definition_id)
    come(ours)

    for _twice in range(2):
        receivers.withdraw_unproved(event)

    start.refresh_from_db()
    assert (start.status, start.reason, start.armed_by_id, start.next_at) == ("paused", "nobody", None, None)
    assert set(Run.objects.filter(status="cancelled").values_list("pk", flat=True)) == {before.pk, meanwhile.pk}
    assert Run.objects.exclude(status="cancelled").filter(start=ours).exists()
    assert set(Start.objects.filter(status="active").values_list("pk", flat=True)) == {ours.pk, again.pk}
    assert own.pk in Run.objects.filter(status="queued").values_list("pk", flat=True)
    assert (len(told("start_paused")), len(told("run_cancelled"))) == (1, 2)
    services.resume_start(actor=actor, definition_id=start.definition_id)
    come(start)
    assert Run.objects.filter(start=start).latest("created_at").requested_by_id == actor.user_id


# By the clock


def test_a_time_that_has_come_begins_one_run_and_the_next_is_written(actor, project):
    start = scheduled(actor, project, MINUTES)
    assert timedelta(minutes=4) < start.next_at - timezone.now() <= timedelta(minutes=5)
    assert services.begin_due_runs(actor=SYSTEM) == 0

    assert come(start) == 1
    assert services.begin_due_runs(actor=SYSTEM) == 0

    run = Run.objects.get()
    start.refresh_from_db()
    assert (run.start_id, run.cause, run.requested_by_id) == (start.pk, "schedule", actor.user_id)
    assert timedelta(minutes=4) < start.next_at - timezone.now() <= timedelta(minutes=5)
    assert start.last_at is not None
    assert walked(run).status == "completed"


def test_what_was_missed_is_one_run(actor, project):
    start = scheduled(actor, project, MINUTES)

    assert come(start, hours=3) == 1

    start.refresh_from_db()
    assert start.next_at > timezone.now()
    assert services.begin_due_runs(actor=SYSTEM) == 0
    assert Run.objects.count() == 1


def test_cron_goes_by_the_clock_of_the_organization(actor, project):
    project.organization.time_zone = "Asia/Kathmandu"
    project.organization.save()

    start = scheduled(actor, project, {"cron": "0 9 * * *"})

    assert (start.next_at.hour, start.next_at.minute) == (3, 15)


def test_after_waits_for_the_end_of_the_run(actor, project):
    start = scheduled(actor, project, {"after": {"minutes": 10}}, [{"rest": {"wait": {"hours": 1}}}])
    assert come(start) == 1
    start.refresh_from_db()
    assert start.next_at is None
    run = walked(Run.objects.get())
    assert run.status == "waiting"

    services.cancel_run(actor=actor, run_id=run.pk)
    tell()

    start.refresh_from_db()
    assert timedelta(minutes=9) < start.next_at - timezone.now() <= timedelta(minutes=10)


def test_a_time_that_was_not_kept_is_found(actor, project):
    start = scheduled(actor, project, MINUTES)
    assert check_starts_are_on_time() == []

    Start.objects.filter(pk=start.pk).update(next_at=Now() - timedelta(hours=1))

    assert str(start.definition_id) in check_starts_are_on_time()[0].detail


# By events


def test_a_record_of_the_collection_begins_a_run_with_the_event_as_input(actor, project):
    start = scheduled(actor, project, CREATED, [{"which": {"set": {"id": "${ .[0].data.record_id }"}}}])
    collection = people(actor, project)
    other = people(actor, project, name="Others")

    recorded(actor, other, name="Nobody")
    made = recorded(actor, collection, name="Sarah")
    tell()

    run = walked(Run.objects.get())
    assert (run.cause, run.output, run.requested_by_id) == ("event", {"id": str(made.pk)}, actor.user_id)
    start.refresh_from_db()
    assert start.last_at is not None


def test_an_event_that_is_heard_twice_begins_one_run(actor, project):
    scheduled(actor, project, CREATED)
    recorded(actor, people(actor, project), name="Sarah")

    row = Event.objects.get(type="extraction.record_created")
    assert services.hear_starts(actor=SYSTEM, event=logged(row)) == 1
    assert services.hear_starts(actor=SYSTEM, event=logged(row)) == 0

    assert Run.objects.count() == 1


def test_a_record_that_becomes_complete_is_heard_once(actor, project):
    collection = people(actor, project, needed=["age"])
    wanted = {"type": "record.updated", "collection": "people", "data": {"became_complete": True}}
    scheduled(actor, project, {"on": {"one": {"with": wanted}}})
    row = recorded(actor, collection, name="Sarah")

    for changes in ({"name": "Nora"}, {"age": 28}, {"age": 29}):
        records.change_record(actor=actor, record_id=row.pk, changes=changes)
    tell()

    assert Run.objects.count() == 1


def test_an_expression_says_which_events(actor, project):
    collection = people(actor, project)
    wanted = {"type": "record.updated", "data": '${ .fields | index("age") }'}
    scheduled(actor, project, {"on": {"any": [{"with": wanted}]}})
    row = recorded(actor, collection, name="Sarah")

    records.change_record(actor=actor, record_id=row.pk, changes={"name": "Nora"})
    records.change_record(actor=actor, record_id=row.pk, changes={"age": 3})
    tell()

    (run,) = Run.objects.all()
    assert run.data[0]["data"]["fields"] == ["age"]


def test_all_waits_until_each_has_come(actor, project):
    collection = people(actor, project)
    kinds = [{"with": {"type": "record.created"}}, {"with": {"type": "extraction.record_deleted"}}]
    scheduled(actor, project, {"on": {"all": kinds}})

    row = recorded(actor, collection, name="Sarah")
    recorded(actor, collection, name="Nora")
    tell()
    assert not Run.objects.exists()
    records.delete_record(actor=actor, record_id=row.pk)
    tell()

    (run,) = Run.objects.all()
    assert [event["type"] for event in run.data] == ["record.created", "extraction.record_deleted"]
    assert run.data[0]["subject"] == str(row.pk)


def test_what_another_run_emits_begins_a_run(actor, project):
    scheduled(actor, project, {"on": {"one": {"with": {"type": "com.example.ready"}}}}, name="hearer")
    said = {"with": {"source": "https://example.com", "type": "com.example.ready", "data": {"n": 7}}}

    teller = defined(actor, project, [{"say": {"emit": {"event": said}}}], name="teller")
    with caused_by("one-request"):
        run = walked(services.start_run(actor=actor, definition_id=teller.pk))

    heard = Run.objects.exclude(pk=run.pk).get()
    assert (heard.data[0]["data"], heard.correlation_id) == ({"n": 7}, "one-request")


def test_another_project_hears_nothing(actor, owner, project):
    from tests.accounts.factories import ProjectFactory

    other = ProjectFactory(organization=project.organization)
    add_to_project(owner, other, role="manager")
    scheduled(actor, other, {"on": {"one": {"with": {"type": "record.created"}}}})

    recorded(actor, people(actor, project), name="Sarah")
    tell()

    assert not Run.objects.exists()


# For whom


def test_who_lost_the_right_starts_nothing_and_the_log_says_so(actor, owner, project):
    boss = member_of(project)
    role = add_to_project(boss, project, role="manager")
    start = scheduled(actor_of(boss), project, MINUTES)
    role.role = "viewer"
    role.save()

    come(start)

    start.refresh_from_db()
    assert not Run.objects.exists()
    assert (start.status, start.reason, start.next_at) == ("paused", "no_right", None)
    assert told("start_paused") == [{"definition_id": str(start.definition_id), "reason": "no_right"}]
    services.resume_start(actor=actor, definition_id=start.definition_id)
    come(start)
    assert Run.objects.get().requested_by_id == owner.pk


def test_somebody_who_is_gone_starts_nothing(actor, project):
    start = scheduled(actor, project, CREATED)
    collection = people(actor, project)
    start.armed_by.is_active = False
    start.armed_by.save()

    recorded(SYSTEM, collection, name="Sarah")
    tell()

    start.refresh_from_db()
    assert (Run.objects.count(), start.status, start.reason) == (0, "paused", "no_right")


def test_what_nobody_armed_waits_for_a_manager(actor, project):
    start = scheduled(SYSTEM, project, MINUTES)

    assert (start.status, start.reason, start.next_at) == ("paused", "nobody", None)

    services.resume_start(actor=actor, definition_id=start.definition_id)
    start.refresh_from_db()
    assert (start.status, start.armed_by_id) == ("active", actor.user_id)


def test_editors_may_pause_and_managers_switch_on(actor, project):
    start = scheduled(actor, project, MINUTES)
    editor = member_of(project)
    add_to_project(editor, project, role="editor")

    services.pause_start(actor=actor_of(editor), definition_id=start.definition_id)
    with pytest.raises(Forbidden):
        services.resume_start(actor=actor_of(editor), definition_id=start.definition_id)

    start.refresh_from_db()
    assert (start.status, start.reason, start.armed_by_id) == ("paused", "by_person", actor.user_id)
    assert come(start) == 0


# With versions


def test_a_version_arms_and_the_next_disarms(actor, project):
    start = scheduled(actor, project, MINUTES)
    was = start.next_at

    assert changed(actor, start, MINUTES, [{"other": {"set": {"x": 1}}}]).next_at == was
    assert changed(actor, start, {"cron": "0 0 * * *"}).kind == "cron"
    assert changed(actor, start, None).status == "off"
    assert start.next_at is None
    assert selectors.find_start(definition_id=start.definition_id, viewer=actor) is None
    assert changed(actor, start, CREATED).status == "active"
    services.delete_definition(actor=actor, definition_id=start.definition_id)
    start.refresh_from_db()
    assert start.status == "off"
    assert [fact["kind"] for fact in told("start_armed")] == ["every", "every", "cron", "on"]
    assert len(told("start_disarmed")) == 2


def test_what_a_person_paused_stays_paused_with_the_next_version(actor, project):
    start = scheduled(actor, project, MINUTES)
    services.pause_start(actor=actor, definition_id=start.definition_id)

    start.refresh_from_db()
    assert changed(actor, start, {"every": {"minutes": 6}}).status == "paused"
    assert start.next_at is None
    services.resume_start(actor=actor, definition_id=start.definition_id)
    start.refresh_from_db()
    assert start.next_at - timezone.now() > timedelta(minutes=5)


# Not without end


def test_more_than_so_many_an_hour_begin_nothing_and_that_is_told_once(actor, project, monkeypatch):
    monkeypatch.setattr(starts, "MAX_RUNS_AN_HOUR", 2)
    start = scheduled(actor, project, CREATED)
    collection = people(actor, project)

    for name in "abcd":
        recorded(actor, collection, name=name)
    tell()

    start.refresh_from_db()
    assert (Run.objects.count(), start.status, start.last_error, start.skipped) == (2, "active", "too_often", 2)
    assert told("start_skipped") == [{"definition_id": str(start.definition_id), "reason": "too_often"}]
    Run.objects.update(created_at=Now() - timedelta(hours=2))
    recorded(actor, collection, name="e")
    tell()
    start.refresh_from_db()
    assert (Run.objects.count(), start.last_error) == (3, "")


def test_so_many_that_are_not_done_begin_no_more(actor, project, monkeypatch):
    monkeypatch.setattr(starts, "MAX_OPEN_OF_START", 1)
    start = scheduled(actor, project, MINUTES, [{"rest": {"wait": {"hours": 1}}}])

    come(start)
    come(start)

    start.refresh_from_db()
    assert (Run.objects.count(), start.last_error, start.skipped) == (1, "too_many_open", 1)
    assert start.next_at > timezone.now()


def test_a_project_without_room_lets_it_pass(actor, project, monkeypatch):
    monkeypatch.setattr("apps.workflows.services.runs.MAX_OPEN_RUNS", 0)
    start = scheduled(actor, project, MINUTES)

    come(start)

    start.refresh_from_db()
    assert (Run.objects.count(), start.last_error) == (0, "too_many_runs")


def test_runs_that_start_themselves_come_to_an_end(actor, project):
    """Each makes a record, which starts the next."""
    collection = people(actor, project)
    make = {"call": "records.create", "with": {"collection": "people", "data": {"name": "One more"}}}
    start = scheduled(actor, project, CREATED, [{"make": make}])

    with caused_by("one-request"):
        recorded(actor, collection, name="First")
    tell()
    for _round in range(12):
        for run in Run.objects.filter(status="queued"):
            walked(run)

    start.refresh_from_db()
    assert list(Run.objects.order_by("created_at").values_list("reactions", flat=True)) == [1, 2, 3]
    assert (start.last_error, told("start_skipped")[0]["reason"]) == ("in_a_circle", "in_a_circle")


def test_many_records_at_once_are_no_circle(actor, project):
    collection = people(actor, project)
    scheduled(actor, project, CREATED)

    with caused_by("one-request"):
        for number in range(8):
            recorded(actor, collection, name=f"Person {number}")
    tell()

    assert Run.objects.count() == 8


@pytest.mark.parametrize("program", ["${ last(range(1e12)) }", "${ .fields + 1 }"])
def test_an_expression_that_fails_pauses(actor, project, program):
    collection = people(actor, project)
    start = scheduled(actor, project, {"on": {"one": {"with": {"type": "record.updated", "data": program}}}})
    row = recorded(actor, collection, name="Sarah")

    records.change_record(actor=actor, record_id=row.pk, changes={"age": 3})
    tell()

    start.refresh_from_db()
    assert (Run.objects.count(), start.status, start.reason) == (0, "paused", "filter_failed")
