"""Templates that make documents of records, with every text they ever had."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.types import Scope
from apps.extraction.models.records import Collection
from apps.extraction.template_types import TemplateFormat


class RecordTemplate(TenantModel):
    """What a record, or all that are chosen, look like as a document. The source in force is here, the earlier ones are revisions."""

    version = models.PositiveIntegerField(default=1, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=80)
    format = models.CharField(max_length=8, choices=TemplateFormat.choices, default=TemplateFormat.MARKDOWN)
    # One document of all the records that are chosen; else one of each.
    is_of_set = models.BooleanField(default=False)
    source = models.TextField()

    class Meta:
        verbose_name = _("template of a collection")
        verbose_name_plural = _("templates of collections")
        constraints = [
            models.UniqueConstraint(fields=["organization", "collection", "name"], name="extraction_template_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> Scope:
        return Scope(f"collection:{self.collection_id}", self.organization_id, self.project_id)


class TemplateRevision(TenantModel):
    """One text of a template, and who wrote it."""

    template = models.ForeignKey(RecordTemplate, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    format = models.CharField(max_length=8, choices=TemplateFormat.choices)
    source = models.TextField()
    author = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("version of a template")
        verbose_name_plural = _("versions of templates")
        constraints = [
            models.UniqueConstraint(fields=["organization", "template", "number"], name="extraction_template_version")
        ]
        indexes = [models.Index(fields=["template", "-number"], name="extraction_template_history")]

    def __str__(self) -> str:
        return f"{self.template_id} {self.number}"
