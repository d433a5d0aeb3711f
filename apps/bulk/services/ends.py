"""How items end. What an item does to our rows, its own end and the counts of its operation are one transaction, under its fence."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_of_row
from apps.accounts.types import SYSTEM, Actor
from apps.bulk import cutting, policies
from apps.bulk.events import OperationChanged
from apps.bulk.models import Operation, SharedResource
from apps.bulk.services.finishing import finish_when_done, pause_without_money, tell_progress
from apps.bulk.services.operations import announce, find_kind
from apps.bulk.types import (
    GAVE_UP,
    LEAST_PATIENCE,
    MAX_ATTEMPTS,
    MAX_RESULT_BYTES,
    PATIENCE_SECONDS,
    UNEXPECTED,
    Batch,
    HeldItem,
    ItemEnd,
    ItemStatus,
    LateWriter,
    OperationStatus,
    ResultNotKept,
)
from apps.core import failpoints
from apps.core.doors.bulk_kinds import BulkScope, Done, TryLater, Work
from apps.core.errors import DomainError, Forbidden
from apps.core.events import told_last
from apps.core.leases import scaled
from apps.core.storable import storable

logger = logging.getLogger(__name__)

_HOLD = """
SELECT item.id FROM bulk_item item JOIN unnest(%(ids)s::uuid[], %(fences)s::int[]) AS held(id, fence) USING (id)
WHERE item.fence = held.fence AND item.status = 'running' ORDER BY item.id FOR UPDATE OF item
"""

_END = """
UPDATE bulk_item AS item SET status = ended.status, error_code = ended.code, error_detail = ended.detail,
  result = ended.result::jsonb, seconds = item.seconds + ended.seconds, cost = item.cost + ended.cost, lease_until = NULL,
  attempts = item.attempts - ended.given_back, put_off = ended.put_off,
  due_at = CASE WHEN ended.delay > 0 THEN clock_timestamp() + ended.delay * interval '1 second' END,
  finished_at = CASE WHEN ended.status <> 'pending' THEN clock_timestamp() END
FROM unnest(%(ids)s::uuid[], %(fences)s::int[], %(statuses)s::text[], %(codes)s::text[], %(details)s::text[], %(results)s::text[],
  %(seconds)s::float8[], %(costs)s::numeric[], %(delays)s::float8[], %(put_off)s::float8[], %(given_back)s::int[])
  AS ended(id, fence, status, code, detail, result, seconds, cost, delay, put_off, given_back)
WHERE item.id = ended.id AND item.fence = ended.fence AND item.status = 'running'
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """``left`` are held still; with ``goes_on`` false they are to be given back: the operation stops, or pauses."""

    left: tuple[HeldItem, ...]
    goes_on: bool


@transaction.atomic
@told_last()
def apply_items(
    *,
    actor: Actor,
    batch: Batch,
    items: Sequence[HeldItem],
    seconds: float,
    found: dict[UUID, Any] | None = None,
    spent: dict[UUID, float] | None = None,
    costs: dict[UUID, Decimal] | None = None,
) -> Applied:
    """Do as many as fit into ``seconds``, at least one, each in a savepoint; their effects and ends become true together.

    Who asked has the rights of now; may they act here no more, nothing is done and the operation stops. ``found``: what calls
    gave, ``spent`` the seconds they took, ``costs`` what they cost. Raises ``LateWriter`` when another holds one of the items by now.
    """
    policies.require(policies.is_system(actor))
    if not _hold(items):
        raise LateWriter
    asker = find_asker(actor=actor, batch=batch)
    if asker is None:
        return Applied(tuple(items), goes_on=False)
    do = _doing(batch, asker)
    until, ends = time.monotonic() + seconds, []
    with override(asker.language):
        for item in items:
            given = found.get(item.item_id) if found else None
            ends.append(
                _one(
                    batch,
                    item,
                    lambda item=item, given=given: do(item, given),
                    (spent or {}).get(item.item_id, 0.0),
                    (costs or {}).get(item.item_id, Decimal(0)),
                )
            )
            if time.monotonic() >= until:
                break
    status = _write(batch, ends, actor)
    return Applied(tuple(items[len(ends) :]), goes_on=status == OperationStatus.RUNNING)


def _hold(items: Sequence[HeldItem]) -> bool:
    """Nobody takes them from here until the end of the transaction, however long it lasts."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"ids": [each.item_id for each in items], "fences": [each.fence for each in items]})
        return len(cursor.fetchall()) == len(items)


@transaction.atomic
def find_asker(*, actor: Actor, batch: Batch) -> Actor | None:
    """Who asked, with the rights of now. None: they may begin nothing here any more, and the operation stops."""
    policies.require(policies.is_system(actor))
    if batch.user_id is None and batch.key_id is None:
        return SYSTEM
    asker = actor_of_row(user_id=batch.user_id, key_id=batch.key_id)
    if policies.can_begin(asker, accounts.project_role(asker, batch.project_id)):
        return asker
    operation = Operation.objects.select_for_update().get(pk=batch.operation_id)
    if operation.status in {OperationStatus.RUNNING, OperationStatus.PAUSED}:
        stop(operation, actor, OperationStatus.CANCELLED, code=Forbidden.code)
    return None


def scope_of(batch: Batch, asker: Actor) -> BulkScope:
    return BulkScope(batch.operation_id, batch.organization_id, batch.project_id, asker, batch.params)


def work_of(scope: BulkScope, batch: Batch, item: HeldItem) -> Work:
    payload, result = (item.payload["payload"], item.payload["result"]) if batch.is_undo else (item.payload, {})
    return Work(
        scope,
        item.item_id,
        item.number,
        payload,
        item.subject_id,
        item.attempt,
        f"{batch.operation_id}:{item.number}",
        result,
    )


def _doing(batch: Batch, asker: Actor) -> Callable[[HeldItem, Any], Done]:
    kind, scope = find_kind(batch.kind), scope_of(batch, asker)

    def do(item: HeldItem, given: Any) -> Done:
        work = work_of(scope, batch, item)
        if not batch.is_undo:
            return kind.apply(work, given)
        assert kind.undo is not None
        kind.undo(work)
        return Done()

    return do


def _one(batch: Batch, item: HeldItem, do: Callable[[], Done], spent: float, cost: Decimal) -> ItemEnd:
    began = time.monotonic()
    try:
        with transaction.atomic():
            with cutting.watched(batch.operation_id):
                done = do()
            length = _length_of(done)
    except cutting.Cut as cut:
        logger.info("bulk_item_cut", extra={"kind": batch.kind, "item": str(item.item_id)})
        return ItemEnd(item.item_id, item.fence, cut.ends_as, spent + time.monotonic() - began, cost=cost)
    except (OperationalError, InterfaceError):
        raise  # the database, not the item: all of the transaction is tried again
    except Exception as error:  # noqa: BLE001  (whatever a kind raises is the end of this item, not of its neighbours)
        return end_of(batch, item, error, spent + time.monotonic() - began, cost)
    failpoints.hit("mid_flush")
    result = done.result
    if length > MAX_RESULT_BYTES:
        logger.warning("bulk_result_left_out", extra={"kind": batch.kind, "item": str(item.item_id)})
        result = {}
    if done.skipped:
        result = {**result, "skipped": done.skipped}
    status = ItemStatus.SKIPPED if done.skipped else ItemStatus.SUCCEEDED
    seconds = spent + time.monotonic() - began
    return ItemEnd(item.item_id, item.fence, status, seconds, result=result, cost=done.cost + cost)


def _length_of(done: Done) -> int:
    """Of its result as JSON. ``ResultNotKept`` while what the item did can be taken back: its neighbours are written with it."""
    try:
        text = json.dumps(done.result, default=str, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise ResultNotKept from error
    if not Decimal(done.cost).is_finite():
        raise ResultNotKept
    return len(text)


def end_of(batch: Batch, item: HeldItem, error: Exception, seconds: float, cost: Decimal = Decimal(0)) -> ItemEnd:
    """What an exception of a kind means for its item. What was spent on it is spent."""
    return replace(_end_of(batch, item, error, seconds), cost=cost)


def _end_of(batch: Batch, item: HeldItem, error: Exception, seconds: float) -> ItemEnd:
    match error:
        case TryLater() if error.is_free:
            return ItemEnd(
                item.item_id, item.fence, ItemStatus.PENDING, seconds, delay_seconds=max(0.05, error.seconds)
            )
        case TryLater() if error.is_put_off:
            return _put_off(item, error, seconds)
        case TryLater() if item.attempt < MAX_ATTEMPTS:
            delay = max(0.05, error.seconds)
            return ItemEnd(item.item_id, item.fence, ItemStatus.PENDING, seconds, error.code, delay_seconds=delay)
        case TryLater():
            return ItemEnd(item.item_id, item.fence, ItemStatus.FAILED, seconds, error.code or GAVE_UP)
        case DomainError():
            return ItemEnd(item.item_id, item.fence, ItemStatus.FAILED, seconds, error.code, error.detail)
        case _:
            logger.error("bulk_item_failed", exc_info=error, extra={"kind": batch.kind, "item": str(item.item_id)})
            return ItemEnd(item.item_id, item.fence, ItemStatus.FAILED, seconds, UNEXPECTED)


def _put_off(item: HeldItem, error: TryLater, seconds: float) -> ItemEnd:
    """It waits with whom it asks, and has one attempt more than it had; until its patience ends."""
    delay = max(0.05, error.seconds)
    used = item.put_off + max(delay, 0 if error.rests else scaled(LEAST_PATIENCE))
    rests = delay if error.rests else 0.0
    if used < scaled(PATIENCE_SECONDS):
        back = ItemStatus.PENDING
        return ItemEnd(item.item_id, item.fence, back, seconds, delay_seconds=delay, put_off=used, rests_seconds=rests)
    detail = _("It was put off again and again, for as long as an item waits. Try it again later.")
    return ItemEnd(item.item_id, item.fence, ItemStatus.FAILED, seconds, error.code, detail, rests_seconds=rests)


@transaction.atomic
def end_items(*, actor: Actor, batch: Batch, ends: Sequence[ItemEnd]) -> None:
    """Of items that need no ``apply``: their call failed. Raises ``LateWriter``."""
    policies.require(policies.is_system(actor))
    _write(batch, ends, actor)


@transaction.atomic
def give_back(*, actor: Actor, batch: Batch, items: Sequence[HeldItem]) -> None:
    """Items that were not begun: the process ends, or the operation pauses. They cost no attempt."""
    policies.require(policies.is_system(actor))
    _write(batch, [ItemEnd(each.item_id, each.fence, ItemStatus.PENDING) for each in items], actor)


def _write(batch: Batch, ends: Sequence[ItemEnd], actor: Actor) -> str:
    """Items, counters, progress and perhaps the end of the operation; its status. All or, when a fence was lost, nothing."""
    if not ends:
        return Operation.objects.values_list("status", flat=True).get(pk=batch.operation_id)
    with connection.cursor() as cursor:
        cursor.execute(
            _END,
            {
                "ids": [each.item_id for each in ends],
                "fences": [each.fence for each in ends],
                "statuses": [each.status.value for each in ends],
                "codes": [each.error_code[:60] for each in ends],
                "details": [storable(each.error_detail)[:500] for each in ends],
                "results": [_as_json(each.result) for each in ends],
                "seconds": [float(each.seconds) for each in ends],
                "costs": [Decimal(each.cost) for each in ends],
                "delays": [float(each.delay_seconds) for each in ends],
                "put_off": [float(each.put_off) for each in ends],
                # Given back without a reason: it was not begun.
                "given_back": [int(each.status == ItemStatus.PENDING and not each.error_code) for each in ends],
            },
        )
        if cursor.rowcount != len(ends):
            raise LateWriter
    counts = Counter(each.status.value for each in ends)
    held = {item.item_id: item.number for item in batch.items}
    back = [
        held[e.item_id] for e in ends if e.status == ItemStatus.PENDING and not e.delay_seconds and e.item_id in held
    ]
    operation = Operation.objects.select_for_update().get(pk=batch.operation_id)
    causes = Counter(each.error_code[:60] for each in ends if each.status == ItemStatus.FAILED)
    skips = Counter(str(each.result["skipped"])[:60] for each in ends if each.status == ItemStatus.SKIPPED)
    count(operation, counts, taken_from="running", cursor=min(back) - 1 if back else None, causes=causes, skips=skips)
    operation.dearest = max(operation.dearest, *(Decimal(each.cost) for each in ends))
    Operation.objects.filter(pk=operation.pk).update(
        seconds=F("seconds") + sum(each.seconds for each in ends),
        cost=F("cost") + sum(each.cost for each in ends),
        dearest=operation.dearest,
    )
    operation.cost += sum(each.cost for each in ends)
    if not finish_when_done(operation, actor):
        pause_without_money(operation, actor)
        tell_progress(operation, actor)
    if operation.resource and (seconds := max(each.rests_seconds for each in ends)):
        resting = SharedResource.objects.filter(name=operation.resource)
        resting.update(rests_until=Greatest(F("rests_until"), Now() + timedelta(seconds=seconds)), updated_at=Now())
    return operation.status


def _as_json(result: dict[str, Any]) -> str:
    """As the column keeps it. Only what has such an escape is looked at: most have none."""
    text = json.dumps(result, default=str)
    if "\\u0000" in text or "\\ud" in text:
        return json.dumps(storable(json.loads(text)))
    return text


def count(
    operation: Operation,
    counts: Counter[str] | dict[str, int],
    *,
    taken_from: str,
    cursor: int | None = None,
    causes: Mapping[str, int] = MappingProxyType({}),
    skips: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Move so many of a locked operation's items from one counter to others; the row and the instance both know.

    ``causes``: how many more failed for which reason; fewer, where they are tried again. ``skips``: how many more were left out for which.
    """
    moves = Counter(counts)
    moves.subtract({taken_from: sum(counts.values())})
    changes: dict[str, Any] = {name: F(name) + number for name, number in moves.items() if number}
    for name, number in moves.items():
        setattr(operation, name, getattr(operation, name) + number)
    if causes:
        changes["causes"] = operation.causes = _added(operation.causes, causes)
    if skips:
        changes["skips"] = operation.skips = _added(operation.skips, skips)
    if cursor is not None and cursor < operation.cursor:
        changes["cursor"] = operation.cursor = cursor
    if changes:
        Operation.objects.filter(pk=operation.pk).update(**changes, updated_at=Now())


def _added(there: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    known = {why: there.get(why, 0) + more.get(why, 0) for why in {*there, *more}}
    return {why: number for why, number in known.items() if number > 0}


def stop(operation: Operation, actor: Actor, as_what: OperationStatus, *, code: str = "") -> None:
    """Of a locked operation: no item is taken any more; what waits is closed by a sweep, what runs may end."""
    operation.status, operation.stops_as, operation.error_code = OperationStatus.STOPPING, as_what, code
    operation.retry_at = None
    Operation.objects.filter(pk=operation.pk).update(
        status=operation.status, stops_as=as_what, error_code=code, pause_reason="", retry_at=None, updated_at=Now()
    )
    announce(OperationChanged(operation.pk, "stopping"), operation, actor)
