"""Agents: who answers, and how."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel


class Agent(TenantModel):
    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=300, blank=True)
    instructions = models.TextField(_("instructions"), blank=True, max_length=20_000)
    model = models.ForeignKey("llm.Model", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    is_default = models.BooleanField(_("default of its project"), default=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        constraints = [
            models.UniqueConstraint(
                "organization", "project", Lower("name"), name="agents_agent_name", condition=Q(archived_at=None)
            ),
            models.UniqueConstraint(
                fields=["organization", "project"], name="agents_agent_one_default", condition=Q(is_default=True)
            ),
        ]
        indexes = [models.Index(fields=["project", "name"], name="agents_agent_project")]

    def __str__(self) -> str:
        return self.name
