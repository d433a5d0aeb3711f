"""What this app announces. Topics: ``user:<id>``, ``organization:<id>``, ``project:<id>``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("accounts.user_created.v1", public="user.created", label=_("Account made"))
@dataclass(frozen=True, slots=True)
class UserCreated:
    """A person exists. ``how``: sign_up, invitation, first_start, sso, operator."""

    user_id: UUID
    how: str


@event("accounts.signed_in.v1", label=_("Signed in"))
@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session began; ``kind`` is cookie or token, ``method`` how the person proved who they are, ``level`` how well."""

    user_id: UUID
    session_id: UUID
    kind: str
    method: str = "password"
    level: int = 1


@event("accounts.sign_in_refused.v1", label=_("Sign-in refused"))
@dataclass(frozen=True, slots=True)
class SignInRefused:
    """A password or code was wrong, there were too many, or the risk was too high; ``reason`` is the error's code."""

    user_id: UUID
    reason: str


@event("accounts.second_factor_asked.v1", label=_("Asked for a second step at sign-in"))
@dataclass(frozen=True, slots=True)
class SecondFactorAsked:
    """The password was right and the attempt unusual; ``signals`` says why, ``score`` is the sum of their points."""

    user_id: UUID
    attempt_id: UUID
    score: int
    signals: list[str]


@event("accounts.second_factor_waived.v1", label=_("Let an unusual sign-in pass, as no mail goes out"))
@dataclass(frozen=True, slots=True)
class SecondFactorWaived:
    """As ``SecondFactorAsked``, of somebody without a factor of their own where no code can be mailed: they are let in."""

    user_id: UUID
    attempt_id: UUID
    score: int
    signals: list[str]


@event("accounts.device_forgotten.v1", label=_("Forgot a device"))
@dataclass(frozen=True, slots=True)
class DeviceForgotten:
    """The device counts as new from now on; its sessions have ended."""

    user_id: UUID
    device_id: UUID


@event("accounts.blocked_networks_changed.v1", label=_("Changed the list of blocked networks"))
@dataclass(frozen=True, slots=True)
class BlockedNetworksChanged:
    """How many networks the operators' list gained, lost and changed."""

    added: int
    removed: int
    changed: int


@event("accounts.sessions_ended.v1", label=_("Sessions ended"))
@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """Sessions of a person are over; ``session_ids`` lists them, ``reason`` is a SessionEnd."""

    user_id: UUID
    session_ids: list[UUID]
    reason: str


@event("accounts.second_factor_added.v1", label=_("Set up a second factor"))
@dataclass(frozen=True, slots=True)
class SecondFactorAdded:
    """``kind``: totp, webauthn or recovery_codes (new codes replace the ones before)."""

    user_id: UUID
    kind: str


@event("accounts.second_factor_removed.v1", label=_("Removed a second factor"))
@dataclass(frozen=True, slots=True)
class SecondFactorRemoved:
    """By the person, or by an operator who lets them in again after they lost it."""

    user_id: UUID
    kind: str


@event("accounts.identity_provider_made.v1", label=_("Added an identity provider"))
@dataclass(frozen=True, slots=True)
class IdentityProviderMade:
    """People of the organization may sign in through it."""

    provider_id: UUID


@event("accounts.identity_provider_changed.v1", label=_("Changed an identity provider"))
@dataclass(frozen=True, slots=True)
class IdentityProviderChanged:
    """``fields`` names what changed, never to what."""

    provider_id: UUID
    fields: list[str]


@event("accounts.identity_provider_removed.v1", label=_("Removed an identity provider"))
@dataclass(frozen=True, slots=True)
class IdentityProviderRemoved:
    """Links of people to it are gone, and its sessions ended."""

    provider_id: UUID


@event("accounts.identity_unlinked.v1", label=_("Unlinked from an identity provider"))
@dataclass(frozen=True, slots=True)
class IdentityUnlinked:
    """The person no longer signs in through ``provider`` (its short name)."""

    user_id: UUID
    provider: str


@event("accounts.identity_linked.v1", label=_("Linked to an identity provider"))
@dataclass(frozen=True, slots=True)
class IdentityLinked:
    """The person signs in through ``provider`` (its short name) too."""

    user_id: UUID
    provider: str


@event("accounts.password_changed.v1", label=_("Changed the password"))
@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """Somebody has a new password; their other sessions ended with it."""

    user_id: UUID


@event("accounts.profile_changed.v1", label=_("Changed the profile"))
@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """``fields`` names what changed, never to what."""

    user_id: UUID
    fields: list[str]


@event("accounts.activity_changed.v1", label=_("Let in or kept out by an operator"))
@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """An operator kept somebody out, or let them in again."""

    user_id: UUID
    is_active: bool


@event("accounts.sign_in_link_made.v1", label=_("Made a link to sign in"))
@dataclass(frozen=True, slots=True)
class SignInLinkMade:
    """``user_id`` is None for the link that claims the instance."""

    link_id: UUID
    user_id: UUID | None


@event("accounts.instance_claimed.v1", label=_("Became the first owner"))
@dataclass(frozen=True, slots=True)
class InstanceClaimed:
    """The first person became the owner of the home organization and an operator."""

    user_id: UUID


@event("accounts.organization_created.v1", label=_("Made the organization"))
@dataclass(frozen=True, slots=True)
class OrganizationCreated:
    """A tenant exists, with a first project of its own."""

    organization_id: UUID


@event("accounts.organization_changed.v1", label=_("Changed the organization"))
@dataclass(frozen=True, slots=True)
class OrganizationChanged:
    """``fields`` names what changed, never to what."""

    organization_id: UUID
    fields: list[str]


@event("accounts.member_joined.v1", label=_("Joined the organization"))
@dataclass(frozen=True, slots=True)
class MemberJoined:
    """Somebody belongs to the organization; ``invitation_id`` when they were invited."""

    user_id: UUID
    role: str
    invitation_id: UUID | None = None


@event("accounts.member_role_changed.v1", label=_("Changed a role"))
@dataclass(frozen=True, slots=True)
class MemberRoleChanged:
    """Their sessions ended with it."""

    user_id: UUID
    old: str
    new: str


@event("accounts.member_removed.v1", label=_("Removed from the organization"))
@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """They left or were removed; their keys and project roles ended with it."""

    user_id: UUID
    role: str


@event("accounts.invitation_made.v1", label=_("Invited somebody"))
@dataclass(frozen=True, slots=True)
class InvitationMade:
    """A link was mailed; ``role`` is what it gives."""

    invitation_id: UUID
    role: str


@event("accounts.invitation_revoked.v1", label=_("Took an invitation back"))
@dataclass(frozen=True, slots=True)
class InvitationRevoked:
    """The link no longer works."""

    invitation_id: UUID


@event("accounts.project_created.v1", label=_("Made a project"))
@dataclass(frozen=True, slots=True)
class ProjectCreated:
    """A project exists."""

    project_id: UUID


@event("accounts.project_changed.v1", label=_("Changed a project"))
@dataclass(frozen=True, slots=True)
class ProjectChanged:
    """``access`` is the new value when it was among the ``fields``."""

    project_id: UUID
    fields: list[str]
    access: str | None = None


@event("accounts.project_archived.v1", label=_("Archived a project"))
@dataclass(frozen=True, slots=True)
class ProjectArchived:
    """Hidden from lists, still readable."""

    project_id: UUID


@event("accounts.project_restored.v1", label=_("Brought a project back"))
@dataclass(frozen=True, slots=True)
class ProjectRestored:
    """No longer archived."""

    project_id: UUID


@event("accounts.project_member_set.v1", label=_("Set a role in a project"))
@dataclass(frozen=True, slots=True)
class ProjectMemberSet:
    """Somebody has a role of their own in a project; ``old`` is None when they had none."""

    project_id: UUID
    user_id: UUID
    old: str | None
    new: str


@event("accounts.project_member_removed.v1", label=_("Took somebody out of a project"))
@dataclass(frozen=True, slots=True)
class ProjectMemberRemoved:
    """What the organization's role gives remains."""

    project_id: UUID
    user_id: UUID


@event("accounts.ownership_transferred.v1", label=_("Handed over the organization"))
@dataclass(frozen=True, slots=True)
class OwnershipTransferred:
    """``user_id`` owns it now; who handed it over is an admin."""

    user_id: UUID


@event("accounts.api_key_made.v1", label=_("Made an API key"))
@dataclass(frozen=True, slots=True)
class ApiKeyMade:
    """``scopes`` empty: all that its owner may."""

    key_id: UUID
    scopes: list[str]


@event("accounts.api_key_changed.v1", label=_("Changed an API key"))
@dataclass(frozen=True, slots=True)
class ApiKeyChanged:
    """``fields`` names what changed; ``is_wider``: it may do more than before, for longer, or from more places."""

    key_id: UUID
    fields: list[str]
    is_wider: bool


@event("accounts.api_key_renewed.v1", label=_("Renewed the secret of an API key"))
@dataclass(frozen=True, slots=True)
class ApiKeyRenewed:
    """It has a new secret; the one before opens until ``previous_until``, None: not any more."""

    key_id: UUID
    previous_until: datetime | None


@event("accounts.api_key_revoked.v1", label=_("Withdrew an API key"))
@dataclass(frozen=True, slots=True)
class ApiKeyRevoked:
    """The key opens nothing from now on."""

    key_id: UUID


@event("accounts.person_exported.v1", label=_("Took along what is kept of them"))
@dataclass(frozen=True, slots=True)
class PersonExported:
    """Somebody saved what is kept of themselves as a file."""

    user_id: UUID


@event("accounts.person_erased.v1", public="user.deleted", label=_("Erased a person"))
@dataclass(frozen=True, slots=True)
class PersonErased:
    """Name, address and rights are gone for good; what they wrote has an anonymous author."""

    user_id: UUID


@event("accounts.audit_exported.v1", label=_("Saved the audit log as a file"))
@dataclass(frozen=True, slots=True)
class AuditExported:
    """Entries of an organization's audit log left as a file; ``file_format`` is csv or json."""

    organization_id: UUID
    file_format: str


def user_topic(user_id: UUID) -> str:
    return f"user:{user_id}"


def organization_topic(organization_id: UUID) -> str:
    return f"organization:{organization_id}"
