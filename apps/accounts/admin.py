"""People, organizations, keys, sessions and the audit log for operators. What changes something calls a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin  # noqa: F401
import django.contrib.auth.admin  # noqa: F401
import django_celery_beat.admin  # noqa: F401
from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts import sign_in_admin
from apps.accounts.models import (
    ApiKey,
    AuditEntry,
    Denial,
    Erasure,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    ProjectTeam,
    ServiceAccount,
    SignInLink,
    Team,
    TeamMember,
    User,
    UserSession,
)
from apps.accounts.services import erasure, operators, organizations, second_factors
from apps.accounts.types import Actor
from apps.core.admin import ServiceAdmin
from apps.core.errors import DomainError

assert sign_in_admin
# One sign-in for everybody: its limits hold here too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# Tables of libraries stay out; their admin modules are imported above, since what registers itself later would come back.
FOREIGN = {"account", "auth", "django_celery_beat", "mfa", "socialaccount"}
for foreign in [model for model in admin.site._registry if model._meta.app_label in FOREIGN]:  # noqa: SLF001
    admin.site.unregister(foreign)


#: None: it goes on in the background.
Erase = Callable[[Actor, Any, bool], erasure.Receipt | None]


def _erase_person(actor: Actor, user: User, is_trial: bool) -> erasure.Receipt:  # noqa: FBT001
    return erasure.erase_person(actor=actor, user_id=user.pk, is_trial=is_trial)


def _erase_organization(actor: Actor, found: Organization, is_trial: bool) -> erasure.Receipt | None:  # noqa: FBT001
    if is_trial:
        return erasure.count_organization(actor=actor, organization_id=found.pk)
    erasure.close_organization(actor=actor, organization_id=found.pk, in_background=True)
    return None


def erase_one(
    site: ServiceAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    typed: Callable[[Any], str],
    erase: Erase,
    label: Any,
) -> TemplateResponse | None:
    """Says first what would go and asks for the name; with the name it is done. One at a time."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if queryset.count() != 1:
        site.message_user(request, _("Choose exactly one to erase."), messages.WARNING)
        return None
    found = queryset.get()
    try:
        if request.POST.get("typed", "").strip() == typed(found):
            receipt = erase(actor, found, False)
            text = _(
                "Nobody has any right in it from now on, and it is being erased. The receipt will be among the erasures."
            )
            if receipt is not None:
                text = _("Erased for good. Receipt: %(receipt)s") % {"receipt": receipt.id}
            site.message_user(request, text, messages.SUCCESS)
            return None
        trial = erase(actor, found, True)
        assert trial is not None
    except DomainError as error:
        site.message_user(request, str(error.detail), messages.ERROR)
        return None
    context = site.admin_site.each_context(request) | {
        "title": _("Erase for good"),
        "opts": site.opts,
        "found": found,
        "wanted": typed(found),
        "label": label,
        "rows": trial.rows,
        "is_wrong": "typed" in request.POST,
        "action_name": admin.helpers.ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/accounts/erase.html", context)


@admin.register(User)
class UserAdmin(ServiceAdmin):
    list_display = ("email", "name", "is_staff", "is_active", "last_login", "created_at")
    list_filter = ("is_active", "is_staff", "language")
    search_fields = ("email", "name", "id")
    date_hierarchy = "created_at"
    exclude = ("password", "groups", "user_permissions")
    actions = ("end_sessions", "send_link", "remove_second_factors", "deactivate", "activate", "erase")

    @admin.action(description=_("Erase this person…"))
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> TemplateResponse | None:
        return erase_one(
            self, request, queryset, typed=lambda user: user.email, erase=_erase_person, label=_("E-mail address")
        )

    @admin.action(description=_("End all sessions"))
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        count = sum(operators.end_sessions_of(actor=request.actor, user_id=user.pk) for user in queryset)  # type: ignore[attr-defined]
        text = ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Mail a sign-in link"))
    def send_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        count = 0
        for user in queryset.filter(is_active=True):
            operators.send_sign_in_link(actor=request.actor, user_id=user.pk)  # type: ignore[attr-defined]
            count += 1
        text = ngettext("%(count)d link is on its way.", "%(count)d links are on their way.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Remove their second factors (they lost them)"))
    def remove_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        count = sum(second_factors.remove_all(actor=request.actor, user_id=user.pk) for user in queryset)  # type: ignore[attr-defined]
        text = ngettext("%(count)d was removed.", "%(count)d were removed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Keep these people out"))
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset, is_active=False)

    @admin.action(description=_("Let these people in again"))
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset, is_active=True)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[User], *, is_active: bool) -> None:
        count = sum(
            operators.set_active(actor=request.actor, user_id=user.pk, is_active=is_active)  # type: ignore[attr-defined]
            for user in queryset
        )
        text = ngettext("%(count)d person changed.", "%(count)d people changed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(Organization)
class OrganizationAdmin(ServiceAdmin):
    list_display = ("name", "slug", "is_home", "time_zone", "created_at", "deleted_at")
    list_filter = ("is_home", ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug", "id")
    date_hierarchy = "created_at"
    actions = ("give_back", "erase")

    @admin.action(description=_("Give back what was put away"))
    def give_back(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        """To who was in it when its owner's address was confirmed for the first time."""
        away = list(queryset.filter(erased_for="").exclude(deleted_at=None).values_list("pk", flat=True))
        for pk in away:
            organizations.give_back(actor=request.actor, organization_id=pk)  # type: ignore[attr-defined]
        text = ngettext("%(count)s organization given back.", "%(count)s organizations given back.", len(away))
        self.message_user(request, text % {"count": len(away)}, messages.SUCCESS if away else messages.WARNING)

    @admin.action(description=_("Erase this organization…"))
    def erase(self, request: HttpRequest, queryset: QuerySet[Organization]) -> TemplateResponse | None:
        return erase_one(
            self, request, queryset, typed=lambda found: found.slug, erase=_erase_organization, label=_("Short name")
        )


@admin.register(OrganizationMember)
class OrganizationMemberAdmin(ServiceAdmin):
    list_display = ("user", "organization", "role", "created_at")
    list_filter = ("role", "organization")
    search_fields = ("user__email", "user__name", "organization__name")
    list_select_related = ("user", "organization")


@admin.register(Project)
class ProjectAdmin(ServiceAdmin):
    list_display = ("name", "organization", "access", "created_at", "archived_at", "deleted_at")
    list_filter = ("access", ("archived_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("name", "id", "organization__name")
    list_select_related = ("organization",)
    date_hierarchy = "created_at"


@admin.register(ProjectMember)
class ProjectMemberAdmin(ServiceAdmin):
    list_display = ("user", "project", "role", "created_at")
    list_filter = ("role", "organization")
    search_fields = ("user__email", "user__name", "project__name")
    list_select_related = ("user", "project")


@admin.register(Invitation)
class InvitationAdmin(ServiceAdmin):
    list_display = ("email", "organization", "role", "invited_by", "expires_at", "accepted_at", "revoked_at")
    list_filter = ("role", ("accepted_at", admin.EmptyFieldListFilter), ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("email", "organization__name")
    list_select_related = ("organization", "invited_by")


@admin.register(Team)
class TeamAdmin(ServiceAdmin):
    list_display = ("name", "organization", "created_at", "deleted_at")
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("name", "id", "organization__name")
    list_select_related = ("organization",)


@admin.register(TeamMember)
class TeamMemberAdmin(ServiceAdmin):
    list_display = ("user", "team", "is_manager", "created_at")
    list_filter = ("is_manager", "organization")
    search_fields = ("user__email", "user__name", "team__name")
    list_select_related = ("user", "team")


@admin.register(ProjectTeam)
class ProjectTeamAdmin(ServiceAdmin):
    list_display = ("team", "project", "role", "created_at")
    list_filter = ("role", "organization")
    search_fields = ("team__name", "project__name")
    list_select_related = ("team", "project")


@admin.register(Denial)
class DenialAdmin(ServiceAdmin):
    list_display = ("user", "team", "organization", "project", "permission", "denied_by", "expires_at")
    list_filter = ("permission", "organization")
    search_fields = ("user__email", "user__name", "team__name", "project__name", "reason")
    list_select_related = ("user", "team", "organization", "project", "denied_by")


@admin.register(ServiceAccount)
class ServiceAccountAdmin(ServiceAdmin):
    list_display = ("user", "organization", "created_by", "created_at", "disabled_at")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("user__name", "description", "id")
    list_select_related = ("user", "organization", "created_by")


@admin.register(ApiKey)
class ApiKeyAdmin(ServiceAdmin):
    list_display = ("name", "hint", "user", "organization", "project", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("name", "hint", "user__email")
    list_select_related = ("user", "organization", "project")
    actions = ("revoke",)

    @admin.action(description=_("Withdraw these keys"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = sum(operators.revoke_key(actor=request.actor, key_id=key.pk) for key in queryset)  # type: ignore[attr-defined]
        text = ngettext("%(count)d key no longer works.", "%(count)d keys no longer work.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(UserSession)
class UserSessionAdmin(ServiceAdmin):
    list_display = ("user", "kind", "address", "user_agent", "created_at", "last_seen_at", "ended_at", "end_reason")
    list_filter = ("kind", ("ended_at", admin.EmptyFieldListFilter), "end_reason")
    search_fields = ("user__email", "address", "id")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    actions = ("end",)

    @admin.action(description=_("End these sessions"))
    def end(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        count = operators.end_sessions(actor=request.actor, session_ids=[row.pk for row in queryset])  # type: ignore[attr-defined]
        text = ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(SignInLink)
class SignInLinkAdmin(ServiceAdmin):
    list_display = ("user", "created_at", "expires_at", "used_at", "used_by")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("user__email",)
    list_select_related = ("user", "used_by")


@admin.register(AuditEntry)
class AuditEntryAdmin(ServiceAdmin):
    list_display = ("occurred_at", "action", "outcome", "actor_kind", "actor", "subject_type", "subject_id", "chain")
    list_filter = ("outcome", "actor_kind", "action")
    search_fields = ("action", "actor", "subject_id", "correlation_id", "organization_id")
    date_hierarchy = "occurred_at"
    readonly_fields = (
        "organization_id",
        "number",
        "occurred_at",
        "action",
        "outcome",
        "actor_kind",
        "actor",
        "key_id",
        "subject_type",
        "subject_id",
        "details",
        "correlation_id",
    )
    fields = readonly_fields

    @admin.display(description=_("Chain"))
    def chain(self, entry: AuditEntry) -> str:
        url = reverse("admin:accounts_organization_change", args=[entry.organization_id])
        return format_html('<a href="{}">#{}</a>', url, entry.number)


@admin.register(Erasure)
class ErasureAdmin(ServiceAdmin):
    list_display = ("created_at", "kind", "subject_id", "requested_by", "rows")
    list_filter = ("kind", "requested_by")
    search_fields = ("subject_id", "id")
    date_hierarchy = "created_at"
