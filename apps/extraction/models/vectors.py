"""What a record means, as a vector of a model: only where one is chosen for it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from apps.accounts.models import TenantModel
from apps.extraction.models.records import Collection, Record


class VectorField(models.Field):
    """pgvector's ``vector``, of any length: each model has its own."""

    def db_type(self, connection: Any) -> str:
        return "vector"

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> list[float] | None:
        return None if value is None else [float(each) for each in value.strip("[]").split(",")]

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else "[" + ",".join(f"{each:.7g}" for each in value) + "]"


class RecordVector(TenantModel):
    """``is_due``: the record says something else by now, or has no vector yet; a job asks the model for it. Unit length."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+", db_index=False)
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+", db_index=False)
    model_id = models.UUIDField()
    vector = VectorField(null=True)
    is_due = models.BooleanField(default=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "record"], name="extraction_vector_once"),
        ]
        indexes = [
            models.Index(fields=["record"], name="extraction_vector_record"),
            models.Index(fields=["collection", "model_id"], name="extraction_vector_near"),
            models.Index(fields=["updated_at"], name="extraction_vector_due", condition=Q(is_due=True)),
        ]

    def __str__(self) -> str:
        return str(self.record_id)
