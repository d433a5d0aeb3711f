"""Which projects have every message read for records, and which ask for what is missing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.types import ProjectRole
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.extraction.types import ASK_MISSING, EVERY_MESSAGE


class ReadingSettings(SettingsView):
    template_name = "settings/reading.html"
    handlers = {"every": "switch_every", "ask": "switch_ask"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        organization = self.organization()
        managed = accounts.visible_projects(self.actor, at_least=ProjectRole.MANAGER).filter(organization=organization)
        part = self.part_of(managed.filter(archived_at=None).order_by("name"))
        ids_here = [project.pk for project in part]
        every = preferences.read_many(EVERY_MESSAGE, Level.PROJECT, ids_here)
        asks = preferences.read_many(ASK_MISSING, Level.PROJECT, ids_here)
        is_asked = preferences.get(ASK_MISSING, organization=organization.pk)
        return {
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
