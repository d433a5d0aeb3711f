"""Every shared read of operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, ProjectRole
from apps.bulk import policies
from apps.bulk.models import COUNTED, Item, Operation
from apps.bulk.types import FINAL, UNFINISHED, ItemStatus, OperationStatus
from apps.core import job_tallies
from apps.core.errors import NotFound
from apps.core.job_tallies import JobStats
from apps.core.leases import is_free, scaled

HINT_SECONDS = 3.0
STATS_DAYS = 30
MOST_CAUSES = 50

_FIRST_FAILURES = """
SELECT cause.code, first.number, first.error_detail FROM unnest(%(codes)s::text[]) AS cause(code)
CROSS JOIN LATERAL (
  SELECT number, error_detail FROM bulk_item
  WHERE operation_id = %(operation)s AND error_code = cause.code AND error_code <> '' AND status = 'failed' ORDER BY number LIMIT 1
) AS first
"""


def visible_to(viewer: Actor) -> QuerySet[Operation]:
    """One's own in projects one sees, and all of projects one manages."""
    rows = Operation.objects.all()
    if policies.is_system(viewer):
        return rows
    if not policies.has_read_scope(viewer):
        return rows.none()
    own = Q(requested_by=viewer.user_id) if viewer.user_id else Q(pk__in=[])
    return rows.filter(
        (own & accounts.project_filter(viewer)) | accounts.project_filter(viewer, at_least=ProjectRole.MANAGER)
    )


def list_operations(
    viewer: Actor, *, project_id: UUID | None = None, kind: str = "", status: str = ""
) -> QuerySet[Operation]:
    rows = visible_to(viewer).select_related("requested_by", "project", "undone_by")
    if project_id:
        rows = rows.filter(project_id=project_id)
    if kind:
        rows = rows.filter(kind=kind)
    return rows.filter(status=status) if status else rows


def find_operation(*, operation_id: UUID, viewer: Actor) -> Operation | None:
    """What everybody who watches it asks for with every step of it: one row by its key, whatever the number of items."""
    return _operation.first(viewer, pk=operation_id)


_operation: accounts.ForViewer[Operation] = accounts.ForViewer(
    lambda viewer, *, pk: list_operations(viewer).filter(pk=pk)[:1]
)


def get_operation(*, operation_id: UUID, viewer: Actor) -> Operation:
    if (found := find_operation(operation_id=operation_id, viewer=viewer)) is None:
        raise NotFound
    return found


def is_visible(*, operation_id: UUID, viewer: Actor) -> bool:
    return _visible_id.first(viewer, pk=operation_id) is not None


_visible_id: accounts.ForViewer[Any] = accounts.ForViewer(
    lambda viewer, *, pk: visible_to(viewer).filter(pk=pk).values_list("pk")[:1]
)


def lock_operation(*, operation_id: UUID, viewer: Actor) -> Operation:
    found = visible_to(viewer).select_for_update(of=("self",)).filter(pk=operation_id).first()
    if found is None:
        raise NotFound
    return found


def list_items(operation: Operation, *, status: str = "", error_code: str = "", reason: str = "") -> QuerySet[Item]:
    """Of an operation that came from a selector. ``reason``: those that were left out for it."""
    rows = Item.objects.filter(operation=operation)
    if reason:
        rows = rows.filter(status=ItemStatus.SKIPPED, result__skipped=reason)
    if error_code:
        rows = rows.filter(error_code=error_code)
    return rows.filter(status=status) if status else rows


def list_causes(operation: Operation) -> list[dict[str, Any]]:
    """Failures by their cause, the commonest first, each with the number of its first item. Counted when they happened: nothing is counted here."""
    if not operation.failed:
        return []
    counts = operation.causes
    if sum(counts.values()) != operation.failed:
        counts = _counted_causes(operation)
    shown = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_CAUSES]
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_FAILURES, {"operation": operation.pk, "codes": [code for code, _count in shown]})
        first = {code: (number, detail) for code, number, detail in cursor.fetchall()}
    return [
        {
            "code": code,
            "count": count,
            "example": first.get(code, (None, ""))[1],
            "first_item": first.get(code, (None,))[0],
        }
        for code, count in shown
    ]


def _counted_causes(operation: Operation) -> dict[str, int]:
    """Of an operation that began before they were."""
    rows = Item.objects.filter(operation=operation, status=ItemStatus.FAILED).exclude(error_code="")
    return dict(rows.order_by().values_list("error_code").annotate(Count("pk")))


def list_skips(operation: Operation) -> list[dict[str, Any]]:
    """What was left out by its reason, the commonest first. Counted when it happened, as causes are."""
    if not operation.skipped:
        return []
    counts = operation.skips
    if sum(counts.values()) != operation.skipped:
        rows = Item.objects.filter(operation=operation, status=ItemStatus.SKIPPED).order_by()
        counts = {why or "": number for why, number in rows.values_list("result__skipped").annotate(Count("pk"))}
    shown = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_CAUSES]
    return [{"reason": reason, "count": number} for reason, number in shown]


def iterate_items(operation: Operation, statuses: Sequence[str], *, at_once: int = 2000) -> Iterator[list[Item]]:
    """All of them by number, in lists, each read when the one before was used up: memory stays flat."""
    after = 0
    while True:
        rows = Item.objects.filter(operation=operation, number__gt=after, status__in=statuses).order_by("number")
        found = list(rows[:at_once])
        if not found:
            return
        yield found
        after = found[-1].number


def stats_kinds(viewer: Actor, *, project_id: UUID | None = None) -> list[dict[str, Any]]:
    """For each kind: operations of the last 30 days, their items by state, time and cost, and why items failed (``causes``) or were left
    out (``skips``). Two queries.
    """
    rows = visible_to(viewer).filter(created_at__gte=Now() - timedelta(days=STATS_DAYS))
    if project_id:
        rows = rows.filter(project_id=project_id)
    sums = {f"items_{name}": Sum(name) for name in COUNTED}
    found = rows.values("kind").annotate(
        operations=Count("pk"),
        active=Count("pk", filter=~Q(status__in=FINAL)),
        with_failures=Count("pk", filter=Q(failed__gt=0)),
        seconds_sum=Sum("seconds"),
        cost_sum=Sum("cost"),
        **sums,
    )
    whys = _whys_by_kind(rows)
    return [dict(row) | whys.get(row["kind"], {"causes": {}, "skips": {}}) for row in found.order_by("kind")]


def _whys_by_kind(rows: QuerySet[Operation]) -> dict[str, dict[str, Counter[str]]]:
    found: dict[str, dict[str, Counter[str]]] = {}
    some = rows.filter(Q(failed__gt=0) | Q(skipped__gt=0)).order_by()
    for kind, causes, skips in some.values_list("kind", "causes", "skips").iterator(chunk_size=1000):
        whys = found.setdefault(kind, {"causes": Counter(), "skips": Counter()})
        whys["causes"].update(causes)
        whys["skips"].update(skips)
    return found


def stats_jobs(viewer: Actor) -> list[JobStats]:
    """What the platform does by itself: titles, readings, vectors, clean-ups. For operators: it is of all organizations."""
    return job_tallies.stats() if account_policies.can_operate(viewer) else []


# For workers and sweeps


def list_unplanned() -> list[dict[str, UUID]]:
    """Drafts whose plan nobody writes: the hint was lost, or the writer died."""
    rows = Operation.objects.filter(is_free(), status=OperationStatus.DRAFT)
    rows = rows.filter(updated_at__lt=Now() - timedelta(seconds=scaled(HINT_SECONDS))).order_by("created_at")
    return [{"operation_id": pk} for pk in rows.values_list("pk", flat=True)[:20]]


def list_drafts(*, at_most: int) -> list[UUID]:
    """Whose plan nobody is writing, the oldest first."""
    if at_most <= 0:
        return []
    rows = Operation.objects.filter(is_free(), status=OperationStatus.DRAFT).order_by("created_at")
    return list(rows.values_list("pk", flat=True)[:at_most])


def list_retrying() -> list[dict[str, UUID]]:
    """Operations whose items nobody goes on putting back."""
    rows = Operation.objects.exclude(retry_at=None).filter(status__in=UNFINISHED)
    rows = rows.filter(updated_at__lt=Now() - timedelta(seconds=scaled(HINT_SECONDS))).order_by("retry_at")
    return [{"operation_id": pk} for pk in rows.values_list("pk", flat=True)[:20]]


def has_unfinished() -> bool:
    return Operation.objects.exclude(status__in=FINAL).exists()


def has_waiting(lane: str) -> bool:
    """Is there an item that a worker might take now?"""
    return Operation.objects.filter(status=OperationStatus.RUNNING, lane=lane, cursor__lt=F("total")).exists()


def find_stopping(operation_ids: Collection[UUID]) -> dict[UUID, str]:
    """Those that take no more items, and what their items end as."""
    rows = Operation.objects.filter(pk__in=operation_ids, status=OperationStatus.STOPPING)
    return dict(rows.values_list("pk", "stops_as"))


def stats_items() -> dict[str, int]:
    """Items of operations that have not ended, by state. One small query."""
    sums = {name: Sum(name) for name in ("pending", "running", "failed")}
    found = Operation.objects.exclude(status__in=FINAL).aggregate(**sums)
    return {name: int(value or 0) for name, value in found.items()}


def stats_operations() -> dict[str, int]:
    rows = Operation.objects.exclude(status__in=FINAL).values_list("status").annotate(Count("pk"))
    return {str(status): int(count) for status, count in rows.order_by("status")}


def stats_seconds_each(*, kind: str, organization_id: UUID) -> tuple[float, int]:
    """Seconds that an item of the kind took in the last operations of the organization, and of how many items that is known."""
    rows = Operation.objects.filter(organization_id=organization_id, kind=kind, succeeded__gt=0).order_by("-created_at")
    found = rows.annotate(ran=F("succeeded") + F("failed") + F("skipped")).values_list("seconds", "ran")[:5]
    count = sum(number for _seconds, number in found)
    return (sum(seconds for seconds, _number in found) / count, count) if count else (0.0, 0)
