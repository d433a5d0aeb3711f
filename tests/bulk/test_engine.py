"""From a request to the last item: the plan is rows, effects and ends are one transaction, counts add up."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.types import SYSTEM, OrganizationRole, ProjectRole
from apps.bulk import engine, seats, selectors, services
from apps.bulk.models import Item, Operation
from apps.bulk.services import operations, planning
from apps.bulk.types import LateWriter, OperationUndone, TooManyOperations
from apps.core.doors.bulk_kinds import Done, Estimate, PlanFindings, PlannedItem, bulk_kinds
from apps.core.models import Event
from tests.accounts.factories import UserFactory, actor_of, add_to_project, member_of
from tests.bulk.factories import counts, fresh, planned, ran, shown, teams

pytestmark = pytest.mark.django_db


def told():
    rows = Event.objects.exclude(type="bulk.operation_progressed")  # as often as the time it takes allows
    return list(rows.order_by("topic_position").values_list("type", flat=True))


def test_every_item_succeeds_once(actor, project):
    operation = ran(actor, project, count=57)

    assert (operation.status, counts(operation), teams()) == ("completed", {"succeeded": 57}, 57)
    assert told() == [
        "bulk.operation_created",
        "bulk.operation_planned",
        "bulk.operation_started",
        "bulk.operation_completed",
    ]
    assert Event.objects.filter(type="bulk.operation_progressed").exists()
    started = Event.objects.get(type="bulk.operation_started")
    assert (started.actor_kind, started.actor_id) == ("system", actor.user_id)  # who asked, by way of a job
    assert Event.objects.get(type="bulk.operation_completed").actor_id is None
    item = Item.objects.get(operation=operation, number=7)
    assert (item.attempts, item.fence, item.lease_until, item.result["number"]) == (1, 1, None, 7)


def test_operation_that_another_confirmed_before_it_was_planned_is_told_as_started_by_them(actor, project):
    operation = services.create_operation(
        actor=actor, project_id=project.pk, kind="sample.notes", params={"count": 1}, start=False
    )
    other = member_of(project, role=OrganizationRole.OWNER)
    services.start_operation(actor=actor_of(other), operation_id=operation.pk)

    engine.plan_operation(operation_id=operation.pk)

    assert Event.objects.get(type="bulk.operation_started").actor_id == other.pk


def test_plan_waits_for_somebody_to_confirm(actor, project):
    operation = planned(actor, project, start=False, count=9, cost="0.5")

    assert engine.run_all() == 0
    assert (operation.status, counts(operation)) == ("planned", {"pending": 9})
    assert shown(operation, actor)[0] == {"subject": None, "shown": {"text": "note 1"}}
    assert len(shown(operation, actor)) == 5
    assert "samples" not in operation.dry_run
    assert operation.dry_run["estimate"] == {
        "cost": "4.5",
        "currency": "EUR",
        "seconds": None,
        "basis": "The price of a note.",
    }
    services.start_operation(actor=actor, operation_id=operation.pk)
    engine.run_all()
    assert (fresh(operation).status, teams()) == ("completed", 9)
    assert shown(operation, actor) == []


def test_time_is_estimated_from_what_ran_before(actor, project):
    ran(actor, project, count=10)

    estimate = planned(actor, project, start=False, count=10).dry_run["estimate"]

    assert estimate["seconds"] > 0
    assert estimate["basis"] == "The price of a note. Time: as measured on 10 items before."


def test_failures_are_kept_apart_and_their_rows_are_taken_back(actor, project):
    operation = ran(actor, project, count=20, fail_every=5, skip_every=3)

    assert operation.status == "completed_with_failures"
    assert counts(operation) == {"succeeded": 11, "failed": 4, "skipped": 5}
    assert teams() == 16
    item = Item.objects.get(operation=operation, number=5)
    assert (item.status, item.error_code, item.attempts) == ("failed", "not_found", 1)
    assert item.error_detail == "There is nothing here, or it is not shared with you."


def test_fault_of_a_kind_is_the_end_of_its_item_alone(actor, project):
    operation = ran(actor, project, count=5, bug=2)

    assert counts(operation) == {"succeeded": 4, "failed": 1}
    assert Item.objects.get(operation=operation, number=2).error_code == "internal_error"


@pytest.mark.parametrize(("fault", "code"), [("refuses", "not_found"), ("breaks", "internal_error")])
def test_plan_that_cannot_be_made_leaves_nothing(actor, project, fault, code):
    operation = planned(actor, project, count=5, **{fault: True})

    assert (operation.status, operation.error_code, operation.total) == ("failed", code, 0)
    assert not Item.objects.exists()
    assert told()[-1] == "bulk.operation_failed"


def test_plan_that_is_too_long_is_refused(actor, project, monkeypatch):
    monkeypatch.setattr(engine, "MAX_ITEMS", 4)

    assert planned(actor, project, count=5).error_code == "too_many_items"
    assert not Item.objects.exists()


def test_empty_plan_is_done_at_once(actor, project):
    assert ran(actor, project, count=0).status == "completed"


def test_plan_of_a_writer_who_died_is_begun_anew(actor, project):
    operation = planned(actor, project, start=True, count=0)
    Operation.objects.filter(pk=operation.pk).update(status="draft", params={"count": 3})
    draft = services.claim_planning(actor=SYSTEM, operation_id=operation.pk)
    services.append_items(actor=SYSTEM, draft=draft, items=list(engine.find_kind("sample.notes").plan(scope_of(draft))))
    assert services.claim_planning(actor=SYSTEM, operation_id=operation.pk) is None
    Operation.objects.filter(pk=operation.pk).update(lease_until=None)

    again = services.claim_planning(actor=SYSTEM, operation_id=operation.pk)

    assert not Item.objects.exists()
    with pytest.raises(LateWriter):
        services.append_items(actor=SYSTEM, draft=draft, items=[])
    assert not services.finish_planning(actor=SYSTEM, draft=draft, dry_run={})
    assert again.fence == draft.fence + 1


def scope_of(draft):
    from apps.core.doors.bulk_kinds import BulkScope

    return BulkScope(draft.operation_id, draft.organization_id, draft.project_id, None, draft.params)


def test_held_items_are_nobody_elses(actor, project):
    operation = planned(actor, project, count=30)

    first = services.claim_batch(actor=SYSTEM, lane="inside", at_most=20)
    second = services.claim_batch(actor=SYSTEM, lane="inside", at_most=20)

    assert [item.number for item in first.items] == list(range(1, 21))
    assert [item.number for item in second.items] == list(range(21, 31))
    assert services.claim_batch(actor=SYSTEM, lane="inside") is None
    assert counts(operation) == {"running": 30}


def test_late_writer_changes_nothing(actor, project):
    operation = planned(actor, project, count=3)
    late = services.claim_batch(actor=SYSTEM, lane="inside")
    Item.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert services.reap_lapsed(actor=SYSTEM) == 3

    with pytest.raises(LateWriter), transaction.atomic():
        services.apply_items(actor=SYSTEM, batch=late, items=late.items, seconds=1)

    assert (teams(), counts(operation)) == (0, {"pending": 3})
    assert services.renew_items(actor=SYSTEM, items=[(item.item_id, item.fence) for item in late.items]) == set()
    engine.run_all()
    assert (teams(), counts(operation)) == (3, {"succeeded": 3})
    assert set(Item.objects.values_list("attempts", "fence")) == {(2, 3)}


def test_item_whose_worker_died_comes_alone_and_is_set_aside_after_three_starts(actor, project):
    operation = planned(actor, project, count=4)
    sizes = []
    for _death in range(3):
        batch = services.claim_batch(actor=SYSTEM, lane="inside")
        sizes.append([item.number for item in batch.items])
        Item.objects.filter(status="running").update(lease_until="2020-01-01T00:00:00Z")
        services.reap_lapsed(actor=SYSTEM)

    assert sizes == [[1, 2, 3, 4], [1], [1]]
    engine.run_all()
    assert (counts(operation), teams()) == ({"failed": 1, "succeeded": 3}, 3)
    assert Item.objects.get(number=1).error_code == "worker_lost"
    gave_up = Event.objects.get(type="bulk.item_gave_up")
    assert gave_up.payload["attempts"] == 3
    alert = Event.objects.get(type="core.alert_raised")
    assert (alert.payload["kind"], alert.payload["count"]) == ("item_gave_up", 1)
    assert (alert.subject_id, alert.project_id) == (operation.pk, project.pk)


def test_item_that_asks_for_later_comes_again_when_it_is_due(actor, project):
    operation = ran(actor, project, count=5, later=2)
    assert counts(operation) == {"succeeded": 4, "pending": 1}

    services.wake_due(actor=SYSTEM)
    engine.run_all()
    assert counts(operation) == {"succeeded": 4, "pending": 1}, "it is not due yet"
    Item.objects.filter(status="pending").update(due_at="2020-01-01T00:00:00Z")
    services.wake_due(actor=SYSTEM)
    engine.run_all()

    assert (fresh(operation).status, counts(operation)) == ("completed", {"succeeded": 5})
    assert Item.objects.get(number=2).attempts == 2


def test_item_that_always_asks_for_later_fails_at_the_third_start(actor, project):
    operation = ran(actor, project, count=1, later=1, later_times=9)
    for _time in range(2):
        Item.objects.update(due_at="2020-01-01T00:00:00Z")
        services.wake_due(actor=SYSTEM)
        engine.run_all()

    assert (counts(operation), Item.objects.get().error_code) == ({"failed": 1}, "try_later")


def test_rights_of_who_asked_are_those_of_now(project):
    editor = member_of(project)
    operation = planned(actor_of(editor), project, count=3)
    add_to_project(editor, project, role=ProjectRole.VIEWER)

    engine.run_all()
    services.close_stopping(actor=SYSTEM)

    assert (teams(), counts(operation)) == (0, {"cancelled": 3})
    assert (fresh(operation).status, fresh(operation).error_code) == ("cancelled", "forbidden")


def test_items_that_the_cursor_passed_are_found_again(actor, project):
    operation = planned(actor, project, count=3)
    Operation.objects.update(cursor=3)
    assert engine.run_all() == 0

    assert services.find_lost_cursors(actor=SYSTEM) == 1
    engine.run_all()

    assert counts(operation) == {"succeeded": 3}


def test_counts_that_do_not_add_up_are_refused_by_the_database(actor, project):
    planned(actor, project, count=3)

    with pytest.raises(IntegrityError), transaction.atomic():
        Operation.objects.update(pending=2)


def test_long_batch_lets_others_hear_of_it_between_its_chunks(actor, project):
    operation = planned(actor, project, count=6)
    batch = services.claim_batch(actor=SYSTEM, lane="inside")
    applied = services.apply_items(actor=SYSTEM, batch=batch, items=batch.items, seconds=0)
    assert (len(applied.left), applied.goes_on) == (5, True)

    services.pause_operation(actor=actor, operation_id=operation.pk)
    applied = services.apply_items(actor=SYSTEM, batch=batch, items=applied.left, seconds=0)
    services.give_back(actor=SYSTEM, batch=batch, items=applied.left)

    assert not applied.goes_on
    assert counts(operation) == {"succeeded": 2, "pending": 4}
    assert set(Item.objects.filter(status="pending").values_list("attempts", flat=True)) == {0}
    services.resume_operation(actor=actor, operation_id=operation.pk)
    engine.run_all()
    assert (fresh(operation).status, teams()) == ("completed", 6)


def test_items_of_a_kind_that_is_gone_fail_and_say_why(actor, project, monkeypatch):
    from apps.core.doors.bulk_kinds import bulk_kinds

    operation = planned(actor, project, count=3)
    monkeypatch.delitem(bulk_kinds._items, "sample.notes")

    engine.run_all()

    assert (fresh(operation).status, counts(operation)) == ("completed_with_failures", {"failed": 3})
    assert set(Item.objects.values_list("error_code", flat=True)) == {"unknown_kind"}


def test_undoing_that_was_cancelled_is_taken_up_again_and_the_original_is_not(actor, project):
    operation = ran(actor, project, count=6, fail_every=3)
    undoing = services.undo_operation(actor=actor, operation_id=operation.pk)
    services.cancel_operation(actor=actor, operation_id=undoing.pk)
    assert (fresh(undoing).status, counts(undoing), teams()) == ("cancelled", {"cancelled": 4}, 4)

    with pytest.raises(OperationUndone):
        services.retry_failed(actor=actor, operation_id=operation.pk)
    services.retry_failed(actor=actor, operation_id=undoing.pk)
    engine.run_all()

    assert (fresh(undoing).status, counts(undoing), teams()) == ("completed", {"succeeded": 4}, 0)


def test_plan_that_nobody_starts_ends_after_a_week(actor, project):
    old, new = (planned(actor, project, start=False, count=3) for _each in range(2))
    Operation.objects.filter(pk=old.pk).update(planned_at=timezone.now() - timedelta(days=8))

    assert services.expire_unstarted(actor=SYSTEM) == 1

    assert [(fresh(each).status, counts(each)) for each in (old, new)] == [
        ("expired", {"expired": 3}),
        ("planned", {"pending": 3}),
    ]


def test_project_has_so_many_operations_that_are_not_done(actor, project, monkeypatch):
    monkeypatch.setattr(operations, "MAX_OPERATIONS", 2)
    for _each in range(2):
        planned(actor, project, start=False, count=1)

    with pytest.raises(TooManyOperations):
        planned(actor, project, count=1)


@pytest.mark.parametrize(
    ("planned_last", "said"),
    [
        (PlannedItem({"score": float("nan")}), "Item 2502 of the plan cannot be kept"),
        (PlannedItem({"rows": [1, float("-inf")]}), "Item 2502 of the plan cannot be kept"),
        (PlannedItem({("a", "b"): 1}), "Item 2502 of the plan cannot be kept"),
        (PlanFindings({"mean": float("nan")}), "What the plan found cannot be kept"),
    ],
)
def test_plan_that_json_cannot_say_names_the_item(actor, project, kinds, planned_last, said):
    def plan(scope):
        yield from (PlannedItem({"number": number}) for number in range(2501))
        yield planned_last

    bulk_kinds._items["sample.notes"] = replace(kinds["sample.notes"], plan=plan)
    operation = planned(actor, project, start=False, count=1)

    assert (operation.status, operation.error_code, operation.total) == ("failed", "plan_not_kept", 0)
    assert operation.error_detail.startswith(said)
    assert not Item.objects.filter(operation=operation).exists()


def test_budget_is_in_the_currency_that_is_paid_although_nobody_knows_how_much(actor, project, kinds):
    unknown = Estimate(None, "EUR", None, "Nobody has said.")
    bulk_kinds._items["sample.notes"] = replace(kinds["sample.notes"], estimate=lambda scope, total: unknown)

    other = planned(actor, project, start=False, count=1, budget=Decimal(1), currency="USD")
    same = planned(actor, project, start=False, count=1, budget=Decimal(1), currency="EUR")

    assert (other.status, other.error_code) == ("failed", "budget_currency")
    assert (same.status, same.currency) == ("planned", "EUR")


def test_what_no_text_column_keeps_hinders_no_plan(actor, project, kinds):
    def plan(scope):
        yield PlannedItem({"na\0me": "a\0b\ud800", "rows": ["\ud83d\ude00"]})
        yield PlanFindings({"left_out": ["\0x"]})

    bulk_kinds._items["sample.notes"] = replace(kinds["sample.notes"], plan=plan, preview=None)
    operation = planned(actor, project, start=False, count=1)

    assert operation.status == "planned"
    assert Item.objects.get(operation=operation).payload == {"name": "ab\ufffd", "rows": ["\U0001f600"]}
    assert operation.dry_run["found"] == {"left_out": ["x"]}


@pytest.mark.parametrize(
    "made",
    [
        Done({"score": float("nan")}),
        Done({"scores": [1.0, float("-inf")]}),
        Done({("a", "b"): 1}),
        Done({"score": 1}, cost=Decimal("NaN")),
    ],
)
def test_result_that_cannot_be_kept_fails_its_item_alone(actor, project, kinds, made):
    """What it did is not true; its neighbours of the same chunk are."""
    kind = kinds["sample.notes"]

    def apply(work, found):
        done = kind.apply(work, found)
        return made if work.payload["number"] == 3 else done

    bulk_kinds._items["sample.notes"] = replace(kind, apply=apply)
    operation = ran(actor, project, count=5)

    assert (operation.status, counts(operation), teams()) == (
        "completed_with_failures",
        {"succeeded": 4, "failed": 1},
        4,
    )
    failed = Item.objects.get(operation=operation, status="failed")
    assert (failed.number, failed.error_code, failed.result) == (3, "result_not_kept", {})
    assert "NaN" in failed.error_detail


def test_large_undoing_is_planned_in_pieces_by_a_worker(actor, project, monkeypatch):
    monkeypatch.setattr(planning, "COPIED_AT_ONCE", 4)
    operation = ran(actor, project, count=10, fail_every=3)

    undoing = services.undo_operation(actor=actor, operation_id=operation.pk)
    assert (undoing.status, undoing.total) == ("draft", 0)
    dead = services.claim_planning(actor=SYSTEM, operation_id=undoing.pk)
    assert services.append_undoing(actor=SYSTEM, draft=dead) == 7
    Operation.objects.filter(pk=undoing.pk).update(lease_until=None)
    engine.plan_operation(operation_id=undoing.pk)
    engine.run_all()

    assert (fresh(undoing).status, counts(undoing), teams()) == ("completed", {"succeeded": 7}, 0)
    rows = Item.objects.filter(operation=undoing).order_by("number").values_list("number", "payload__payload__number")
    assert list(rows) == [(1, 10), (2, 8), (3, 7), (4, 5), (5, 4), (6, 2), (7, 1)]
    with pytest.raises(LateWriter):
        services.append_undoing(actor=SYSTEM, draft=dead, before=7)


def test_undoing_that_was_cancelled_before_its_plan_was_whole_is_planned_anew(actor, project, monkeypatch):
    monkeypatch.setattr(planning, "COPIED_AT_ONCE", 4)
    operation = ran(actor, project, count=10)
    undoing = services.undo_operation(actor=actor, operation_id=operation.pk)
    draft = services.claim_planning(actor=SYSTEM, operation_id=undoing.pk)
    services.append_undoing(actor=SYSTEM, draft=draft)
    services.cancel_operation(actor=actor, operation_id=undoing.pk)
    assert (fresh(undoing).status, counts(undoing)) == ("cancelled", {"cancelled": 4})

    services.retry_failed(actor=actor, operation_id=undoing.pk)
    engine.plan_operation(operation_id=undoing.pk)
    engine.run_all()

    assert (fresh(undoing).status, counts(undoing), teams()) == ("completed", {"succeeded": 10}, 0)


def test_large_retry_goes_on_in_pieces_and_takes_each_item_once(actor, project, monkeypatch):
    monkeypatch.setattr(planning, "COPIED_AT_ONCE", 4)
    operation = ran(actor, project, count=10, fail_every=2)

    services.retry_failed(actor=actor, operation_id=operation.pk)
    assert counts(operation) == {"succeeded": 5, "pending": 2, "failed": 3}
    engine.run_all()
    assert (fresh(operation).status, counts(operation)) == ("running", {"succeeded": 5, "failed": 5})
    engine.retry_items(operation_id=operation.pk)
    engine.run_all()

    assert (fresh(operation).status, counts(operation)) == ("completed_with_failures", {"succeeded": 5, "failed": 5})
    assert set(Item.objects.filter(status="failed").values_list("fence", flat=True)) == {2}


def test_plan_is_written_in_a_seat_beside_the_items_of_others(actor, project, monkeypatch):
    first = planned(actor, project, count=3)
    monkeypatch.setattr(engine, "APPENDED_AT_ONCE", 2)
    second = services.create_operation(
        actor=actor, project_id=project.pk, kind="sample.notes", params={"count": 5}, start=True
    )
    offset = (os.getppid() % (1 << 22)) * seats.MOST
    holding = f"import fcntl; f = open({str(Path(settings.DATA_DIR) / seats.FILE)!r}, 'ab'); "
    holding += f"fcntl.lockf(f, fcntl.LOCK_EX, 1, {offset}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert engine.work() == 0
        assert (fresh(first).status, fresh(second).status) == ("running", "draft")
        other.communicate(b"\n")

    assert engine.work(slice_seconds=0.001) > 0

    assert (fresh(second).total, fresh(second).planned_at is not None) == (5, True)


def test_progress_is_one_statement_for_those_who_may_see_it(actor, project, django_assert_num_queries):
    operation = ran(actor, project, count=4, fail_every=2)
    stranger, editor = actor_of(UserFactory()), actor_of(member_of(project))

    with django_assert_num_queries(1):
        found = selectors.get_operation(operation_id=operation.pk, viewer=actor)

    assert (found.succeeded, found.failed, found.project.pk, found.requested_by_id) == (2, 2, project.pk, actor.user_id)
    undoing = services.undo_operation(actor=actor, operation_id=operation.pk)
    assert selectors.get_operation(operation_id=operation.pk, viewer=actor).undone_by == undoing
    assert not hasattr(selectors.get_operation(operation_id=undoing.pk, viewer=actor), "undone_by")
    for other in (stranger, editor):
        assert selectors.find_operation(operation_id=operation.pk, viewer=other) is None
        assert not selectors.is_visible(operation_id=operation.pk, viewer=other)


def test_causes_are_counted_when_they_happen(actor, project, django_assert_num_queries):
    operation = ran(actor, project, count=12, fail_every=3)
    Item.objects.filter(status="failed", number__gt=6).update(error_code="other", error_detail="Of another kind.")
    Operation.objects.update(causes={operation.causes and next(iter(operation.causes)): 2, "other": 2})
    operation = fresh(operation)

    with django_assert_num_queries(1):
        causes = selectors.list_causes(operation)
    Operation.objects.update(causes={})
    before = selectors.list_causes(fresh(operation))

    assert [(each["count"], each["first_item"]) for each in causes] == [(2, 3), (2, 9)]
    assert causes[1] == {"code": "other", "count": 2, "example": "Of another kind.", "first_item": 9}
    assert before == causes, "an operation that began before they were counted"
