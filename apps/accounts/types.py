"""Who acts, and what roles there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _


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

    A member's ``organization_id`` is None: the organization is derived from the object. A key belongs to exactly one
    organization, perhaps to one project, and never does more than its ``scopes``; an empty set means all of its owner's.
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

    @property
    def is_somebody(self) -> bool:
        return self.kind is not ActorKind.NOBODY

    @property
    def is_authenticated(self) -> bool:  # what REST framework asks of ``request.user``
        return self.is_somebody


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
