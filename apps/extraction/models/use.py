"""What people add to collections and records: views and comments."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.types import Scope
from apps.extraction.models.records import Collection, Record


class RecordView(TenantModel):
    """A way to look at a collection that somebody kept: conditions, order, columns. Shared, everybody who sees the project has it."""

    version = models.PositiveIntegerField(default=1, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=60)
    is_shared = models.BooleanField(default=False)
    # What the table is asked for: where, q, sort, complete, columns, look.
    state = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("view of a collection")
        verbose_name_plural = _("views of collections")
        constraints = [
            models.UniqueConstraint(fields=["organization", "collection", "owner", "name"], name="extraction_view_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> Scope:
        return Scope(f"collection:{self.collection_id}", self.organization_id, self.project_id)


class RecordComment(TenantModel):
    """What somebody said about a record. A deleted one keeps its place without its words."""

    version = models.PositiveIntegerField(default=1, editable=False)
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    text = models.TextField(max_length=4000, blank=True)
    # The model that wrote it, asked by the author; empty: the author's own words.
    answered_by = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("comment on a record")
        verbose_name_plural = _("comments on records")
        indexes = [models.Index(fields=["record", "-created_at", "-id"], name="extraction_comment_list")]

    def __str__(self) -> str:
        return str(self.pk)
