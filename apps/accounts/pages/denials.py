"""Settings page: what is denied to whom, in one project or in all of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.forms import BaseForm
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import policies, rights, selectors
from apps.accounts.pages import right_forms
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import denials
from apps.accounts.types import Permission, ProjectRole


class DenialsView(SettingsView):
    template_name = "settings/denials.html"
    handlers = {"deny": "deny", "lift": "lift"}

    def _form(self, data: Any = None) -> right_forms.DenialForm:
        organization = self.organization()
        members = selectors.visible_members(self.actor).filter(organization=organization)
        teams = rights.visible_teams(self.actor).filter(organization=organization)
        managed = selectors.visible_projects(self.actor, at_least=ProjectRole.MANAGER)
        return right_forms.DenialForm(
            data,
            people=[member.user for member in self.offered(members.order_by("user__name"))],
            teams=self.offered(teams.order_by("name")),
            projects=self.offered(managed.filter(organization=organization).order_by("name")),
            is_everywhere=policies.can_manage_members(self.actor, self.role()),
        )

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        in_force = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        rows = rights.visible_denials(self.actor).filter(in_force, organization=self.organization())
        form = form or self._form()
        return {
            "form": form,
            "denials": self.part_of(rows.order_by("-created_at", "pk")),
            "can_deny": bool(form.fields["where"].choices),  # type: ignore[attr-defined]
        }

    def deny(self) -> BaseForm:
        form = self._form(self.request.POST)
        if form.is_valid():
            denials.deny(
                actor=self.actor,
                organization_id=self.organization().pk,
                project_id=identifier(form.cleaned_data["where"]) if form.cleaned_data["where"] != "all" else None,
                permission=Permission(form.cleaned_data["permission"]),
                reason=form.cleaned_data["reason"],
                expires_at=form.expires_at,
                **{name: identifier(value) for name, value in form.target.items()},
            )
            messages.success(self.request, _("Denied, whatever else gives it to them."))
        return form

    def lift(self) -> None:
        denials.lift_denial(actor=self.actor, denial_id=identifier(self.request.POST.get("denial")))
        messages.success(self.request, _("The denial is lifted."))
