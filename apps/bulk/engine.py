"""Workers: one writes a plan, one takes batches of inside items until its slice of time is over.

It spans transactions and opens none. Outside items have an engine of their own (``runner``), on a loop.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils.translation import gettext as _
from django.utils.translation import override
from psycopg_pool import PoolTimeout

from apps.accounts.actors import actor_of_row
from apps.accounts.types import NOBODY, SYSTEM, Actor
from apps.bulk import seats, selectors, services
from apps.bulk.services.operations import find_kind
from apps.bulk.services.planning import Draft
from apps.bulk.types import MAX_ITEMS, Batch, ItemEnd, ItemStatus, Lane, LateWriter, TooManyItems
from apps.core import jobs
from apps.core.correlation import caused_by
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Estimate, PlanFindings, PlannedItem
from apps.core.errors import DomainError, Forbidden
from apps.core.leases import RENEW_SECONDS, scaled

logger = logging.getLogger(__name__)

APPENDED_AT_ONCE = 2000
#: After so long a worker lets other jobs of its queue pass.
SLICE_SECONDS = 2.0
#: Effects become true together, and somebody's pause is heard, this often.
CHUNK_SECONDS = 0.25
LIMITED_SECONDS = 0.1
#: Of one process: each is under way in its turn before its lease would lapse.
PLANS_AT_ONCE = 2
IN_EACH_OTHERS_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


def plan_operation(*, operation_id: UUID) -> None:
    """Write the plan of a draft, all of it. A second call finds the lease held, or the plan written."""
    for _piece in _planning(operation_id):
        pass


def _planning(operation_id: UUID) -> Iterator[None]:
    """A piece of the plan at every step."""
    draft = services.claim_planning(actor=SYSTEM, operation_id=operation_id)
    if draft is None:
        return
    asker = _asker(draft)
    pieces = _plan(draft, asker)
    while True:
        with caused_by(draft.correlation_id), override(asker.language):
            if not _has_planned(pieces, draft):
                return
        yield


def _has_planned(pieces: Iterator[None], draft: Draft) -> bool:
    """One more piece; False at the end, whichever it is."""
    try:
        return next(pieces, pieces) is None
    except LateWriter:
        logger.info("bulk_plan_lost", extra={"operation": str(draft.operation_id)})
    except DomainError as error:
        services.fail_planning(actor=SYSTEM, draft=draft, code=error.code, detail=error.detail)
    except DATABASE_AWAY:
        raise  # its lease lapses, and another begins anew
    except Exception:
        logger.exception("bulk_plan_failed", extra={"operation": str(draft.operation_id), "kind": draft.kind})
        services.fail_planning(actor=SYSTEM, draft=draft)
    return False


def _asker(draft: Draft) -> Actor:
    if draft.user_id is None and draft.key_id is None:
        return SYSTEM
    return actor_of_row(user_id=draft.user_id, key_id=draft.key_id)


def _plan(draft: Draft, asker: Actor) -> Iterator[None]:
    if asker is NOBODY:
        raise Forbidden
    if draft.undoes is not None:
        rest = services.append_undoing(actor=SYSTEM, draft=draft)
        while rest:
            yield
            rest = services.append_undoing(actor=SYSTEM, draft=draft, before=rest)
        services.finish_planning(actor=SYSTEM, draft=draft, dry_run={})
        return
    kind = find_kind(draft.kind)
    scope = BulkScope(draft.operation_id, draft.organization_id, draft.project_id, asker, draft.params)
    total = 0
    findings: dict[str, Any] = {}
    for piece in _pieces(kind.plan(scope), findings):
        if total + len(piece) > MAX_ITEMS:
            raise TooManyItems
        total = services.append_items(actor=SYSTEM, draft=draft, items=piece)
        yield
    resource = kind.resource(scope) if kind.resource else None
    dry_run = {"total": total, "estimate": _estimate(kind, scope, total), "found": findings}
    services.finish_planning(actor=SYSTEM, draft=draft, dry_run=dry_run, resource=resource)


def _pieces(planned: Iterator[PlannedItem | PlanFindings], findings: dict[str, Any]) -> Iterator[list[PlannedItem]]:
    """Not longer than memory likes, and not later than the lease needs."""
    piece: list[PlannedItem] = []
    began = time.monotonic()
    for item in planned:
        if isinstance(item, PlanFindings):
            findings |= item.found
            continue
        piece.append(item)
        if len(piece) >= APPENDED_AT_ONCE or time.monotonic() - began > scaled(RENEW_SECONDS):
            yield piece
            piece, began = [], time.monotonic()
    if piece:
        yield piece


def _estimate(kind: BulkKind, scope: BulkScope, total: int) -> dict[str, Any]:
    """The kind's own, else what items of the kind took here before; it always says what it is based on."""
    found = kind.estimate(scope, total) if kind.estimate else Estimate()
    seconds, basis = found.seconds, str(found.basis)
    if seconds is None:
        each, count = selectors.stats_seconds_each(kind=kind.name, organization_id=scope.organization_id)
        if count:
            seconds = total * each
            basis = " ".join(
                filter(None, [basis, _("Time: as measured on %(count)s items before.") % {"count": count}])
            )
    return {
        "cost": str(found.cost) if found.cost is not None else None,
        "currency": found.currency,
        "seconds": round(seconds, 3) if seconds is not None else None,
        "basis": basis or _("Nothing of this kind has run here before."),
    }


def retry_items(*, operation_id: UUID) -> None:
    """What is left of a large operation to be tried again, for a slice of time; the rest comes at the end of the queue."""
    until = time.monotonic() + SLICE_SECONDS
    while services.retry_some(actor=SYSTEM, operation_id=operation_id):
        if time.monotonic() >= until:
            jobs.hint("bulk.retry_items", operation_id=operation_id)
            return


def work(*, slice_seconds: float = SLICE_SECONDS) -> int:
    """Write plans and take batches of inside items until the slice is over or nothing is left; how many items ended.

    Only so many processes of a machine have a seat that one is left for other jobs. In it plans and items take turns: a plan of a
    million rows goes on from slice to slice. Who still finds work at the end asks for another turn, at the end of the queue.
    """
    with seats.taken() as seat:
        if seat is None:
            return 0
        plans: list[Iterator[None]] = []
        done = 0
        while True:
            plans += [_planning(pk) for pk in selectors.list_drafts(at_most=PLANS_AT_ONCE - len(plans))]
            plans = [plan for plan in plans if _goes_on(plan, time.monotonic() + scaled(slice_seconds))]
            turn = scaled(slice_seconds) if plans else slice_seconds
            ended, is_idle = _take(time.monotonic() + turn, waits=not plans)
            done += ended
            if not plans:
                break
    if not is_idle:
        jobs.hint("bulk.work")
    return done


def _goes_on(plan: Iterator[None], until: float) -> bool:
    return any(time.monotonic() >= until for _piece in plan)


def _take(until: float, *, waits: bool) -> tuple[int, bool]:
    """Batches until then: how many items ended, and whether nothing was left. ``waits``: for a limit to give way."""
    done = 0
    while time.monotonic() < until:
        batch = services.claim_batch(actor=SYSTEM, lane=Lane.INSIDE)
        if batch is not None:
            done += run_batch(batch, until=until)
        elif not selectors.has_waiting(Lane.INSIDE):
            return done, True
        elif waits:
            time.sleep(LIMITED_SECONDS)  # a limit that gives way by itself: nobody rings then
        else:
            break
    return done, False


def run_batch(batch: Batch, *, until: float | None = None) -> int:
    """All items of a batch, in chunks; what is left when ``until`` has come, or the operation stops, goes back."""
    left, renewed = batch.items, time.monotonic()
    with caused_by(batch.correlation_id):
        try:
            while left:
                applied = services.apply_items(actor=SYSTEM, batch=batch, items=left, seconds=CHUNK_SECONDS)
                left = applied.left
                if left and (not applied.goes_on or (until is not None and time.monotonic() >= until)):
                    services.give_back(actor=SYSTEM, batch=batch, items=left)
                    break
                if left and time.monotonic() - renewed > scaled(RENEW_SECONDS):
                    services.renew_items(actor=SYSTEM, items=[(each.item_id, each.fence) for each in left])
                    renewed = time.monotonic()
        except DomainError as error:  # not of an item: its kind is not here any more
            ends = [
                ItemEnd(each.item_id, each.fence, ItemStatus.FAILED, 0.0, error.code, error.detail) for each in left
            ]
            services.end_items(actor=SYSTEM, batch=batch, ends=ends)
            left = ()
        except LateWriter:
            logger.warning("bulk_items_lost", extra={"operation": str(batch.operation_id), "items": len(left)})
        except OperationalError as error:
            if not isinstance(error.__cause__, IN_EACH_OTHERS_WAY):
                logger.warning("bulk_chunk_rolled_back", extra={"reason": type(error).__name__})
                time.sleep(scaled(1.0))
            else:  # somebody at one of its rows was faster: nothing was begun
                logger.info("bulk_chunk_gave_way", extra={"operation": str(batch.operation_id)})
                with contextlib.suppress(LateWriter):
                    services.give_back(actor=SYSTEM, batch=batch, items=left)
        except DATABASE_AWAY as error:
            # Nothing of this chunk is true. The leases lapse, and the items come again.
            logger.warning("bulk_chunk_rolled_back", extra={"reason": type(error).__name__})
            time.sleep(scaled(1.0))
        except DatabaseError:
            logger.exception("bulk_chunk_failed", extra={"operation": str(batch.operation_id)})
    return len(batch.items) - len(left)


def run_all(*, lane: str = Lane.INSIDE) -> int:
    """Until nothing may be taken any more, in this process: for commands and tests."""
    batches = iter(lambda: services.claim_batch(actor=SYSTEM, lane=lane), None)
    return sum(run_batch(batch) for batch in itertools.takewhile(bool, batches))
