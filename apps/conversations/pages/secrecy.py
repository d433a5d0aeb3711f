"""Where every message is sealed: in all of the organization, or in some of its projects."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.utils.translation import gettext as _

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.types import ProjectRole
from apps.conversations.types import ALL_SENSITIVE
from apps.core import preferences
from apps.core.doors.settings import Level


class SecrecySettings(SettingsView):
    template_name = "settings/sensitive.html"
    handlers = {"organization": "organization_wide", "project": "project_wide"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        organization = self.organization()
        managed = accounts.visible_projects(self.actor, at_least=ProjectRole.MANAGER).filter(organization=organization)
        projects = self.part_of(managed.filter(archived_at=None).order_by("name", "pk"))
        marked = preferences.read_many(ALL_SENSITIVE, Level.PROJECT, [project.pk for project in projects])
        wanted = self.request.GET.get("seal", "")
        return {
            # What cannot be taken back at once is asked first, on the page itself.
            "asked": wanted == "organization",
            "asked_project": next((project for project in projects if str(project.pk) == wanted), None),
            "is_on": preferences.get(ALL_SENSITIVE, organization=organization.pk),
            "part": projects,
            "projects": [{"row": project, "is_on": bool(marked.get(project.pk))} for project in projects],
            "can_manage": account_policies.can_manage_organization(self.actor, self.role()),
        }

    def organization_wide(self) -> None:
        self._switch(Level.ORGANIZATION, self.organization().pk)

    def project_wide(self) -> None:
        project = accounts.get_project(identifier(self.request.POST.get("project")), self.actor)
        self._switch(Level.PROJECT, project.pk)

    def _switch(self, level: Level, target_id: Any) -> None:
        """Off: what was sealed stays so."""
        preferences.change_setting(
            actor=self.actor,
            key=ALL_SENSITIVE,
            level=level,
            target_id=target_id,
            value=self.request.POST.get("on") == "yes",
            organization_id=self.organization().pk,
        )
        messages.success(self.request, _("Saved."))
