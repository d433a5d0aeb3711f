"""Where the values of records come from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.accounts.models import TenantModel
from apps.extraction.models.records import ExtractionRun, Record
from apps.extraction.types import GENERATED


class FieldSource(TenantModel):
    """Where the value of one field was said: places count code points and UTF-16 units of the message or file.

    Of method ``generated`` a model made it up, in the item of an operation: no run, no words.
    """

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(ExtractionRun, on_delete=models.PROTECT, null=True, related_name="+")
    operation_id = models.UUIDField(null=True)
    answered_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    is_demo = models.BooleanField(default=False, db_default=False)
    field = models.CharField(max_length=400)
    value_digest = models.BinaryField(max_length=32)
    message_id = models.UUIDField(null=True)
    file_id = models.UUIDField(null=True)
    method = models.CharField(max_length=12, blank=True)
    confidence = models.FloatField(default=0)
    start = models.PositiveIntegerField(default=0)
    end = models.PositiveIntegerField(default=0)
    start_utf16 = models.PositiveIntegerField(default=0)
    end_utf16 = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "record", "field"], name="extraction_source_once"),
        ]
        indexes = [
            models.Index(
                fields=["operation_id"], name="extraction_source_operation", condition=Q(operation_id__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.field}"

    @property
    def is_generated(self) -> bool:
        return self.method == GENERATED

    @property
    def read_by(self) -> str:
        return self.run.answered_by if self.run else self.answered_by

    @property
    def is_by_demo(self) -> bool:
        return self.run.is_demo if self.run else self.is_demo
