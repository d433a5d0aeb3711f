"""What begins runs by itself: armed with a version, paused and switched on by people, and let go when its time has come or something happened.

For each time and each event one run: the row of the start is held, the run has the time or the event as its key, and the next time is written with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_of_row
from apps.accounts.services import unproved
from apps.accounts.types import SYSTEM, Actor
from apps.core.correlation import current
from apps.core.doors.consumers import LoggedEvent
from apps.core.errors import NotFound
from apps.core.events import MAX_DEPTH, emit
from apps.workflows import expressions, hearing_selectors, policies, schedules, selectors, sight_selectors
from apps.workflows.events import StartArmed, StartDisarmed, StartPaused, StartResumed, StartSkipped
from apps.workflows.models import Definition, DefinitionVersion, Run, Start
from apps.workflows.services.ends import cancel
from apps.workflows.services.runs import begin
from apps.workflows.types import (
    MAX_OPEN_OF_START,
    MAX_ROUNDS,
    MAX_RUNS_AN_HOUR,
    OPEN,
    DataTooLarge,
    RunCause,
    StartKind,
    StartReason,
    StartStatus,
    TooManyOpenRuns,
)

HOUR = timedelta(hours=1)
#: Of one expression in what a start listens for: everybody's events wait for it.
FILTER_SECONDS = 0.25
#: What is told of starts starts nothing.
OWN = "workflows.start_"
ENDS = frozenset({"workflows.run_completed", "workflows.run_failed", "workflows.run_cancelled"})


# With definitions


def arm(definition: Definition, schedule: Mapping[str, Any] | None, actor: Actor) -> None:
    """As the document in force says, for who publishes it. What a person paused stays paused; the same schedule again keeps its next time.

    ``AddressNotConfirmed`` (409): it would go on for the owner of the mailbox, who may be another one.
    """
    if not schedule:
        disarm(definition, actor)
        return
    unproved.require_proved(actor=actor)
    start = Start.objects.select_for_update(of=("self",)).filter(definition=definition).first()
    if start is None:
        start = Start(
            organization_id=definition.organization_id, project_id=definition.project_id, definition=definition
        )
    is_same = start.schedule == schedule and start.status == StartStatus.ACTIVE
    start.kind, start.schedule = schedules.kind_of(schedule), dict(schedule)
    stays = start.status == StartStatus.PAUSED and start.reason == StartReason.PERSON
    _stand_behind(start, actor)
    if not stays and not is_same:
        _switch_on(start)
    start.save()
    _tell(StartArmed(definition.pk, definition.number, start.kind), start, actor)
    if start.status == StartStatus.ACTIVE and not (actor.user_id or actor.key_id):
        _pause(start, StartReason.NOBODY, actor)


def disarm(definition: Definition, actor: Actor) -> None:
    start = Start.objects.select_for_update(of=("self",)).filter(definition=definition).first()
    if start is None or start.status == StartStatus.OFF:
        return
    start.status, start.reason, start.next_at, start.heard = StartStatus.OFF, "", None, []
    start.save()
    _tell(StartDisarmed(definition.pk), start, actor)


def _stand_behind(start: Start, actor: Actor) -> None:
    start.armed_by_id, start.key_id, start.armed_at = actor.user_id, actor.key_id, timezone.now()


def _switch_on(start: Start) -> None:
    now = timezone.now()
    start.status, start.reason, start.heard, start.last_error = StartStatus.ACTIVE, "", [], ""
    start.next_at = _next(start, now, now)
    if start.kind == StartKind.AFTER and start.pk and Run.objects.filter(start=start, status__in=OPEN).exists():
        start.next_at = None  # its end says when


def _next(start: Start, last: datetime, now: datetime) -> datetime | None:
    return schedules.next_time(start.schedule, last, now, start.organization.time_zone)


def _tell(fact: Any, start: Start, actor: Actor) -> None:
    definition = start.definition
    emit(fact, actor=actor, scope=definition.scope, subject=("workflow", definition.pk))


# By people


@transaction.atomic
def pause_start(*, actor: Actor, definition_id: UUID) -> Start:
    """No run begins by itself until somebody switches it on. Those under way go on."""
    start = selectors.lock_start(definition_id=definition_id, viewer=actor)
    policies.require(policies.can_run(actor, accounts.project_role(actor, start.project_id)))
    if start.status == StartStatus.ACTIVE or start.reason != StartReason.PERSON:
        _pause(start, StartReason.PERSON, actor)
    return start


@transaction.atomic
def resume_start(*, actor: Actor, definition_id: UUID) -> Start:
    """From now on, for who says so: what was missed is not made up for. ``AddressNotConfirmed`` (409) as where it is armed."""
    start = selectors.lock_start(definition_id=definition_id, viewer=actor)
    policies.require(policies.can_define(actor, accounts.project_role(actor, start.project_id)))
    unproved.require_proved(actor=actor)
    if start.status != StartStatus.ACTIVE:
        _stand_behind(start, actor)
        _switch_on(start)
        start.save()
        _tell(StartResumed(definition_id), start, actor)
    return start


def _pause(start: Start, reason: StartReason, actor: Actor) -> None:
    start.status, start.reason, start.next_at, start.heard = StartStatus.PAUSED, reason, None, []
    start.save()
    _tell(StartPaused(start.definition_id, reason), start, actor)


@transaction.atomic
def withdraw_unproved(*, actor: Actor, user_id: UUID, proved_at: datetime) -> None:
    """What an account armed and began anywhere before its address was confirmed at ``proved_at``: starts wait for somebody who stands
    behind them, runs are cancelled, those too that such a start began meanwhile. Safe to repeat.
    """
    policies.require(policies.is_system(actor))
    armed = Start.objects.filter(armed_by_id=user_id, armed_at__lt=proved_at, status=StartStatus.ACTIVE)
    held = list(armed.select_for_update(of=("self",)).select_related("definition").order_by("pk"))
    begun = Run.objects.filter(Q(created_at__lt=proved_at) | Q(start__in=[start.pk for start in held]))
    mine = begun.filter(requested_by_id=user_id, status__in=OPEN)
    runs = list(
        mine.select_for_update().order_by("pk")
    )  # all rows before the first word in the log, as everybody takes them
    for start in held:
        start.armed_by_id, start.key_id = None, None
        _pause(start, StartReason.NOBODY, actor)
    for run in runs:
        run.refresh_from_db()
        if run.status in OPEN:  # one inside another has ended with it
            cancel(run, actor)


# When its time has come


def begin_due_runs(*, actor: Actor) -> int:
    """How many times had come. Each is a transaction of its own."""
    policies.require(policies.is_system(actor))
    return sum(begin_due_run(actor=actor, start_id=pk) for pk in selectors.list_due_starts())


@transaction.atomic
def begin_due_run(*, actor: Actor, start_id: UUID) -> bool:
    """The run of a time that has come, and its next time. False: somebody else did it, or it is paused by now."""
    policies.require(policies.is_system(actor))
    due = Start.objects.filter(pk=start_id, status=StartStatus.ACTIVE, next_at__lte=Now())
    if (start := _held(due)) is None:
        return False
    assert start.next_at is not None
    last = start.next_at
    now = max(timezone.now(), last)
    if _begin(start, key=f"at {last.isoformat()}", data={}, cause=RunCause.SCHEDULE) and start.kind == StartKind.AFTER:
        start.next_at = None
    elif start.status == StartStatus.ACTIVE:
        start.next_at = _next(start, now if start.kind == StartKind.AFTER else last, now)
    start.save()
    return True


def _held(rows: Any) -> Start | None:
    """The project before its start, as everybody who begins runs holds them: so nobody waits for somebody who waits for them."""
    found = rows.values_list("pk", "project_id").first()
    if found is None:
        return None
    try:
        accounts.lock_project(found[1], SYSTEM)
    except NotFound:  # the project is deleted: nothing begins in it
        return None
    held: Start | None = (
        rows.select_for_update(of=("self",)).select_related("definition", "organization").filter(pk=found[0]).first()
    )
    return held


def _begin(start: Start, *, key: str, data: Any, cause: RunCause, collections: Sequence[UUID] = ()) -> bool:
    """A run for who armed it. False: why not is in the row, and in the log. The caller saves the row."""
    asker = actor_of_row(user_id=start.armed_by_id, key_id=start.key_id)
    if not policies.can_run(asker, accounts.project_role(asker, start.project_id)):
        _pause(start, StartReason.NO_RIGHT, SYSTEM)
        return False
    began = Run.objects.filter(start=start)
    if began.filter(start_key=key).exists():
        return False
    if reason := _crowded(start):
        _skip(start, reason)
        return False
    definition = selectors.get_definition(definition_id=start.definition_id, viewer=SYSTEM)
    version = DefinitionVersion.objects.get(definition=definition, number=definition.number)
    try:
        begin(asker, definition, version, data=data, cause=cause, collections=collections, start=start, start_key=key)
    except TooManyOpenRuns:
        _skip(start, StartReason.TOO_MANY_RUNS)
        return False
    except DataTooLarge:
        _skip(start, StartReason.TOO_LARGE)
        return False
    start.last_at, start.last_error, start.last_error_at = timezone.now(), "", None
    return True


def _crowded(start: Start) -> StartReason | None:
    began = Run.objects.filter(start=start)
    if began.filter(created_at__gt=Now() - HOUR)[:MAX_RUNS_AN_HOUR].count() >= MAX_RUNS_AN_HOUR:
        return StartReason.TOO_OFTEN
    if began.filter(status__in=OPEN)[:MAX_OPEN_OF_START].count() >= MAX_OPEN_OF_START:
        return StartReason.TOO_MANY_OPEN
    return None


def _skip(start: Start, reason: StartReason) -> None:
    """Counted each time, told of once an hour."""
    start.skipped += 1
    now = timezone.now()
    if start.last_error == reason and start.last_error_at is not None and now - start.last_error_at <= HOUR:
        return
    start.last_error, start.last_error_at = reason, now
    if current().depth <= MAX_DEPTH:
        _tell(StartSkipped(start.definition_id, reason), start, SYSTEM)


# When something has happened


@transaction.atomic
def hear_starts(*, actor: Actor, event: LoggedEvent) -> int:
    """How many runs it began. Hearing an event twice is hearing it once."""
    policies.require(policies.is_system(actor))
    if event.project_id is None or event.type.startswith(OWN):
        return 0
    if event.type in ENDS:
        _wait_after(UUID(event.payload["run_id"]), event.occurred_at)
    if not (listening := hearing_selectors.list_listening_starts(event.project_id)):
        return 0
    envelope = hearing_selectors.as_cloud_event(event)
    named = [start for start in listening if envelope["type"] in schedules.types_of(start.schedule["on"])]
    return sum(_react(start.pk, event, envelope) for start in named)


def _wait_after(run_id: UUID, ended_at: datetime) -> None:
    rows = Start.objects.filter(kind=StartKind.AFTER, status=StartStatus.ACTIVE, next_at=None)
    start_id = Run.objects.filter(pk=run_id, start__isnull=False).values_list("start", flat=True).first()
    if start_id and (start := _held(rows.filter(pk=start_id))):
        start.next_at = _next(start, ended_at, ended_at)
        start.save()


def _react(start_id: UUID, event: LoggedEvent, envelope: dict[str, Any]) -> bool:
    start = _held(Start.objects.filter(pk=start_id, status=StartStatus.ACTIVE, kind=StartKind.ON))
    if start is None or Run.objects.filter(start=start, start_key=f"event {event.id}").exists():
        return False
    try:
        found, start.heard = schedules.taken(start.schedule["on"], start.heard, envelope, _is_true)
    except expressions.ExpressionFailed:
        _pause(start, StartReason.FILTER, SYSTEM)
        return False
    if found is None:
        begun = False
    elif _goes_round(start, event):
        _skip(start, StartReason.ROUND)
        begun = False
    else:
        told = sorted(sight_selectors.list_collections_of(found))
        begun = _begin(start, key=f"event {event.id}", data=found, cause=RunCause.EVENT, collections=told)
    start.save()
    return begun


def _is_true(program: str, value: Any) -> bool:
    found = expressions.evaluate(expressions.program_of(program), value, {}, seconds=FILTER_SECONDS)
    return found is not None and found is not False


def _goes_round(start: Start, event: LoggedEvent) -> bool:
    """Whether runs of the same definition led to this event, one after the other, as often as they may."""
    depth = max(current().depth, event.depth + 1)
    if depth > MAX_DEPTH:
        return True
    before = Run.objects.filter(
        start__isnull=False,
        definition=start.definition_id,
        correlation_id=event.correlation_id,
        reactions__lt=depth,
    )
    return before.values("reactions").distinct().count() >= MAX_ROUNDS
