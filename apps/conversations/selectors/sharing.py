"""Who was let into a conversation, who is kept out, and what a share link shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts import actors
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, Permission, ProjectRole
from apps.conversations.models import (
    Attachment,
    Conversation,
    ConversationDenial,
    ConversationGrant,
    Message,
    ShareLink,
    TeamGrant,
    places_in,
    teams_of,
)
from apps.conversations.selectors.paths import messages, path_ids
from apps.conversations.selectors.rights import visible_to
from apps.conversations.types import FINAL, POST_IN, PUBLIC_HEADERS, SHARE_LINKS, LinkNotFound, Visibility
from apps.core import preferences
from apps.core.compiled import Compiled
from apps.files import selectors as files

SHOWN_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Participant:
    """A person or a team who was let in."""

    id: UUID
    name: str
    is_team: bool
    can_post: bool


def list_participants(*, conversation: Conversation, viewer: Actor) -> list[Participant]:
    """Everybody with a grant, people first, in the order of their names. Two queries."""
    people: dict[UUID, Participant] = {}
    teams: dict[UUID, Participant] = {}
    grants = ConversationGrant.objects.filter(content_object=conversation, user__is_active=True)
    for row in grants.select_related("user", "permission"):
        _add(people, row.user_id, row.user.display_name, row.permission.codename, is_team=False)
    of_teams = TeamGrant.objects.filter(content_object=conversation, team__deleted_at=None)
    for team_row in of_teams.select_related("team", "permission"):
        _add(teams, team_row.team_id, team_row.team.name, team_row.permission.codename, is_team=True)
    return [*_by_name(people), *_by_name(teams)]


def _add(found: dict[UUID, Participant], pk: UUID, name: str, codename: str, *, is_team: bool) -> None:
    posts = codename == POST_IN or (pk in found and found[pk].can_post)
    found[pk] = Participant(pk, name, is_team, posts)


def _by_name(found: dict[UUID, Participant]) -> Iterable[Participant]:
    return sorted(found.values(), key=lambda each: (each.name.casefold(), each.id))


def list_grants(
    conversation: Conversation, *, user_id: UUID | None = None, team_id: UUID | None = None
) -> QuerySet[Any, Any]:
    """The rows of one person or of one team."""
    if team_id is not None:
        return TeamGrant.objects.filter(content_object=conversation, team=team_id)
    return ConversationGrant.objects.filter(content_object=conversation, user=user_id)


def list_denials(*, conversation: Conversation, viewer: Actor) -> QuerySet[ConversationDenial]:
    return (
        ConversationDenial.objects.filter(conversation=conversation)
        .select_related("user", "team")
        .order_by("created_at", "pk")
    )


# Share links


def list_links(*, conversation: Conversation, viewer: Actor) -> QuerySet[ShareLink]:
    """Those that nobody withdrew, the newest first, with who made them."""
    rows = ShareLink.objects.filter(conversation=conversation, revoked_at=None).annotate(is_denied=_is_maker_denied())
    return rows.select_related("created_by").order_by("-created_at", "-pk")


def list_links_in(*, viewer: Actor, organization_id: UUID) -> QuerySet[ShareLink]:
    """Those in force in the organization that the viewer may withdraw: of their own conversations, and where they manage the project."""
    managed = accounts.visible_projects(viewer, at_least=ProjectRole.MANAGER).values("pk")
    rows = links_in_force().filter(
        Q(conversation__owner=viewer.user_id) | Q(conversation__project__in=managed),
        organization=organization_id,
        conversation__in=visible_to(viewer, permission=Permission.POST).values("pk"),
    )
    return rows.select_related("conversation", "created_by").order_by("-created_at", "-pk")


def links_in_force() -> QuerySet[ShareLink]:
    """``policies.is_link_in_force`` says the same in Python. Nobody shows others what they may not see themselves just now."""
    return ShareLink.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()),
        ~_is_maker_denied(),
        revoked_at=None,
        created_by__is_active=True,
        conversation__visibility=Visibility.LINK,
        conversation__deleted_at=None,
        conversation__project__deleted_at=None,
        conversation__organization__deleted_at=None,
    )


def _is_maker_denied() -> Q:
    """The project, or the conversation itself."""
    teams = teams_of(OuterRef(OuterRef("created_by")))
    here = ConversationDenial.objects.filter(
        Q(user=OuterRef("created_by")) | Q(team__in=teams),
        conversation=OuterRef("conversation"),
        permission=Permission.VIEW,
    )
    return Q(accounts.is_denied(user="created_by", project="conversation__project")) | Q(Exists(here))


def are_links_on(organization_id: UUID) -> bool:
    return bool(preferences.get(SHARE_LINKS, organization=organization_id))


def get_link(*, token: str) -> ShareLink:
    """With its conversation. Every token that opens nothing costs the same one query and is the same ``LinkNotFound``."""
    found = _link.first(token_hash=actors.hash_token(token))
    if found is None or not are_links_on(found.organization_id):
        raise LinkNotFound(headers=PUBLIC_HEADERS)
    return found


_link: Compiled[ShareLink] = Compiled(
    lambda *, token_hash: (
        links_in_force().select_related("conversation__organization", "created_by").filter(token_hash=token_hash)[:1]
    )
)


def shown_by(link: ShareLink) -> QuerySet[Message]:
    """The messages that were there when it was shared, on the path that its maker saw, and are there still.

    Words that came later are absent: messages with a higher number, and answers that ended, or went on, after the sharing.
    ``policies.is_shown_by`` says the same in Python.
    """
    rows = messages().filter(
        Q(turn=None) | Q(turn__finished_at__lte=link.shared_at),
        conversation=link.conversation_id,
        number__lte=link.up_to_number,
        deleted_at=None,
        status__in=FINAL,
    )
    if link.conversation.is_linear:
        return rows
    leaf = Message.objects.filter(conversation=link.conversation_id, number=link.up_to_number).values_list(
        "pk", flat=True
    )
    return rows.filter(pk__in=path_ids(conversation=link.conversation, leaf_id=leaf.first()))


def list_shown(link: ShareLink, *, after: int = 0) -> tuple[list[Message], bool]:
    """A page of them, oldest first, and whether there are more."""
    rows = list(shown_by(link).filter(number__gt=after).order_by("number")[: SHOWN_AT_ONCE + 1])
    return rows[:SHOWN_AT_ONCE], len(rows) > SHOWN_AT_ONCE


def get_shown_file(link: ShareLink, *, file_id: UUID) -> Any:
    """A file of the messages whose words the link shows."""
    shown = shown_by(link).filter(is_sensitive=False)
    is_shown = Attachment.objects.filter(file=file_id, message__in=shown.values("pk")).exists()
    file = files.find_file(file_id) if is_shown else None
    if file is None:
        raise LinkNotFound(headers=PUBLIC_HEADERS)
    return file


def stats_links_in_force() -> int:
    return links_in_force().count()


# For reviews of access


def count_let_in(organization_id: UUID) -> dict[UUID, int]:
    """How many conversations each person was let into, by themselves or with a team."""
    alive = {"content_object__deleted_at": None, "content_object__organization": organization_id}
    own = ConversationGrant.objects.filter(**alive).values_list("user_id", "content_object_id")
    teams = TeamGrant.objects.filter(**alive, team__deleted_at=None)
    people: dict[UUID, set[UUID]] = defaultdict(set)
    for team_id, user_id in places_in(teams.values("team")):
        people[team_id].add(user_id)
    of_teams = teams.values_list("team_id", "content_object_id")
    let_in = {(user_id, conversation) for team_id, conversation in of_teams for user_id in people[team_id]}
    return Counter(user_id for user_id, _conversation in {*own, *let_in})


def count_links(organization_id: UUID) -> dict[UUID, int]:
    """How many links in force each person made."""
    if not are_links_on(organization_id):
        return {}
    rows = links_in_force().filter(organization=organization_id).order_by()
    return dict(rows.values_list("created_by").annotate(Count("pk")))


def count_silent_links(organization_id: UUID) -> dict[UUID, int]:
    """How many of their links open nothing only because they may not see it themselves just now: these would open again."""
    rows = ShareLink.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()),
        organization=organization_id,
        revoked_at=None,
        conversation__visibility=Visibility.LINK,
        conversation__deleted_at=None,
    ).exclude(pk__in=links_in_force().values("pk"))
    return dict(rows.order_by().values_list("created_by").annotate(Count("pk")))
