from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from apps.bulk.models import COUNTED
from apps.bulk.types import ItemStatus, OperationStatus
from apps.core.api import PageQuery, Serializer
from apps.core.types import Priority

PRIORITIES = {priority.name.lower(): priority.value for priority in Priority}


class PaceIn(Serializer):
    """How fast and how far. ``null`` takes a limit away."""

    priority = serializers.ChoiceField(choices=list(PRIORITIES), required=False)
    concurrency = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1000)
    rate_per_second = serializers.FloatField(required=False, allow_null=True, min_value=0.001, max_value=100_000)
    budget = serializers.DecimalField(
        required=False, allow_null=True, max_digits=18, decimal_places=8, min_value=0, coerce_to_string=True
    )
    deadline = serializers.DateTimeField(required=False, allow_null=True)

    def validate_priority(self, value: str) -> int:
        return PRIORITIES[value]


class OperationIn(PaceIn):
    """``kind``: one of ``jobs/``. Without ``start`` it is planned and then waits for ``start/``."""

    project = serializers.UUIDField()
    kind = serializers.CharField(max_length=60)
    params = serializers.DictField(required=False)
    currency = serializers.CharField(
        required=False, max_length=3, validators=[RegexValidator("^[A-Z]{3}$", code="invalid")]
    )
    key = serializers.CharField(
        required=False,
        max_length=100,
        help_text="Made up by the caller: the same key with the same request is the same operation, for good.",
    )
    start = serializers.BooleanField(required=False, default=False)


class CountsOut(serializers.Serializer):
    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    expired = serializers.IntegerField()


class PlannedChangeOut(serializers.Serializer):
    field = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    before = serializers.JSONField(allow_null=True, help_text="Null: nothing.")
    after = serializers.JSONField(allow_null=True, help_text="Null: nothing.")
    is_known = serializers.BooleanField(help_text="False: what it will say is decided when the item runs.")


class GoesAlongOut(serializers.Serializer):
    what = serializers.CharField()
    count = serializers.IntegerField()


class SampleOut(serializers.Serializer):
    """One of the first items, as it would go if it ran now, for who asks: with their rights."""

    subject = serializers.UUIDField(allow_null=True)
    shown = serializers.DictField()
    changes = PlannedChangeOut(many=True, required=False, help_text="Fields of what is there, before and after.")
    goes_along = GoesAlongOut(many=True, required=False, help_text="What else is touched with it.")
    note = serializers.CharField(required=False, help_text="What is to be said of this item before it runs.")


class EstimateOut(serializers.Serializer):
    cost = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField(allow_null=True)
    basis = serializers.CharField()


class DryRunOut(serializers.Serializer):
    total = serializers.IntegerField()
    samples = SampleOut(
        many=True, help_text="Made while one operation is read that waits for its start; in lists there are none."
    )
    estimate = EstimateOut()
    found = serializers.DictField(
        required=False,
        help_text="What the plan says of all items, of kinds that do: counts and samples of what is wrong.",
    )


class ProgressOut(serializers.Serializer):
    per_second = serializers.FloatField(allow_null=True)
    remaining_seconds = serializers.FloatField(allow_null=True)


class OperationOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    kind = serializers.CharField()
    params = serializers.DictField()
    is_withheld = serializers.BooleanField(
        help_text="True: `params`, what the plan found, and what is in its items are left empty; who asks may not read what they are about "
        "(of records: the scope `records:read`)."
    )
    status = serializers.ChoiceField(choices=OperationStatus.choices)
    reason = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    counts = CountsOut()
    progress = ProgressOut()
    dry_run = DryRunOut(allow_null=True)
    priority = serializers.ChoiceField(choices=list(PRIORITIES))
    concurrency = serializers.IntegerField(allow_null=True)
    rate_per_second = serializers.FloatField(allow_null=True)
    budget = serializers.CharField(allow_null=True)
    cost = serializers.CharField()
    currency = serializers.CharField(allow_blank=True)
    deadline = serializers.DateTimeField(allow_null=True)
    requested_by = serializers.UUIDField(allow_null=True)
    undoes = serializers.UUIDField(allow_null=True)
    undone_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class CauseOut(serializers.Serializer):
    code = serializers.CharField()
    count = serializers.IntegerField()
    example = serializers.CharField(allow_blank=True)
    first_item = serializers.IntegerField(allow_null=True)


class SkipOut(serializers.Serializer):
    reason = serializers.CharField()
    count = serializers.IntegerField()


class OperationDetailOut(OperationOut):
    causes = CauseOut(many=True)
    skips = SkipOut(many=True, help_text="What was left out, by its reason, the commonest first.")


class OperationPageOut(serializers.Serializer):
    results = OperationOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class OperationQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    kind = serializers.CharField(required=False, max_length=60)
    status = serializers.ChoiceField(choices=OperationStatus.choices, required=False)


class ItemQuery(PageQuery):
    status = serializers.ChoiceField(choices=ItemStatus.choices, required=False)
    code = serializers.CharField(required=False, max_length=60, help_text="Only those that failed for this reason.")
    reason = serializers.CharField(
        required=False, max_length=60, help_text="Only those that were left out for this reason."
    )


class ItemOut(serializers.Serializer):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    subject = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=ItemStatus.choices)
    attempts = serializers.IntegerField()
    payload = serializers.JSONField()
    result = serializers.JSONField()
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField()
    cost = serializers.CharField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ItemPageOut(serializers.Serializer):
    results = ItemOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ResultsQuery(Serializer):
    format = serializers.ChoiceField(choices=["jsonl", "csv"], required=False, default="jsonl")
    of = serializers.ChoiceField(choices=["all", "results", "errors"], required=False, default="all")


class KindOut(serializers.Serializer):
    kind = serializers.CharField()
    label = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    can_undo = serializers.BooleanField()
    is_outside = serializers.BooleanField()
    is_exclusive = serializers.BooleanField()


class KindListOut(serializers.Serializer):
    results = KindOut(many=True)


class KindStatsOut(serializers.Serializer):
    kind = serializers.CharField()
    operations = serializers.IntegerField()
    active = serializers.IntegerField()
    with_failures = serializers.IntegerField()
    items = CountsOut()
    causes = serializers.DictField(child=serializers.IntegerField(), help_text="Of failed items, how many by code.")
    skips = serializers.DictField(
        child=serializers.IntegerField(), help_text="Of items that were left out, how many by reason."
    )
    seconds = serializers.FloatField()
    seconds_an_item = serializers.FloatField(allow_null=True)
    cost = serializers.CharField()


class StatsQuery(Serializer):
    project = serializers.UUIDField(required=False)


class JobStatsOut(serializers.Serializer):
    """``kind`` is the name of a job, or ``sweep: `` and that of a sweep."""

    kind = serializers.CharField()
    runs = serializers.IntegerField()
    failures = serializers.IntegerField(help_text="Ended in an error that nobody expected.")
    seconds = serializers.FloatField()
    seconds_a_run = serializers.FloatField()
    longest_seconds = serializers.FloatField()
    last_at = serializers.DateTimeField()


class StatsOut(serializers.Serializer):
    results = KindStatsOut(many=True)
    jobs = JobStatsOut(
        many=True, help_text="The platform's own, of all organizations. For its operators; others get none."
    )


def stats_out(row: dict[str, Any]) -> dict[str, Any]:
    items = {name: row[f"items_{name}"] or 0 for name in COUNTED}
    done = items["succeeded"] + items["failed"] + items["skipped"]
    seconds = row["seconds_sum"] or 0.0
    return {
        "kind": row["kind"],
        "operations": row["operations"],
        "active": row["active"],
        "with_failures": row["with_failures"],
        "items": {"total": sum(items.values()), **items},
        "causes": row["causes"],
        "skips": row["skips"],
        "seconds": seconds,
        "seconds_an_item": seconds / done if done else None,
        "cost": str(row["cost_sum"] or 0),
    }
