"""Which records may be the same thing, and which were joined."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.extraction.models.records import Collection, Record
from apps.extraction.types import DuplicateStatus


class RecordBlock(TenantModel):
    """Records that may be the same thing share a block (``similarity``), kept as 64 bits of its digest."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+", db_index=False)
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    block = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "collection", "block", "record"], name="extraction_block_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.block}"


class Duplicate(TenantModel):
    """Two records that may be one thing, the smaller id first. ``fields`` is what each field says for it, or against it."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    one = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+", db_index=False)
    other = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    score = models.FloatField()
    fields = models.JSONField(default=dict)
    status = models.CharField(max_length=8, choices=DuplicateStatus.choices, default=DuplicateStatus.PENDING)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        constraints = [
            models.UniqueConstraint(fields=["organization", "one", "other"], name="extraction_duplicate_once"),
            models.CheckConstraint(condition=Q(one__lt=F("other")), name="extraction_duplicate_order"),
        ]
        indexes = [
            models.Index(fields=["one"], name="extraction_duplicate_one"),
            models.Index(
                fields=["project", "-score", "-id"], name="extraction_duplicate_queue", condition=Q(status="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.one_id} {self.other_id}"


class RecordMerge(TenantModel):
    """One record was joined into another. ``before`` and ``after`` are the fields of the winner that it changed; ``moved`` what went along."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    winner = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    loser = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    # Of the collection, by which the fields below are called; 0: made before this was noted.
    schema_number = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    moved = models.JSONField(default=dict)
    merged_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("joining of two records")
        verbose_name_plural = _("joinings of two records")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "loser"], name="extraction_merge_once", condition=Q(undone_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.loser_id} {self.winner_id}"
