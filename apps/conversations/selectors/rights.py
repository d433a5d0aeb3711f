"""Who may see a conversation and write in it: as SQL over all of them, and as ``Access`` to one.

A role in the project opens what is not private, a grant opens one conversation, and denials are asked last. ``policies`` says
the same in Python; a property test compares both.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, ActorKind, OrganizationRole, Permission, ProjectRole
from apps.conversations.models import (
    Conversation,
    ConversationDenial,
    ConversationGrant,
    TeamGrant,
    members_of,
    teams_in,
    teams_of,
)
from apps.conversations.policies import has_read_scope
from apps.conversations.types import POST_IN, Access, Visibility

ROLE_FOR = {Permission.VIEW: ProjectRole.VIEWER, Permission.POST: ProjectRole.EDITOR}
#: What takes it away: who may not view may not post either.
TAKEN_BY = {Permission.VIEW: (Permission.VIEW,), Permission.POST: (Permission.VIEW, Permission.POST)}


def visible_to(
    viewer: Actor, *, with_deleted: bool = False, permission: Permission = Permission.VIEW
) -> QuerySet[Conversation]:
    """One statement; agrees with ``policies.can_view`` and, for ``POST``, with ``can_post`` (a property test proves it)."""
    if not has_read_scope(viewer):
        return Conversation.objects.none()
    project = accounts.visible_projects(viewer, at_least=ROLE_FOR[permission]).filter(pk=OuterRef("project"))
    allowed = Q(Exists(project)) & is_open_to(viewer)
    if viewer.user_id is not None:
        allowed = (allowed | granted_to(viewer, permission)) & ~denied_to(viewer, permission)
    rows = Conversation.objects.filter(allowed)
    return rows if with_deleted else rows.filter(deleted_at=None)


def is_open_to(viewer: Actor) -> Q:
    """What those see who have a role in the project."""
    return ~Q(visibility=Visibility.PRIVATE) | Q(owner_id=viewer.user_id)


def granted_to(viewer: Actor, permission: Permission = Permission.VIEW) -> Q:
    """By a grant, theirs or of one of their teams, whatever the project says."""
    people, teams = granted_ids(viewer, permission)
    return Q(pk__in=people) | Q(pk__in=teams)


def granted_ids(
    viewer: Actor, permission: Permission = Permission.VIEW
) -> tuple[QuerySet[Any, Any], QuerySet[Any, Any]]:
    """Grants count while the person belongs to the organization, and for a key where it may go."""
    rows = Q(organization__in=accounts.visible_organizations(viewer).values("pk"))
    rows &= Q(content_object__project__deleted_at=None)
    if viewer.project_id is not None:
        rows &= Q(content_object__project=viewer.project_id)
    if permission == Permission.POST:
        rows &= Q(permission__codename=POST_IN)
    people = ConversationGrant.objects.filter(rows, user=viewer.user_id)
    teams = TeamGrant.objects.filter(rows, team__in=teams_of(viewer.user_id))
    return people.values("content_object"), teams.values("content_object")


def denied_to(viewer: Actor, permission: Permission = Permission.VIEW) -> Q:
    """In the conversation itself, in its project or in all of the organization."""
    return denied_here(viewer, permission) | accounts.denied_filter(viewer, permission=permission)


def denied_here(viewer: Actor, permission: Permission = Permission.VIEW) -> Q:
    about = Q(user=viewer.user_id) | Q(team__in=teams_of(viewer.user_id))
    rows = ConversationDenial.objects.filter(about, permission__in=TAKEN_BY[permission])
    return Q(pk__in=rows.values("conversation"))


def with_access_of(viewer: Actor, rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Adds what ``access_to`` asks of rows that the viewer sees, and whether anybody has a grant."""
    answers: dict[str, Combinable | Q | Value] = {"writes_by_grant": Value(False), "is_post_denied": Value(False)}
    if viewer.user_id is not None:
        answers = {
            "writes_by_grant": granted_to(viewer, Permission.POST),
            "is_post_denied": denied_to(viewer, Permission.POST),
        }
    return rows.annotate(**answers, has_grants=_has_grants())  # type: ignore[arg-type]


def _has_grants() -> Combinable:
    people = ConversationGrant.objects.filter(content_object=OuterRef("pk"))
    return Exists(people) | Exists(TeamGrant.objects.filter(content_object=OuterRef("pk")))  # type: ignore[return-value]


def role_in(conversation: Conversation, actor: Actor) -> ProjectRole | None:
    return accounts.project_role(actor, conversation.project_id)


def access_to(conversation: Conversation, actor: Actor) -> Access:
    """To a conversation that came from a selector for this actor, who sees it. One query."""
    role = role_in(conversation, actor)
    if actor.kind == ActorKind.SYSTEM:
        return Access(role)
    found: Any = conversation
    if not hasattr(found, "writes_by_grant"):
        found = _access.first(actor, pk=conversation.pk)
    return access_of(found, role)


def access_of(conversation: Any, role: ProjectRole | None) -> Access:
    """The same for a role that is known; asks no database."""
    granted = Permission.POST if conversation.writes_by_grant else None
    denied = Permission.POST if conversation.is_post_denied else None
    return Access(role, granted, denied)


_access: accounts.ForViewer[Conversation] = accounts.ForViewer(
    lambda viewer, *, pk: with_access_of(viewer, Conversation.objects.only("id")).filter(pk=pk)[:1]
)


def list_people_for(conversation: Conversation, viewer: Actor) -> dict[UUID, str]:
    """Whom its owner may let in, by id: everybody in the organization; for guests, the people of the project."""
    rows = accounts.visible_members(viewer).filter(organization_id=conversation.organization_id, user__is_active=True)
    people = {row.user_id: row.user.display_name for row in rows}
    if len(people) < 2 and role_in(conversation, viewer) is not None:  # noqa: PLR2004  (oneself: guests list nobody)
        project = accounts.get_project(conversation.project_id, viewer)
        people |= {each.id: each.name for each in accounts.list_people_of_project(project, viewer)}
    return people


def list_teams_for(conversation: Conversation, viewer: Actor) -> dict[UUID, str]:
    """Which teams its owner may let in, by id. Guests do not learn which teams there are."""
    role = accounts.organization_role(viewer, conversation.organization_id)
    if role is None or role == OrganizationRole.GUEST:
        return {}
    return dict(teams_in(conversation.organization_id))


def list_team(team_id: UUID | None) -> set[UUID]:
    """Who is in it."""
    return set(members_of([team_id]))


def list_people_with_grants(conversation: Conversation) -> set[UUID]:
    """Who hears of it by a grant, theirs or of a team."""
    people = ConversationGrant.objects.filter(content_object=conversation).values_list("user_id", flat=True)
    return {*people, *members_of(TeamGrant.objects.filter(content_object=conversation).values("team"))}


# What stands beside conversations


def open_beside(viewer: Actor, field: str) -> Q:
    """Of rows of projects that name a conversation by a plain id in ``field`` those of none, of one that is not private, and of one that the
    viewer sees.

    What is gone for good is closed to all but managers: nobody can say any more for whom it was.
    """
    if viewer.kind == ActorKind.SYSTEM:
        return Q()
    there = Conversation.objects.filter(pk=OuterRef(field))
    seen = visible_to(viewer, with_deleted=True).filter(pk=OuterRef(field), visibility=Visibility.PRIVATE)
    manages = accounts.project_filter(viewer, field="project", at_least=ProjectRole.MANAGER)
    is_open = Exists(there.exclude(visibility=Visibility.PRIVATE)) | Exists(seen)
    return Q(**{f"{field}__isnull": True}) | Q(is_open) | (Q(~Exists(there)) & manages)


def list_people_beside(conversation_id: UUID | None) -> set[UUID] | None:
    """Who sees a private conversation; nobody where it is gone for good. None: there is none, or it is not private."""
    if conversation_id is None:
        return None
    found = Conversation.objects.filter(pk=conversation_id).first()
    if found is None:
        return set()
    return {found.owner_id, *list_people_with_grants(found)} if found.visibility == Visibility.PRIVATE else None
