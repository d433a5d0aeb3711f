"""How the steps of a workflow went in its newest runs: how often, how many failed, how long they took and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Aggregate, Count, DurationField, F, Min, Q, QuerySet, Sum

from apps.workflows.models import Run, Step
from apps.workflows.types import COPIED, StepStatus

NEWEST_RUNS = 500
MOST_STEPS = 200


@dataclass(frozen=True)
class StepFacts:
    """Of one place in the document. ``failed`` counts what was tried again, too; times include the waiting, and are None while nothing has ended."""

    path: str
    kind: str
    count: int
    failed: int
    median: timedelta | None
    slowest: timedelta | None
    cost: Decimal

    @property
    def median_seconds(self) -> float | None:
        return None if self.median is None else self.median.total_seconds()

    @property
    def slowest_seconds(self) -> float | None:
        return None if self.slowest is None else self.slowest.total_seconds()


class _Percentile(Aggregate):
    function = "PERCENTILE_CONT"
    name = "percentile"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"


def stats_steps(runs: QuerySet[Run]) -> list[StepFacts]:
    """Of the newest 500 of ``runs``, in the order in which they come. ``slowest``: 95 of 100 are done within it."""
    newest = runs.order_by("-created_at").values("pk")[:NEWEST_RUNS]
    took = F("ended_at") - F("started_at")
    rows = (
        Step.objects.filter(run__in=newest)
        .exclude(state__has_key=COPIED)
        .values("path", "kind")
        .annotate(
            first=Min("number"),
            count=Count("pk"),
            failed=Count("pk", filter=Q(status__in=[StepStatus.FAILED, StepStatus.REPLACED])),
            median=_Percentile(took, fraction=0.5, output_field=DurationField()),
            slowest=_Percentile(took, fraction=0.95, output_field=DurationField()),
            cost=Sum("cost"),
        )
        .order_by("first", "path")[:MOST_STEPS]
    )
    return [
        StepFacts(row["path"], row["kind"], row["count"], row["failed"], row["median"], row["slowest"], row["cost"])
        for row in rows
    ]
