"""Tables of people, organizations, projects and of how they sign in."""

from apps.accounts.models.people import (
    Invitation,
    Organization,
    OrganizationMember,
    Pseudonym,
    ServiceAccount,
    Team,
    TeamMember,
    TenantModel,
    User,
    UserManager,
)
from apps.accounts.models.projects import (
    Denial,
    Project,
    ProjectMember,
    ProjectQuerySet,
    ProjectTeam,
    denies,
    who_see_any,
    with_roles_in,
)
from apps.accounts.models.records import AuditEntry, Erasure
from apps.accounts.models.risk import BlockedNetwork, SignInAttempt, SignInCode, SignInSignal
from apps.accounts.models.sign_in import (
    ApiKey,
    CodeGuess,
    Device,
    IdentityProvider,
    SignInLink,
    UserSession,
    UserSessionQuerySet,
)

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BlockedNetwork",
    "CodeGuess",
    "Denial",
    "Device",
    "Erasure",
    "IdentityProvider",
    "Invitation",
    "Organization",
    "OrganizationMember",
    "Project",
    "ProjectMember",
    "ProjectQuerySet",
    "ProjectTeam",
    "Pseudonym",
    "ServiceAccount",
    "SignInAttempt",
    "SignInCode",
    "SignInLink",
    "SignInSignal",
    "Team",
    "TeamMember",
    "TenantModel",
    "User",
    "UserManager",
    "UserSession",
    "UserSessionQuerySet",
    "denies",
    "who_see_any",
    "with_roles_in",
]
