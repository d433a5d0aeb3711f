"""Who acts, and what roles there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, Forbidden, Invalid, LimitReached, NotAuthenticated, Unavailable


class ActorKind(StrEnum):
    MEMBER = "member"
    KEY = "key"
    SERVICE = "service"
    SHARE_LINK = "share_link"
    SYSTEM = "system"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. Made by ``actors.actor_for`` for every transport; services and selectors take nothing else for rights.

    A member's ``organization_id`` is None: it is derived from the object. A key belongs to one organization, perhaps to one project, and does
    no more than its ``scopes``; empty are all of its owner's. ``secret`` (the begin of its hash) and ``address`` are a caller's alone.
    """

    kind: ActorKind
    user_id: UUID | None = None
    organization_id: UUID | None = None
    project_id: UUID | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    auth_level: int = 1
    session_id: UUID | None = None
    key_id: UUID | None = None
    is_operator: bool = False
    language: str = "en"
    time_zone: str = ""
    secret: bytes = field(default=b"", repr=False)
    address: str | None = field(default=None, repr=False)

    @property
    def is_somebody(self) -> bool:
        return self.kind is not ActorKind.NOBODY

    @property
    def is_authenticated(self) -> bool:  # what REST framework asks of ``request.user``
        return self.is_somebody


#: Who has rights by the memberships of a ``User`` row: in person, by a key, or as a program.
ACCOUNTS = frozenset({ActorKind.MEMBER, ActorKind.KEY, ActorKind.SERVICE})

NOBODY = Actor(kind=ActorKind.NOBODY)
SYSTEM = Actor(kind=ActorKind.SYSTEM)


class OrganizationRole(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    MEMBER = "member", _("Member")
    GUEST = "guest", _("Guest")


class ProjectRole(models.TextChoices):
    MANAGER = "manager", _("Manager")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


class ProjectAccess(models.TextChoices):
    ORGANIZATION = "organization", _("Everyone in the organization")
    RESTRICTED = "restricted", _("Only people who were added")


_RANK = {ProjectRole.VIEWER: 1, ProjectRole.EDITOR: 2, ProjectRole.MANAGER: 3}


def roles_from(least: ProjectRole) -> list[ProjectRole]:
    """``least`` and the roles that can do more."""
    return [role for role in ProjectRole if _RANK[role] >= _RANK[least]]


def roles_up_to(most: ProjectRole) -> list[ProjectRole]:
    """``most`` and the roles that can do less."""
    return [role for role in ProjectRole if _RANK[role] <= _RANK[most]]


def highest(roles: Iterable[ProjectRole]) -> ProjectRole | None:
    return max(roles, key=_RANK.__getitem__, default=None)


class Permission(models.TextChoices):
    """What a denial takes away, least first: who may not view may nothing, who may not post may still read."""

    VIEW = "view", _("See it")
    POST = "post", _("Write in it")
    MANAGE = "manage", _("Manage it")


def denials_against(least: ProjectRole) -> list[Permission]:
    """The denials that keep somebody from having ``least``: without viewing there is no posting, without both no managing."""
    return list(Permission)[: _RANK[least]]


#: A key, or a person, that nobody saw for so long deserves a second look.
UNUSED_AFTER = timedelta(days=90)

#: Where the addresses of service accounts are: no mail ever arrives there (RFC 2606).
SERVICE_DOMAIN = "service.invalid"


class SignInMethod(models.TextChoices):
    PASSWORD = "password", _("Password")
    LINK = "link", _("Sign-in link")
    PASSKEY = "passkey", _("Passkey")
    SSO = "sso", _("Single sign-on")


class RiskSignal(models.TextChoices):
    NEW_DEVICE = "new_device", _("New device")
    NEW_NETWORK = "new_network", _("New network")
    IMPOSSIBLE_TRAVEL = "impossible_travel", _("Too far away for the time between")
    VELOCITY = "velocity", _("Many attempts at this account")
    PASSWORD_SPRAY = "password_spray", _("One address tries many accounts")
    KNOWN_BAD = "known_bad", _("A network that is known for attacks")


class RiskVerdict(models.TextChoices):
    ALLOWED = "allowed", _("Let in")
    STEP_UP = "step_up", _("Asked for a second factor")
    REFUSED = "refused", _("Refused")
    WAIVED = "waived", _("Let in, as nothing could be asked for")


class IdentityProviderKind(models.TextChoices):
    OIDC = "oidc", _("OpenID Connect")
    GOOGLE = "google", _("Google")
    GITHUB = "github", _("GitHub")
    MICROSOFT = "microsoft", _("Microsoft")


class SessionKind(models.TextChoices):
    COOKIE = "cookie", _("Browser")
    TOKEN = "token", _("Program")


class SessionEnd(models.TextChoices):
    SIGNED_OUT = "signed_out", _("Signed out")
    REVOKED = "revoked", _("Ended from another device")
    PASSWORD = "password", _("Password changed")
    RIGHTS = "rights", _("Rights changed")
    REUSED = "reused", _("A used refresh token came again")
    OPERATOR = "operator", _("Ended by an operator")
    ERASED = "erased", _("The account was erased")
    RULES = "rules", _("The organization asks for more")


class ErasureKind(models.TextChoices):
    PERSON = "person", _("Person")
    ORGANIZATION = "organization", _("Organization")


class AuditOutcome(models.TextChoices):
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")


class AuditFormat(models.TextChoices):
    CSV = "csv", "CSV"
    JSON = "json", "JSON"


class Way(models.TextChoices):
    """By which right somebody has a role in a project."""

    ADMIN = "admin", _("owner or admin")
    OWN = "own", _("added to it")
    OPEN = "open", _("open to the organization")
    TEAM = "team", _("by a team")


class Finding(models.TextChoices):
    """What deserves a second look in a review of access."""

    SWITCHED_OFF = "switched_off", _("Switched off, and still a member")
    STALE = "stale", _("Not seen for 90 days")
    NEVER_SEEN = "never_seen", _("Never signed in")
    GUEST_MANAGES = "guest_manages", _("A guest who manages a project")
    NO_SECOND_FACTOR = "no_second_factor", _("Manages others with nothing but a password")
    KEY_UNUSED = "key_unused", _("A key unused for 90 days")
    KEY_WITHOUT_END = "key_without_end", _("A key that never expires")
    KEY_WITHOUT_LIMITS = "key_without_limits", _("A key without limits")


class ScopeMissing(Forbidden):
    code = "scope_missing"
    default_detail = _("Only a key without scopes may do that.")


class SignInFailed(NotAuthenticated):
    code = "sign_in_failed"
    title = _("Sign-in failed")
    default_detail = _("E-mail address or password do not match.")


class AnswerQuotaReached(LimitReached):
    code = "answer_quota_reached"
    title = _("Quota used up")
    default_detail = _("You have asked for as many answers as your organization allows. Try again later.")
    reason = "quota"


class CodeRefused(NotAuthenticated):
    code = "code_refused"
    title = _("Sign-in failed")
    default_detail = _("This code is wrong, was used, or has expired.")


class SecondFactorNeeded(NotAuthenticated):
    code = "second_factor_needed"
    title = _("A second factor is needed")
    default_detail = _("Send the code of the authenticator app, or a recovery code, as “code”.")


class SecondFactorMissing(Forbidden):
    code = "second_factor_missing"
    title = _("A second factor is needed")
    default_detail = _("Your organization asks for a second factor. Sign in with the browser and set one up.")


class SsoNeeded(Forbidden):
    code = "sso_needed"
    title = _("Sign in through your organization")
    default_detail = _("Your organization signs its people in itself: use its button on the sign-in page.")


class MailDomainNotAllowed(Invalid):
    code = "mail_domain_not_allowed"
    default_detail = _("The organization takes only people with an address in its own mail domains.")


class SsoRefused(Forbidden):
    code = "sso_refused"
    title = _("Sign-in failed")
    default_detail = _(
        "This identity provider did not say enough to let you in: it has to confirm an address of the organization."
    )


class SsoNotLinked(Forbidden):
    code = "sso_not_linked"
    title = _("Sign-in failed")
    default_detail = _(
        "Somebody uses this e-mail address already. Sign in as before and connect the provider in your settings, "
        "or ask an owner for an invitation."
    )


class ProviderUnreachable(Unavailable):
    code = "identity_provider_unreachable"
    default_detail = _("The identity provider does not answer as it should. Try again in a minute.")


class SlugTaken(Conflict):
    code = "slug_taken"
    default_detail = _("There is an identity provider of this short name. Choose another.")


class TooManyAttempts(LimitReached):
    code = "too_many_attempts"
    title = _("Too many attempts")
    default_detail = _("There were too many attempts. Wait a few minutes, then try again.")


class SecondFactorNotValid(Invalid):
    code = "second_factor_not_valid"
    title = _("The code does not match")
    default_detail = _("This code does not match, or its time is over. Look at the newest mail, or sign in again.")


class SignInRefusedByRisk(Forbidden):
    code = "sign_in_refused"
    title = _("This sign-in was refused")
    default_detail = _(
        "This sign-in looks like an attack and was refused. Sign in from a device or network you have used before, or ask for a sign-in link."
    )


class NetworkListRefused(Invalid):
    code = "network_list_refused"
    title = _("The list was not loaded")
    default_detail = _("The list has lines that are no networks. Nothing was changed.")


class TokenInAddress(NotAuthenticated):
    code = "token_in_address"
    default_detail = _("Send the key in a header: addresses end up in logs.")


class EmailTaken(Invalid):
    code = "email_taken"
    default_detail = _("Somebody uses this e-mail address already. Sign in instead.")


class LinkNotValid(Invalid):
    code = "link_not_valid"
    default_detail = _("This link was used, has expired, or is not complete. Ask for a new one.")


class InvitationNotValid(Invalid):
    code = "invitation_not_valid"
    default_detail = _("This invitation was used, withdrawn, has expired, or is for another e-mail address.")


class AlreadyMember(Conflict):
    code = "already_member"
    default_detail = _("This person belongs to the organization already.")


class LastOwner(Conflict):
    code = "last_owner"
    default_detail = _("An organization keeps at least one owner. Make somebody else an owner first.")


class LastOperator(Conflict):
    code = "last_operator"
    default_detail = _("This is the only operator of the installation. Make somebody else one first.")


class HomeStays(Conflict):
    code = "home_stays"
    default_detail = _("The organization that the installation began with cannot be erased.")


class ResetNotValid(Invalid):
    code = "reset_not_valid"
    default_detail = _("This link was used, has expired, or is not complete. Ask for a new one.")


class PasswordRefused(Invalid):
    code = "password_refused"
    default_detail = _("Choose another password.")


class KeyNotGrantable(Forbidden):
    code = "key_not_grantable"
    default_detail = _("A key cannot do more than the one who makes it.")


class KeyEnded(Conflict):
    code = "key_ended"
    default_detail = _("This key was withdrawn or has expired. Make a new one.")


class NotAMember(Invalid):
    code = "not_a_member"
    default_detail = _("This person does not belong to the organization.")


class TeamNameTaken(Conflict):
    code = "team_name_taken"
    default_detail = _("The organization has a team of this name already.")


class NetworkNotValid(Invalid):
    code = "network_not_valid"
    default_detail = _("Write networks as 192.0.2.0/24 or 2001:db8::/32, or single addresses.")


class FreshSignInNeeded(Forbidden):
    code = "fresh_sign_in_needed"
    default_detail = _("Sign in again first: this takes a session that began a few minutes ago.")


class LastWayIn(Conflict):
    code = "last_way_in"
    default_detail = _("Nothing else would let you in. Set a password or add a passkey first.")


class NotTransferable(Conflict):
    code = "not_transferable"
    default_detail = _("An organization is handed over to another of its people, whose account is in use.")


class HeirNotFit(Invalid):
    code = "heir_not_fit"
    default_detail = _("What somebody leaves goes to a member of the organization whose account is in use.")


class StillInUse(Conflict):
    code = "still_in_use"
    default_detail = _("This account is in use: what belongs to it is handed over when the person leaves.")
