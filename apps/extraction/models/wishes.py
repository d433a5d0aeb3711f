"""What people in conversations want to be made: records that a model makes up, a collection that they describe."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.models import LeasedModel
from apps.core.types import Scope
from apps.extraction.models.records import Collection
from apps.extraction.wish_types import WishKind, WishStatus


class Wish(TenantModel, LeasedModel):
    """So many records of a collection that is there, or of a new one with these fields; or that new one alone. Nothing is made until
    somebody confirms it.

    Conversation, message and operation are plain ids, as in ``ExtractionRun``. ``fields`` is a list of ``{"name", "title", "kind", "choices"}``;
    of a described collection also ``"required"``, ``"is_list"`` and ``"relation"``, and ``brief`` is what it is for.
    """

    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    key_id = models.UUIDField(null=True, editable=False)
    conversation_id = models.UUIDField(editable=False)
    # The message below which it is shown; of words that were said in one, that message.
    shown_under = models.UUIDField(editable=False)
    kind = models.CharField(
        max_length=10, choices=WishKind.choices, default=WishKind.RECORDS, db_default=WishKind.RECORDS, editable=False
    )
    is_asked = models.BooleanField(default=True, editable=False)
    words = models.TextField(blank=True)
    language = models.CharField(max_length=12, default="en", editable=False)
    status = models.CharField(max_length=9, choices=WishStatus.choices, default=WishStatus.READING)
    error_code = models.CharField(max_length=60, blank=True)
    answered_by = models.CharField(max_length=200, blank=True)
    is_demo = models.BooleanField(default=False)
    count = models.PositiveIntegerField(default=0)
    # How many were asked for, where that is more than are made at once; 0: no more than ``count``.
    asked_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    brief = models.TextField(blank=True)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(max_length=80, blank=True)
    fields = models.JSONField(default=list)
    estimate = models.JSONField(default=dict)
    # Whether somebody decides on each before it is kept.
    is_reviewed = models.BooleanField(default=False, db_default=False)
    operation_id = models.UUIDField(null=True, editable=False)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    correlation_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("wish")
        verbose_name_plural = _("wishes")
        indexes = [
            models.Index(fields=["shown_under"], name="extraction_wish_shown"),
            models.Index(fields=["conversation_id"], name="extraction_wish_talk"),
            models.Index(fields=["project", "-created_at", "-id"], name="extraction_wish_list"),
            models.Index(
                fields=["created_at"], name="extraction_wish_open", condition=models.Q(status=WishStatus.READING)
            ),
        ]
        constraints = [
            # What nobody asked for happens once a message, however often the log is read.
            models.UniqueConstraint(
                fields=["organization", "shown_under"], name="extraction_wish_once", condition=models.Q(is_asked=False)
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def scope(self) -> Scope:
        return Scope(f"wish:{self.pk}", self.organization_id, self.project_id)
