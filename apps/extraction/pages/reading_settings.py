"""Which projects have every message read for records, and which ask for what is missing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.utils.translation import gettext as _

from apps.accounts import policies as accounts_policies
from apps.accounts import selectors as accounts
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.types import SYSTEM, ProjectRole
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.extraction.meaning import EMBEDDING_MODEL
from apps.extraction.types import ASK_MISSING, EVERY_MESSAGE
from apps.llm import services as llm


class ReadingSettings(SettingsView):
    template_name = "settings/reading.html"
    handlers = {"every": "switch_every", "ask": "switch_ask", "meaning": "choose_meaning"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        organization = self.organization()
        managed = accounts.visible_projects(self.actor, at_least=ProjectRole.MANAGER).filter(organization=organization)
        part = self.part_of(managed.filter(archived_at=None).order_by("name"))
        ids_here = [project.pk for project in part]
        every = preferences.read_many(EVERY_MESSAGE, Level.PROJECT, ids_here)
        asks = preferences.read_many(ASK_MISSING, Level.PROJECT, ids_here)
        is_asked = preferences.get(ASK_MISSING, organization=organization.pk)
        may_choose = accounts_policies.can_manage_organization(self.actor, self.role())
        return {
            "may_choose": may_choose,
            "meaning": preferences.get(EMBEDDING_MODEL, organization=organization.pk),
            "part": part,
            "projects": [
                {"row": row, "reads_every": bool(every.get(row.pk)), "asks": bool(asks.get(row.pk, is_asked))}
                for row in part
            ],
        }

    def switch_every(self) -> None:
        self._switch(EVERY_MESSAGE)

    def switch_ask(self) -> None:
        self._switch(ASK_MISSING)

    def choose_meaning(self) -> None:
        """Of all projects that do not say otherwise. A name that no provider has is told here, where somebody reads it."""
        organization, named = self.organization(), self.request.POST.get("model", "").strip()[:300]
        preferences.change_setting(
            actor=self.actor,
            key=EMBEDDING_MODEL,
            level=Level.ORGANIZATION,
            target_id=organization.pk,
            value=named,
            organization_id=organization.pk,
        )
        if named and llm.ensure_embedder(actor=SYSTEM, organization_id=organization.pk, reference=named) is None:
            messages.warning(
                self.request,
                _(
                    "Saved, but there is no provider of that name which makes vectors and is paid in the currency of the budget."
                ),
            )
            return
        messages.success(self.request, _("Saved."))

    def _switch(self, key: str) -> None:
        project = accounts.get_project(identifier(self.request.POST.get("project")), self.actor)
        preferences.change_setting(
            actor=self.actor,
            key=key,
            level=Level.PROJECT,
            target_id=project.pk,
            value=self.request.POST.get("on") == "yes",
            organization_id=self.organization().pk,
        )
        messages.success(self.request, _("Saved."))
