"""What must always be true of operations (promises I1 and I2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Q
from django.db.models.functions import Now

from apps.bulk.models import COUNTED, Item, Operation
from apps.bulk.types import FINAL, OperationStatus
from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import scaled

PATIENCE_SECONDS = 60.0
SHOWN = 20
#: Operations whose items are counted in one run, and how many items they may have for that.
READ, READ_ITEMS = 50, 20_000


def check_counts() -> Sequence[Violation]:
    """One statement, so that both sides are of one moment."""
    rows = Operation.objects.filter(total__lte=READ_ITEMS).order_by("-updated_at").values_list("pk", flat=True)[:READ]
    asked = Operation.objects.filter(pk__in=list(rows))
    counted = (
        Item.objects.filter(operation__in=asked)
        .values("operation")
        .annotate(there=Count("pk"), **{f"of_{name}": Count("pk", filter=Q(status=name)) for name in COUNTED})
    )
    names = {f"said_{name}": F(f"operation__{name}") for name in [*COUNTED, "total"]}
    found: list[dict[str, Any]] = list(counted.annotate(**names))  # type: ignore[arg-type]
    wrong = [
        row["operation"]
        for row in found
        if row["there"] != row["said_total"] or any(row[f"of_{name}"] != row[f"said_{name}"] for name in COUNTED)
    ]
    return [
        Violation(f"Operation {pk}: its counts are not those of its items.", "Report it with the operation's id.")
        for pk in wrong[:SHOWN]
    ]


def check_items_end() -> Sequence[Violation]:
    since = Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    rows = Item.objects.filter(lease_until__lte=since)[:SHOWN]
    return [
        Violation(
            f"Item {item.pk} runs without a live lease.",
            "Is a jobs process running? It takes back items of lost workers.",
        )
        for item in rows
    ]


def check_ended_are_whole() -> Sequence[Violation]:
    rows = Operation.objects.filter(status__in=FINAL).exclude(status=OperationStatus.FAILED)
    return [
        Violation(f"Operation {pk} has ended with items that have not.", "Report it with the operation's id.")
        for pk in rows.filter(Q(pending__gt=0) | Q(running__gt=0)).values_list("pk", flat=True)[:SHOWN]
    ]


def register() -> None:
    for name, promise, says, check in (
        ("counts_add_up", "I1", "The counts of a bulk operation are those of its items.", check_counts),
        ("items_end", "I2", "No item runs without a live lease.", check_items_end),
        ("ended_are_whole", "I2", "What has ended has no items that wait.", check_ended_are_whole),
    ):
        full = f"bulk.{name}"
        invariants.register(full, Invariant(full, promise, says, check))
