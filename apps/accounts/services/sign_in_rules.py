"""An organization's rules about signing in: changed here, and in force for open sessions at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import policies, rules, selectors, sign_in_selectors
from apps.accounts.models import OrganizationMember, UserSession
from apps.accounts.services import fresh_proofs, sessions
from apps.accounts.types import SYSTEM, Actor, MailDomainNotAllowed
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.core.errors import FieldError
from apps.core.rules import domains


@transaction.atomic
def change_rules(*, actor: Actor, organization_id: UUID, **values: Any) -> int:
    """``accounts.`` settings by their short names, with a fresh proof. Returns how many sessions ended because they no longer satisfy."""
    organization = selectors.lock_organization(organization_id, actor)
    policies.require(policies.can_manage_organization(actor, selectors.role_of(actor, organization)))
    if actor.session_id is not None:  # a key has the scope, or has not
        fresh_proofs.require_fresh(actor=actor)
    if "mail_domains" in values:
        values["mail_domains"] = domains(values["mail_domains"], field="mail_domains")
    said = rules.said_in(organization_id)
    for name, value in values.items():
        if said.get(name) == value:
            continue  # one rule that changes is one entry in the log
        preferences.change_setting(
            actor=actor,
            key=f"accounts.{name}",
            level=Level.ORGANIZATION,
            target_id=organization_id,
            value=value,
            organization_id=organization_id,
        )
    return enforce(organization_id=organization_id, actor=actor)


@transaction.atomic
def enforce(*, organization_id: UUID, actor: Actor = SYSTEM) -> int:
    """Sessions that are beginning by the rules of before are waited for, so that they are among those that are looked at."""
    sign_in_selectors.await_sessions_that_begin(organization_id=organization_id)
    members = OrganizationMember.objects.filter(organization=organization_id).values("user")
    people = UserSession.objects.not_over().filter(user__in=members).values_list("user", flat=True).distinct()
    return sum(sessions.end_unfit(user_id=user_id, actor=actor) for user_id in people.order_by())


def require_mail_domains_of(*, user_id: UUID, email: str) -> None:
    """For somebody who changes to this address: who could not have joined with it does not stay with it."""
    belongs = OrganizationMember.objects.filter(user=user_id, organization__deleted_at=None)
    for organization_id in belongs.values_list("organization", flat=True):
        require_mail_domain(organization_id=organization_id, email=email)


def require_mail_domain(*, organization_id: UUID, email: str) -> None:
    """Raises ``MailDomainNotAllowed`` (400) for somebody who may not join with this address."""
    domains = rules.mail_domains(organization_id)
    if domains and not rules.is_in(email, domains):
        detail = str(MailDomainNotAllowed.default_detail)
        raise MailDomainNotAllowed(fields=[FieldError("email", MailDomainNotAllowed.code, detail)])
