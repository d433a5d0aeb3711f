"""Who may do what: the one permission table, and pure predicates over it. Rows are read by ``selectors``."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.types import (
    Actor,
    ActorKind,
    OrganizationRole,
    ProjectAccess,
    ProjectRole,
    ScopeMissing,
    highest,
    roles_from,
    roles_up_to,
)
from apps.core.errors import Forbidden

# What a role may do. A project role is asked for what happens in a project, an organization role for the rest. What a denial
# names is one of the project's permissions: it takes away the role that has it, and those above.
PROJECT_PERMISSIONS: dict[str, ProjectRole] = {
    "view": ProjectRole.VIEWER,
    "post": ProjectRole.EDITOR,
    "manage": ProjectRole.MANAGER,
}
_EVERYONE = frozenset(OrganizationRole)
_REGULAR = frozenset({OrganizationRole.OWNER, OrganizationRole.ADMIN, OrganizationRole.MEMBER})
_ADMINS = frozenset({OrganizationRole.OWNER, OrganizationRole.ADMIN})
_OWNERS = frozenset({OrganizationRole.OWNER})
ORGANIZATION_PERMISSIONS: dict[str, frozenset[OrganizationRole]] = {
    "view": _EVERYONE,
    "list_members": _REGULAR,
    "create_project": _REGULAR,
    "manage": _ADMINS,
    "manage_members": _ADMINS,
    "manage_providers": _ADMINS,
    "manage_budgets": _ADMINS,
    "read_audit": _ADMINS,
    "list_teams": _REGULAR,
    "manage_teams": _ADMINS,
    "manage_service_accounts": _ADMINS,
    "deny": _ADMINS,
    "own": _OWNERS,
}

#: Who may be given what somebody leaves.
HEIRS = _REGULAR

# What a key can be limited to, and who may hand it out. A key without scopes may do what its owner may.
SCOPES: dict[str, frozenset[OrganizationRole]] = {
    "conversations:read": _EVERYONE,
    "conversations:write": _EVERYONE,
    "bulk:read": _EVERYONE,
    "bulk:write": _EVERYONE,
    "records:read": _EVERYONE,
    "records:write": _EVERYONE,
    "workflows:read": _EVERYONE,
    "workflows:write": _EVERYONE,
    "agents:read": _EVERYONE,
    "agents:write": _REGULAR,
    "models:read": _EVERYONE,
    "models:use": _EVERYONE,
    "models:write": _ADMINS,
    "projects:read": _EVERYONE,
    "projects:write": _REGULAR,
    "organizations:read": _EVERYONE,
    "organizations:write": _ADMINS,
    "audit:read": _ADMINS,
}

# First part of an API path → family of scopes. A path that is not here is closed to keys that have scopes.
SCOPE_FAMILIES: dict[str, str] = {
    "conversations": "conversations",
    "messages": "conversations",
    "turns": "conversations",
    "attachments": "conversations",
    "files": "conversations",
    "search": "conversations",
    "commands": "conversations",
    "bulk-operations": "bulk",
    "jobs": "bulk",
    "collections": "records",
    "records": "records",
    "extractions": "records",
    "proposals": "records",
    "workflows": "workflows",
    "runs": "workflows",
    "agents": "agents",
    "tools": "agents",
    "prompts": "agents",
    "models": "models",
    "providers": "models",
    "usage": "models",
    "budgets": "models",
    "text": "models",
    "projects": "projects",
    "packs": "projects",
    "organizations": "organizations",
    "members": "organizations",
    "invitations": "organizations",
    "api-keys": "organizations",
    "teams": "organizations",
    "denials": "organizations",
    "service-accounts": "organizations",
    "access-review": "audit",
    "audit": "audit",
    "events": "audit",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def require(verdict: bool, *, detail: str | None = None) -> None:  # noqa: FBT001  (the sentence reads as one)
    """Raise ``Forbidden`` (403) unless the verdict is yes. For those who may know of the object; strangers get 404 before."""
    if not verdict:
        raise Forbidden(detail)


# Scopes of keys


def has_scope(actor: Actor, scope: str) -> bool:
    return not actor.scopes or scope in actor.scopes


def require_scope(actor: Actor, scope: str) -> None:
    if not has_scope(actor, scope):
        detail = _("This key was not given the scope %(scope)s.") % {"scope": scope} if scope else None
        raise ScopeMissing(detail, scope=scope)


def scope_for_request(path: str, method: str) -> str | None:
    """The scope that an API path takes; None where every key may go; ``""`` where only keys without scopes may."""
    parts = path.strip("/").split("/")
    action = "read" if method in SAFE_METHODS else "write"
    match parts:
        case ["api", "v1", "me"] if action == "read":
            return None
        case ["api", "v1", "models", "route"] | ["api", "v1", "text", "analyze"]:
            return "models:read"  # a question that needs a body
        case ["api", "v1", family, *_] if family in SCOPE_FAMILIES:
            return f"{SCOPE_FAMILIES[family]}:{action}"
        case ["v1", "models", *_]:
            return "models:read"
        case ["v1", *_]:
            return "models:use"
        case _:
            return ""


def can_grant_scope(actor: Actor, role: OrganizationRole | None, scope: str) -> bool:
    return role is not None and role in SCOPES.get(scope, frozenset()) and has_scope(actor, scope)


# Organizations


def effective_organization_role(actor: Actor, role: OrganizationRole | None) -> OrganizationRole | None:
    """What remains of the owner's role to this actor: a key that is limited to a project is a guest in the organization."""
    if role is not None and actor.project_id is not None:
        return OrganizationRole.GUEST
    return role


def _organization(permission: str, role: OrganizationRole | None) -> bool:
    return role is not None and role in ORGANIZATION_PERMISSIONS[permission]


def can_view_organization(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("view", role)


def can_create_organization(actor: Actor, *, is_trusted: bool) -> bool:
    """In person: operators, and who is trusted with it by the way they came (``founding``)."""
    return can_change_own_account(actor) and (is_trusted or can_operate(actor))


def can_create_project(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("create_project", role)


def can_manage_organization(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("manage", role)


def can_manage_identity(actor: Actor, role: OrganizationRole | None, *, is_home: bool) -> bool:
    """Whose word counts for which mail domains opens accounts, owners' too: only owners of the home organization say so, or operators."""
    return can_operate(actor) or (is_home and _organization("own", role))


def can_manage_members(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("manage_members", role)


def can_manage_providers(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("manage_providers", role)


def can_manage_budgets(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("manage_budgets", role)


def can_read_audit(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("read_audit", role)


def can_give_role(actor: Actor, role: OrganizationRole | None, given: OrganizationRole) -> bool:
    """Admins hand out every role but owner; only an owner makes, changes or removes owners."""
    needed = "own" if given == OrganizationRole.OWNER else "manage_members"
    return actor.kind == ActorKind.SYSTEM or _organization(needed, role)


def can_remove_member(actor: Actor, role: OrganizationRole | None, *, user_id: UUID, held: OrganizationRole) -> bool:
    """Who may give the role that is ``held`` may take it, and everybody may leave, in person."""
    is_leaving = user_id == actor.user_id and can_change_own_account(actor)
    return is_leaving or can_give_role(actor, role, held)


def can_transfer_ownership(actor: Actor, role: OrganizationRole | None) -> bool:
    """In person, never by a key."""
    return can_change_own_account(actor) and _organization("own", role)


def can_manage_service_accounts(actor: Actor, role: OrganizationRole | None) -> bool:
    return actor.kind == ActorKind.SYSTEM or _organization("manage_service_accounts", role)


def can_change_key(actor: Actor, role: OrganizationRole | None, *, user_id: UUID, is_service: bool) -> bool:
    """Its holder, and for a service account those who manage these; in person, never by a key. Admins withdraw others' keys only."""
    if not can_change_own_account(actor):
        return False
    return can_manage_service_accounts(actor, role) if is_service else (user_id == actor.user_id and role is not None)


# Teams and denials


def can_manage_teams(actor: Actor, role: OrganizationRole | None) -> bool:
    """Make and delete teams, and say who manages one."""
    return actor.kind == ActorKind.SYSTEM or _organization("manage_teams", role)


def can_change_team(actor: Actor, role: OrganizationRole | None, *, is_manager: bool) -> bool:
    """Its name, and who is in it: those who manage all teams, and the managers of this one."""
    return can_manage_teams(actor, role) or (role is not None and is_manager and actor.project_id is None)


def can_deny(
    actor: Actor,
    role: OrganizationRole | None,
    *,
    project_role: ProjectRole | None,
    targets: Collection[OrganizationRole],
) -> bool:
    """``targets`` are the roles of those it is about; ``project_role`` is the actor's where it is for one project.

    Only an owner denies owners anything. Managers of a project deny in it, to others than owners and admins.
    """
    if OrganizationRole.OWNER in targets:
        return _organization("own", role) or actor.kind == ActorKind.SYSTEM
    if actor.kind == ActorKind.SYSTEM or _organization("deny", role):
        return True
    return _project("manage", project_role) and not _ADMINS & set(targets)


def can_lift_denial(
    actor: Actor,
    role: OrganizationRole | None,
    *,
    project_role: ProjectRole | None,
    targets: Collection[OrganizationRole],
    is_about_actor: bool,
) -> bool:
    """As those who may deny it to them; but what was denied to oneself only an owner lifts."""
    if actor.kind == ActorKind.SYSTEM or _organization("own", role):
        return True
    return not is_about_actor and can_deny(actor, role, project_role=project_role, targets=targets)


# Projects


def effective_role(
    *,
    organization_role: str | None,
    member_role: str | None,
    access: str,
    team_role: str | None = None,
    denied: str | None = None,
) -> ProjectRole | None:
    """A person's role in a project. ``ProjectQuerySet.visible_to`` says the same in SQL; a property test compares them.

    Owners and admins manage every project. For others a row of their own replaces what the project gives everybody (members edit
    where it is open to the organization, guests see nothing), and the highest role of their teams adds to it. What is ``denied``
    (the most of several) is asked last and wins over all of it.
    """
    if organization_role is None:
        return None
    granted = [
        *([ProjectRole.MANAGER] if organization_role in _ADMINS else []),
        *([ProjectRole(member_role)] if member_role is not None else _given_to_all(organization_role, access)),
        *([ProjectRole(team_role)] if team_role is not None else []),
    ]
    taken = roles_from(PROJECT_PERMISSIONS[denied]) if denied is not None else []
    left = [role for given in granted for role in roles_up_to(given) if role not in taken]
    return highest(left)


def _given_to_all(organization_role: str, access: str) -> list[ProjectRole]:
    is_open = organization_role == OrganizationRole.MEMBER and access == ProjectAccess.ORGANIZATION
    return [ProjectRole.EDITOR] if is_open else []


def _project(permission: str, role: ProjectRole | None) -> bool:
    return role is not None and role in roles_from(PROJECT_PERMISSIONS[permission])


def can_post_in_project(actor: Actor, role: ProjectRole | None) -> bool:
    return _project("post", role)


def can_manage_project(actor: Actor, role: ProjectRole | None) -> bool:
    return _project("manage", role)


# Oneself


def can_change_own_account(actor: Actor) -> bool:
    """Keys act for their owner in an organization, not on the person: no profile, sessions or passwords."""
    return actor.kind == ActorKind.MEMBER


def can_erase_person(actor: Actor, user_id: UUID) -> bool:
    """Oneself, in person; or an operator."""
    return can_operate(actor) or (can_change_own_account(actor) and actor.user_id == user_id)


def can_operate(actor: Actor) -> bool:
    """The installation's own staff, in the admin site; never by a key."""
    return actor.kind == ActorKind.SYSTEM or (actor.kind == ActorKind.MEMBER and actor.is_operator)
