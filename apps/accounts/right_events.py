"""What this app announces of teams, denials, service accounts, what people leave, and of organizations that end. Topics as in ``events``."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("accounts.organization_closed.v1", label=_("Began to erase an organization"))
@dataclass(frozen=True, slots=True)
class OrganizationClosed:
    """Nobody has any right in it from now on, and its rows go piece by piece."""

    organization_id: UUID


@event("accounts.organization_put_away.v1", label=_("Put an organization away"))
@dataclass(frozen=True, slots=True)
class OrganizationPutAway:
    """Nobody sees it or has any right in it until an operator gives it back: it was set up before its owner's address was confirmed."""

    organization_id: UUID


@event("accounts.organization_given_back.v1", label=_("Gave an organization back"))
@dataclass(frozen=True, slots=True)
class OrganizationGivenBack:
    """Its members have the rights that they had; what ended when it was put away stays ended."""

    organization_id: UUID


@event("accounts.organization_erased.v1", label=_("Erased an organization"))
@dataclass(frozen=True, slots=True)
class OrganizationErased:
    """All its rows and files are gone for good."""

    organization_id: UUID


@event("accounts.team_created.v1", label=_("Made a team"))
@dataclass(frozen=True, slots=True)
class TeamCreated:
    """A team exists, without members."""

    team_id: UUID


@event("accounts.team_changed.v1", label=_("Changed a team"))
@dataclass(frozen=True, slots=True)
class TeamChanged:
    """``fields`` names what changed, never to what."""

    team_id: UUID
    fields: list[str]


@event("accounts.team_deleted.v1", label=_("Deleted a team"))
@dataclass(frozen=True, slots=True)
class TeamDeleted:
    """What the team gave its members, and what was denied to it, ended with it."""

    team_id: UUID


@event("accounts.team_member_set.v1", label=_("Set a place in a team"))
@dataclass(frozen=True, slots=True)
class TeamMemberSet:
    """Somebody is in the team; ``is_manager``: they say who else is."""

    team_id: UUID
    user_id: UUID
    is_manager: bool


@event("accounts.team_member_removed.v1", label=_("Took somebody out of a team"))
@dataclass(frozen=True, slots=True)
class TeamMemberRemoved:
    """What the team gave them ended with it."""

    team_id: UUID
    user_id: UUID


@event("accounts.project_team_set.v1", label=_("Set a team's role in a project"))
@dataclass(frozen=True, slots=True)
class ProjectTeamSet:
    """All members of the team have the role; ``old`` is None when it had none."""

    project_id: UUID
    team_id: UUID
    old: str | None
    new: str


@event("accounts.project_team_removed.v1", label=_("Took a team out of a project"))
@dataclass(frozen=True, slots=True)
class ProjectTeamRemoved:
    """What its members have otherwise remains."""

    project_id: UUID
    team_id: UUID


@event("accounts.denial_made.v1", label=_("Denied somebody something"))
@dataclass(frozen=True, slots=True)
class DenialMade:
    """About one person or one team; without ``project_id`` in all of the organization.

    ``replaced`` is what an earlier one took away there, and ``is_weaker`` says that this one takes less or ends sooner.
    """

    denial_id: UUID
    permission: str
    user_id: UUID | None
    team_id: UUID | None
    project_id: UUID | None
    replaced: str | None = None
    is_weaker: bool = False


@event("accounts.denial_lifted.v1", label=_("Lifted a denial"))
@dataclass(frozen=True, slots=True)
class DenialLifted:
    """What roles and grants give counts again."""

    denial_id: UUID
    permission: str
    user_id: UUID | None
    team_id: UUID | None
    project_id: UUID | None


@event("accounts.service_account_made.v1", label=_("Made a service account"))
@dataclass(frozen=True, slots=True)
class ServiceAccountMade:
    """A program belongs to the organization; ``user_id`` is what it acts as."""

    service_account_id: UUID
    user_id: UUID


@event("accounts.service_account_changed.v1", label=_("Changed a service account"))
@dataclass(frozen=True, slots=True)
class ServiceAccountChanged:
    """``fields`` names what changed, never to what."""

    service_account_id: UUID
    user_id: UUID
    fields: list[str]


@event("accounts.service_account_disabled.v1", label=_("Switched off a service account"))
@dataclass(frozen=True, slots=True)
class ServiceAccountDisabled:
    """None of its keys opens anything until it is switched on again."""

    service_account_id: UUID
    user_id: UUID


@event("accounts.service_account_enabled.v1", label=_("Switched on a service account"))
@dataclass(frozen=True, slots=True)
class ServiceAccountEnabled:
    """Its keys that were not withdrawn work again."""

    service_account_id: UUID
    user_id: UUID


@event("accounts.belongings_handed_over.v1", label=_("Handed over what somebody leaves"))
@dataclass(frozen=True, slots=True)
class BelongingsHandedOver:
    """What ``user_id`` had is others' now, first of all ``heir_id``'s: so many projects, and so many things of other apps."""

    user_id: UUID
    heir_id: UUID
    projects: int
    things: int
