"""Settings pages: oneself, the organization, its people, projects and keys. Each form of a page says which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Page, Paginator
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import explanations, knocks, places, policies, rights, selectors
from apps.accounts.models import Organization, Project
from apps.accounts.pages import forms
from apps.accounts.pages.answers import add_errors, first_sentence
from apps.accounts.pages.once import show_once, take_shown
from apps.accounts.services import fresh_proofs, invitations, mailboxes, organizations, people, projects, teams
from apps.accounts.types import Actor, FreshSignInNeeded, OrganizationRole, ProjectAccess, ProjectRole
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.core.errors import DomainError, Invalid, NotFound
from apps.core.mail import is_delivered

TASTE = ("theme", "send_key", "single_keys", "announce")
FORBIDDEN, NOT_FOUND = 403, 404
SHOWN = 100
OFFERED = 500


def identifier(raw: str | None) -> UUID:
    """An id that a form sent; what is none belongs to nobody."""
    try:
        return UUID(raw or "")
    except ValueError:
        raise NotFound from None


class SettingsView(LoginRequiredMixin, View, ABC):
    """``POST`` calls the method named after the form; a domain error becomes a message or stands beside its field."""

    request: HttpRequest
    template_name: str
    handlers: dict[str, str] = {}
    is_cut = False

    @property
    def actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined]

    def organization(self) -> Organization:
        found = places.find_organization(self.request)
        if found is None:
            raise NotFound
        return found

    def role(self) -> OrganizationRole | None:
        return selectors.role_of(self.actor, self.organization())

    def part_of(self, rows: Any, name: str = "page") -> Page[Any]:
        """Of a list of any length, what ``?page=`` asks for. With ``components/parts.html`` below the list; a second list of the
        same page takes another name.
        """
        return Paginator(rows, SHOWN).get_page(self.request.GET.get(name))

    def offered(self, rows: Any) -> list[Any]:
        """The first of those that somebody can be chosen from; the page says that there are more (``settings/base.html``)."""
        found = list(rows[: OFFERED + 1])
        self.is_cut = self.is_cut or len(found) > OFFERED
        return found[:OFFERED]

    @abstractmethod
    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        """What the template gets; ``form`` is one that was sent and has errors."""

    def get(self, request: HttpRequest, **ids: Any) -> HttpResponse:
        return self._shown(self.context(**ids) | take_shown(request))

    def post(self, request: HttpRequest, **ids: Any) -> HttpResponse:
        sent = request.POST.getlist("form")
        handler = self.handlers.get(sent[-1] if sent else "")  # a button's own name comes after the hidden one
        if handler is None:
            raise Invalid
        knocks.note_proofs(request)
        try:
            outcome: BaseForm | HttpResponse | None = getattr(self, handler)(**ids)
        except FreshSignInNeeded as error:
            raise ReauthenticationRequired from error  # asks for a proof, and does then what was asked for
        except DomainError as error:
            if error.status in {FORBIDDEN, NOT_FOUND}:
                raise
            messages.error(request, first_sentence(error))
            outcome = None
        if isinstance(outcome, HttpResponse):
            return outcome
        if outcome is not None and outcome.errors:
            return self._shown(self.context(form=outcome, **ids), status=400)
        return redirect(request.path)

    def _shown(self, context: dict[str, Any], status: int = 200) -> HttpResponse:
        return render(self.request, self.template_name, context | {"is_cut": self.is_cut}, status=status)

    def require_fresh(self) -> None:
        """For a page that only makes sense after a fresh proof: asks for one, and comes back."""
        knocks.note_proofs(self.request)
        if not fresh_proofs.is_fresh(actor=self.actor):
            raise ReauthenticationRequired


class ProfileView(SettingsView):
    template_name = "settings/profile.html"
    handlers = {"profile": "save"}

    def _form(self, data: Any = None) -> forms.ProfileForm:
        user = selectors.get_user(self.request.user.pk)
        initial = {"name": user.name, "language": user.language, "time_zone": user.time_zone}
        initial |= {name: preferences.get(f"web.{name}", user=user.pk) for name in TASTE}
        return forms.ProfileForm(data, initial=initial)

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        user = self.request.user
        return {"form": form or self._form(), "is_unproved": is_delivered() and mailboxes.is_unproved(user=user)}

    def save(self) -> BaseForm:
        """What was changed on this page alone: another device may have changed the rest meanwhile."""
        form = self._form(self.request.POST)
        if form.is_valid():
            data = form.changed()
            tastes = {name: data.pop(name) for name in TASTE if name in data}
            people.change_profile(actor=self.actor, **data)
            for name, value in tastes.items():
                preferences.change_setting(
                    actor=self.actor,
                    key=f"web.{name}",
                    level=Level.USER,
                    target_id=self.actor.user_id,
                    value=value,
                )
            messages.success(self.request, _("Saved."))
        return form


class OrganizationView(SettingsView):
    template_name = "settings/organization.html"
    handlers = {"": "save", "organization": "save"}

    def _form(self, data: Any = None) -> forms.OrganizationForm:
        organization = self.organization()
        initial = {"name": organization.name, "time_zone": organization.time_zone}
        return forms.OrganizationForm(data, initial=initial)

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        can_manage = policies.can_manage_organization(self.actor, self.role())
        form = form or self._form()
        if not can_manage:
            for field in form.fields.values():
                field.disabled = True
        return {"form": form, "can_manage": can_manage, "is_owner": self.role() == OrganizationRole.OWNER}

    def save(self) -> BaseForm:
        form = self._form(self.request.POST)
        if form.is_valid():
            organizations.change_organization(
                actor=self.actor, organization_id=self.organization().pk, **form.changed()
            )
            messages.success(self.request, _("Saved."))
        return form


class PeopleView(SettingsView):
    template_name = "settings/people.html"
    handlers = {"role": "change_role", "invite": "invite", "revoke": "revoke"}

    def _form(self, data: Any = None) -> forms.InviteForm:
        rows = selectors.visible_projects(self.actor).filter(organization=self.organization(), archived_at=None)
        return forms.InviteForm(data, projects=self.offered(rows.order_by("name")))

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        organization, role = self.organization(), self.role()
        members = selectors.visible_members(self.actor).filter(organization=organization)
        open_ones = selectors.visible_invitations(self.actor).filter(
            organization=organization, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
        )
        can_manage = policies.can_manage_members(self.actor, role)
        return {
            "form": form or self._form(),
            "members": self.part_of(members.order_by("user__name", "user__email", "pk")),
            "invitations": self.part_of(open_ones.order_by("email", "pk"), "invitations"),
            "roles": [
                (value, label)
                for value, label in OrganizationRole.choices
                if policies.can_give_role(self.actor, role, OrganizationRole(value))
            ],
            "can_manage": can_manage,
            "can_invite": can_manage,
            "is_mail_delivered": is_delivered(),
        }

    def change_role(self) -> None:
        wanted = self.request.POST.get("role")
        if wanted not in OrganizationRole.values:
            raise Invalid
        organizations.change_member_role(
            actor=self.actor, member_id=identifier(self.request.POST.get("member")), role=OrganizationRole(wanted)
        )
        messages.success(self.request, _("Changed. The person signs in again with the new role."))

    def invite(self) -> BaseForm | HttpResponse:
        form = self._form(self.request.POST)
        if form.is_valid():
            try:
                invited = invitations.invite(
                    actor=self.actor,
                    organization_id=self.organization().pk,
                    email=form.cleaned_data["email"],
                    role=OrganizationRole(form.cleaned_data["role"]),
                    project_id=UUID(form.cleaned_data["project"]) if form.cleaned_data["project"] else None,
                )
            except DomainError as error:
                if error.status in {FORBIDDEN, NOT_FOUND}:
                    raise
                add_errors(form, error)
            else:
                return show_once(self.request, invitation_link=invited.link, invited=form.cleaned_data["email"])
        return form

    def revoke(self) -> None:
        invitations.revoke_invitation(actor=self.actor, invitation_id=identifier(self.request.POST.get("invitation")))
        messages.success(self.request, _("The invitation no longer works."))


class ProjectListView(SettingsView):
    template_name = "settings/projects.html"
    handlers = {"": "create", "create": "create"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        rows = selectors.visible_projects(self.actor).filter(organization=self.organization())
        return {
            "form": form
            or forms.NewProjectForm(initial={"access": ProjectAccess.ORGANIZATION}, language=self.actor.language),
            "projects": self.part_of(rows.order_by("archived_at", "name", "pk")),
            "can_create": policies.can_create_project(self.actor, self.role()),
        }

    def create(self) -> BaseForm | HttpResponse:
        form = forms.NewProjectForm(self.request.POST, language=self.actor.language)
        if form.is_valid():
            made = projects.create_project(
                actor=self.actor, organization_id=self.organization().pk, **form.cleaned_data
            )
            messages.success(self.request, _("The project %(name)s is there.") % {"name": made.name})
            places.choose_project(self.request, made.pk)
            return redirect(settings.LOGIN_REDIRECT_URL)  # its first page
        return form


class ProjectView(SettingsView):
    template_name = "settings/project.html"
    handlers = {
        "project": "save",
        "member": "set_member",
        "remove": "remove_member",
        "team": "set_team",
        "remove_team": "remove_team",
        "archive": "archive",
        "restore": "restore",
    }

    def _form(self, project: Project, data: Any = None) -> forms.ProjectChangeForm:
        initial = {"name": project.name, "description": project.description, "access": project.access}
        return forms.ProjectChangeForm(data, initial=initial)

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        project = selectors.get_project(ids["project_id"], self.actor)
        added = list(selectors.visible_project_members(project).order_by("user__name"))
        can_manage = policies.can_manage_project(self.actor, selectors.role_in(self.actor, project))
        form = form or self._form(project)
        if not can_manage:
            for field in form.fields.values():
                field.disabled = True
        return {
            "edited": project,
            "form": form,
            "can_manage": can_manage,
            "project_members": added,
            "project_teams": (given := list(rights.visible_project_teams(project).order_by("team__name"))),
            "addable_teams": self.offered(
                rights.visible_teams(self.actor)
                .filter(organization=project.organization_id)
                .exclude(pk__in=[row.team_id for row in given])
                .order_by("name")
                .values_list("pk", "name")
            ),
            "denials": rights.list_denials_in(project, self.actor) if can_manage else [],
            "explained": self._explained(project) if can_manage else None,
            "explainable": self.offered(rights.list_people_of(project, self.actor)) if can_manage else [],
            "project_roles": ProjectRole.choices,
            "addable": self._addable(project, {member.user_id for member in added}),
        }

    def _explained(self, project: Project) -> explanations.Explanation | None:
        """``?user=``: why that person can, or cannot, get at it."""
        asked = self.request.GET.get("user")
        user_id = identifier(asked) if asked else None
        return explanations.explain(viewer=self.actor, project_id=project.pk, user_id=user_id) if user_id else None

    def _addable(self, project: Project, added: set[UUID]) -> list[tuple[UUID, str]]:
        members = selectors.visible_members(self.actor).filter(organization=project.organization_id)
        rows = self.offered(members.exclude(user__in=added).order_by("user__name"))
        return [(row.user_id, row.user.display_name) for row in rows]

    def save(self, project_id: UUID) -> BaseForm:
        form = self._form(selectors.get_project(project_id, self.actor), self.request.POST)
        if form.is_valid():
            projects.change_project(actor=self.actor, project_id=project_id, **form.changed())
            messages.success(self.request, _("Saved."))
        return form

    def set_member(self, project_id: UUID) -> None:
        wanted = self.request.POST.get("role")
        if wanted not in ProjectRole.values:
            raise Invalid
        projects.set_project_member(
            actor=self.actor,
            project_id=project_id,
            user_id=identifier(self.request.POST.get("user")),
            role=ProjectRole(wanted),
        )

    def remove_member(self, project_id: UUID) -> None:
        projects.remove_project_member(
            actor=self.actor, project_id=project_id, user_id=identifier(self.request.POST.get("user"))
        )

    def set_team(self, project_id: UUID) -> None:
        wanted = self.request.POST.get("role")
        if wanted not in ProjectRole.values:
            raise Invalid
        team_id = identifier(self.request.POST.get("team"))
        teams.set_project_team(actor=self.actor, project_id=project_id, team_id=team_id, role=ProjectRole(wanted))

    def remove_team(self, project_id: UUID) -> None:
        team_id = identifier(self.request.POST.get("team"))
        teams.remove_project_team(actor=self.actor, project_id=project_id, team_id=team_id)

    def archive(self, project_id: UUID) -> None:
        projects.archive_project(actor=self.actor, project_id=project_id)
        messages.success(self.request, _("Archived. It can be brought back here."))

    def restore(self, project_id: UUID) -> None:
        projects.restore_project(actor=self.actor, project_id=project_id)
        messages.success(self.request, _("The project is back."))
