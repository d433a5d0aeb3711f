"""What is only ever added to: the audit log and the receipts of erasures."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import (
    AuditOutcome,
    ErasureKind,
)
from apps.core.ids import uuid7
from apps.core.models import BaseModel


class AuditEntry(models.Model):
    """One link of an organization's chain: ``digest`` = SHA-256(previous digest ‖ canonical row, RFC 8785).

    Rows are only ever inserted; the application's database role can do nothing else. What happened outside any
    organization is in the chain of the zero id.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(editable=False)
    number = models.BigIntegerField(editable=False)
    event_id = models.UUIDField(unique=True, editable=False)
    occurred_at = models.DateTimeField(editable=False)
    action = models.CharField(max_length=100, editable=False)
    outcome = models.CharField(max_length=8, choices=AuditOutcome.choices, editable=False)
    actor_kind = models.CharField(max_length=16, editable=False)
    actor = models.UUIDField(null=True, editable=False)
    key_id = models.UUIDField(null=True, editable=False)
    subject_type = models.CharField(max_length=60, blank=True, editable=False)
    subject_id = models.UUIDField(null=True, editable=False)
    details = models.JSONField(default=dict, editable=False)
    correlation_id = models.CharField(max_length=64, blank=True, editable=False)
    previous = models.BinaryField(max_length=32, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        constraints = [models.UniqueConstraint(fields=["organization_id", "number"], name="accounts_audit_number")]
        indexes = [models.Index(fields=["organization_id", "occurred_at"], name="accounts_audit_time")]

    def __str__(self) -> str:
        return f"{self.organization_id}#{self.number}"


class Erasure(BaseModel):
    """The receipt of an erasure: what, by its id, and how many rows each app kept. Only ever inserted; it names nobody."""

    kind = models.CharField(max_length=12, choices=ErasureKind.choices, editable=False)
    subject_id = models.UUIDField(editable=False)
    requested_by = models.CharField(max_length=8, editable=False)
    rows = models.JSONField(default=dict, editable=False)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"
