"""What organizations ask of a sign-in. For a person the strictest of all their organizations holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts.models import IdentityProvider, OrganizationMember
from apps.accounts.types import SignInMethod
from apps.core.doors.settings import Level, Setting, WrongValue
from apps.core.models import StoredSetting

SECOND_FACTOR = Setting(
    "accounts.require_second_factor",
    bool,
    default=False,
    title=_("Ask everybody for a second factor"),
    help=_("Who has none yet sets one up at the next sign-in, before anything else opens."),
    levels=(Level.ORGANIZATION,),
)
SSO_ONLY = Setting(
    "accounts.sso_only",
    bool,
    default=False,
    title=_("Only through the organization's identity provider"),
    help=_("No passwords. In force as long as a provider of the organization is on."),
    levels=(Level.ORGANIZATION,),
)
MAIL_DOMAINS = Setting(
    "accounts.mail_domains",
    list,
    default=[],
    title=_("Mail domains of people who may join"),
    help=_("Empty: any."),
    levels=(Level.ORGANIZATION,),
)
HOURS = Setting(
    "accounts.session_hours",
    int,
    default=0,
    title=_("Hours after which everybody signs in again"),
    help=_("0: as the installation has it."),
    levels=(Level.ORGANIZATION,),
    minimum=0,
    maximum=24 * 365,
)
IDLE_MINUTES = Setting(
    "accounts.idle_minutes",
    int,
    default=0,
    title=_("Minutes without use after which a session ends"),
    help=_("0: as the installation has it. At least 5."),
    levels=(Level.ORGANIZATION,),
    minimum=0,
    maximum=60 * 24 * 365,
)
SETTINGS = (SECOND_FACTOR, SSO_ONLY, MAIL_DOMAINS, HOURS, IDLE_MINUTES)
#: When a session was last used is noted once a minute.
LEAST_IDLE_MINUTES = 5
KEYS = frozenset(setting.key for setting in SETTINGS)


@dataclass(frozen=True, slots=True)
class SignInRules:
    """``providers``: only through one of these; None leaves the way open. ``hours``, ``idle_minutes`` None: as the installation has it."""

    needs_second_factor: bool = False
    providers: frozenset[UUID] | None = None
    hours: int | None = None
    idle_minutes: int | None = None

    def allows(self, method: str, provider_id: UUID | None) -> bool:
        """A link that an operator had mailed is the way in for who is locked out."""
        return self.providers is None or provider_id in self.providers or method == SignInMethod.LINK


def strictest(each: Iterable[SignInRules]) -> SignInRules:
    """Of several that name providers any one of theirs will do: nobody signs in through two at once."""
    listed = list(each)
    named = [rules.providers for rules in listed if rules.providers is not None]
    return SignInRules(
        any(rules.needs_second_factor for rules in listed),
        frozenset().union(*named) if named else None,
        min((rules.hours for rules in listed if rules.hours), default=None),
        min((rules.idle_minutes for rules in listed if rules.idle_minutes), default=None),
    )


def rules_of(user_id: UUID) -> SignInRules:
    """Asked when a session begins and when a rule or a membership changes; straight from the rows, not from what is kept."""
    belongs = OrganizationMember.objects.filter(user=user_id, organization__deleted_at=None)
    organizations = list(belongs.values_list("organization", flat=True))
    return strictest(_rules(organizations).values())


def _rules(organizations: list[UUID]) -> dict[UUID, SignInRules]:
    said = _said(organizations)
    if not said:
        return {}
    providers: dict[UUID, set[UUID]] = defaultdict(set)
    enabled = IdentityProvider.objects.filter(organization__in=said, is_enabled=True)
    for pk, organization in enabled.values_list("pk", "organization"):
        providers[organization].add(pk)
    return {
        organization: SignInRules(
            values.get(SECOND_FACTOR.key, False),
            frozenset(providers[organization]) if values.get(SSO_ONLY.key) and providers[organization] else None,
            values.get(HOURS.key) or None,
            max(values[IDLE_MINUTES.key], LEAST_IDLE_MINUTES) if values.get(IDLE_MINUTES.key) else None,
        )
        for organization, values in said.items()
    }


def _said(organizations: list[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = StoredSetting.objects.filter(level=Level.ORGANIZATION.value, target_id__in=organizations, key__in=KEYS)
    by_key = {setting.key: setting for setting in SETTINGS}
    said: dict[UUID, dict[str, Any]] = defaultdict(dict)
    for organization, key, value in rows.values_list("target_id", "key", "value"):
        if organization is None:
            continue
        try:
            said[organization][key] = by_key[key].checked(value)
        except WrongValue:
            continue
    return said


def said_in(organization_id: UUID) -> dict[str, Any]:
    """What one organization says, by the settings' short names, with the defaults of what it does not say."""
    said = _said([organization_id]).get(organization_id, {})
    return {setting.key.partition(".")[2]: said.get(setting.key, setting.default) for setting in SETTINGS}


def rules_in(organization_id: UUID) -> SignInRules:
    return _rules([organization_id]).get(organization_id, SignInRules())


def mail_domains(organization_id: UUID) -> list[str]:
    return [domain.lower() for domain in _said([organization_id]).get(organization_id, {}).get(MAIL_DOMAINS.key, [])]


def is_in(email: str, domains: Iterable[str]) -> bool:
    return email.rpartition("@")[2].strip().lower() in {domain.strip().lower() for domain in domains}
