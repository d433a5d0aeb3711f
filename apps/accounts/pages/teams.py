"""Settings pages: teams, and the people in one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts import policies, rights, selectors
from apps.accounts.models import Team
from apps.accounts.pages import right_forms
from apps.accounts.pages.answers import add_errors
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import teams
from apps.accounts.types import TeamNameTaken


class TeamListView(SettingsView):
    template_name = "settings/teams.html"
    handlers = {"create": "create"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        rows = rights.visible_teams(self.actor).filter(organization=self.organization())
        return {
            "form": form or right_forms.TeamForm(),
            "teams": self.part_of(rows.order_by("name", "pk")),
            "can_create": policies.can_manage_teams(self.actor, self.role()),
        }

    def create(self) -> BaseForm | HttpResponse:
        form = right_forms.TeamForm(self.request.POST)
        if not form.is_valid():
            return form
        try:
            made = teams.create_team(actor=self.actor, organization_id=self.organization().pk, **form.cleaned_data)
        except TeamNameTaken as error:
            add_errors(form, error)
            return form
        return redirect(reverse("accounts:settings_team", args=[made.pk]))


class TeamView(SettingsView):
    template_name = "settings/team.html"
    handlers = {"team": "save", "add": "add", "manager": "set_manager", "remove": "remove", "delete": "delete"}

    def _form(self, team: Team, data: Any = None) -> right_forms.TeamChangeForm:
        return right_forms.TeamChangeForm(data, initial={"name": team.name, "description": team.description})

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        team = rights.get_team(ids["team_id"], self.actor)
        role = selectors.organization_role(self.actor, team.organization_id)
        members = rights.list_team_members(team)
        can_change = policies.can_change_team(self.actor, role, is_manager=team.is_manager)  # type: ignore[attr-defined]
        form = form or self._form(team)
        if not can_change:
            for field in form.fields.values():
                field.disabled = True
        people = selectors.visible_members(self.actor).filter(organization=team.organization_id)
        addable = people.exclude(user__in=members.order_by().values("user")).order_by("user__name")
        return {
            "team": team,
            "form": form,
            "team_members": self.part_of(members),
            "addable": [row.user for row in self.offered(addable)],
            "can_change": can_change,
            "can_manage": policies.can_manage_teams(self.actor, role),
        }

    def save(self, team_id: UUID) -> BaseForm:
        form = self._form(rights.get_team(team_id, self.actor), self.request.POST)
        if form.is_valid():
            try:
                teams.change_team(actor=self.actor, team_id=team_id, **form.changed())
            except TeamNameTaken as error:
                add_errors(form, error)
            else:
                messages.success(self.request, _("Saved."))
        return form

    def _user(self) -> UUID:
        return identifier(self.request.POST.get("user"))

    def add(self, team_id: UUID) -> None:
        teams.set_team_member(actor=self.actor, team_id=team_id, user_id=self._user())

    def set_manager(self, team_id: UUID) -> None:
        is_manager = self.request.POST.get("is_manager") == "yes"
        teams.set_team_member(actor=self.actor, team_id=team_id, user_id=self._user(), is_manager=is_manager)

    def remove(self, team_id: UUID) -> HttpResponse:
        teams.remove_team_member(actor=self.actor, team_id=team_id, user_id=self._user())
        return redirect(reverse("accounts:settings_teams"))

    def delete(self, team_id: UUID) -> HttpResponse:
        teams.delete_team(actor=self.actor, team_id=team_id)
        messages.success(self.request, _("The team is gone, and what it gave its members."))
        return redirect(reverse("accounts:settings_teams"))
