"""What is kept of one person, for them to take along: no secrets, and nothing that is only about others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts import events, policies
from apps.accounts.models import (
    ApiKey,
    CodeGuess,
    Denial,
    Device,
    Invitation,
    OrganizationMember,
    ProjectMember,
    ServiceAccount,
    SignInAttempt,
    SignInLink,
    TeamMember,
    User,
    UserSession,
)
from apps.accounts.services.attempts import account_hash
from apps.accounts.types import Actor
from apps.core import forgetting
from apps.core.doors.exporters import PersonExporter, person_exporters
from apps.core.events import emit
from apps.core.types import Scope

Rows = list[Mapping[str, object]]


def _rows_of(user_id: UUID) -> dict[str, Rows]:
    """By kind, oldest first. Of keys and second factors only what they are called and when they were used."""
    user = Q(user=user_id)
    addresses = list(EmailAddress.objects.filter(user).values_list("email", flat=True))
    addresses += User.objects.filter(pk=user_id).values_list("email", flat=True)
    return {
        "account": _rows(
            User.objects.filter(pk=user_id),
            "id email name language time_zone is_staff is_active created_at last_login",
        ),
        "addresses": _rows(EmailAddress.objects.filter(user), "email verified primary", order="pk"),
        "organizations": _rows(OrganizationMember.objects.filter(user), "organization__name role created_at"),
        "teams": _rows(TeamMember.objects.filter(user), "team__name is_manager created_at"),
        "projects": _rows(ProjectMember.objects.filter(user), "project__name role created_at"),
        # Why is for those who may deny.
        "denials": _rows(Denial.objects.filter(user), "permission project__name created_at expires_at"),
        "invitations": _rows(
            Invitation.objects.filter(Q(accepted_by=user_id) | Q(email__in=addresses)),
            "organization__name email role created_at expires_at accepted_at revoked_at",
        ),
        "invitations_sent": _rows(Invitation.objects.filter(invited_by=user_id), "role created_at accepted_at"),
        "service_accounts": _rows(
            ServiceAccount.objects.filter(Q(created_by=user_id) | user), "user__name description created_at disabled_at"
        ),
        "api_keys": _rows(
            ApiKey.objects.filter(user),
            "id organization__name project__name name hint scopes allowed_networks created_at expires_at last_used_at"
            " previous_until revoked_at",
        ),
        "sessions": _rows(
            UserSession.objects.filter(user),
            "id kind method auth_level device_id address user_agent created_at last_seen_at expires_at ended_at end_reason",
        ),
        "devices": _rows(Device.objects.filter(user), "id user_agent created_at last_seen_at forgotten_at"),
        "sign_in_attempts": _attempts(user | Q(account_hash__in=[account_hash(each) for each in addresses])),
        "sign_in_links": _rows(SignInLink.objects.filter(user | Q(used_by=user_id)), "created_at expires_at used_at"),
        "second_factors": [_factor(each) for each in Authenticator.objects.filter(user).order_by("pk")],
        "second_factor_guesses": _rows(CodeGuess.objects.filter(user), "created_at has_succeeded"),
        "identities": _rows(
            SocialAccount.objects.filter(user), "provider uid extra_data date_joined last_login", order="pk"
        ),
        **forgetting.list_person(user_id=user_id, addresses=addresses),
    }


def _rows(found: QuerySet[Any], fields: str, *, order: str = "created_at") -> Rows:
    return [
        {name.replace("__", "_"): value for name, value in row.items()}
        for row in found.order_by(order, "pk").values(*fields.split())
    ]


def _attempts(whose: Q) -> Rows:
    """With the reasons for their score."""
    names = "id created_at method device_id address country latitude longitude user_agent is_familiar has_succeeded score verdict"
    attempts: Iterable[SignInAttempt] = SignInAttempt.objects.filter(whose).prefetch_related("signals").order_by("pk")
    return [
        {name: getattr(attempt, name) for name in names.split()}
        | {
            "judged_at": attempt.judged_at,
            "signals": [
                {"signal": row.signal, "points": row.points, "facts": row.facts} for row in attempt.signals.all()
            ],
        }
        for attempt in attempts
    ]


def _factor(factor: Authenticator) -> dict[str, Any]:
    """A passkey has the name that its owner gave it. What it proves with stays here."""
    name = factor.wrap().name if factor.type == Authenticator.Type.WEBAUTHN else ""
    return {"type": factor.type, "name": name, "created_at": factor.created_at, "last_used_at": factor.last_used_at}


@transaction.atomic
def export_person(*, actor: Actor) -> dict[str, dict[str, Rows]]:
    """What every app keeps of the actor, by app and kind; it is on record (and in the audit log) before anything leaves.

    In person only: keys act in an organization, not on the person.
    """
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    emit(
        events.PersonExported(user_id=user.pk),
        actor=actor,
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )
    return {each.name: each.rows(user.pk) for each in person_exporters}


def register() -> None:
    person_exporters.register("accounts", PersonExporter("accounts", _rows_of))
