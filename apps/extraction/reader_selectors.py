"""Reads of who is named to see a collection. For callers that have settled who asks: ``policies.can_name_readers``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as Several
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts import selectors as accounts
from apps.accounts.selectors import ProjectPerson
from apps.accounts.types import Actor, ActorKind, OrganizationRole, ProjectRole
from apps.core.errors import NotFound
from apps.extraction import reach
from apps.extraction.models import Collection, CollectionReader, places_in, teams_in
from apps.extraction.types import Visibility


def list_readers(collection: Collection) -> QuerySet[CollectionReader]:
    """With the person or the team; teams that are gone are not in it."""
    rows = CollectionReader.objects.filter(collection=collection, team__deleted_at=None)
    return rows.select_related("user", "team")


def get_reader(*, collection: Collection, reader_id: UUID) -> CollectionReader:
    if (found := list_readers(collection).filter(pk=reader_id).first()) is None:
        raise NotFound
    return found


def list_people_for(collection: Collection, viewer: Actor) -> list[ProjectPerson]:
    """Whom one may name: everybody with a role in its project, by name."""
    return accounts.list_people_of_project(accounts.get_project(collection.project_id, viewer), viewer)


def list_teams_for(collection: Collection, viewer: Actor) -> list[tuple[UUID, str]]:
    """Which teams one may name, by name. Guests do not learn which teams there are."""
    role = accounts.organization_role(viewer, collection.organization_id)
    if role is None or role == OrganizationRole.GUEST:
        return []
    return list(teams_in(collection.organization_id))


def open_to(viewer: Actor, field: str) -> Q:
    """Of rows that name in ``field`` the collections they hold words of those that hold none of a collection which is closed to the viewer.

    What is gone for good is closed to all but managers: nobody can say any more for whom it was.
    """
    if viewer.kind == ActorKind.SYSTEM:
        return Q()
    manages = accounts.project_filter(viewer, field="project", at_least=ProjectRole.MANAGER)
    return Q(**{field: []}) | manages | Q(**{f"{field}__contained_by": reach.ids(viewer)})


def list_named_for(collection_ids: Several[UUID]) -> set[UUID] | None:
    """Who is named for each of these that is closed, beside managers; None: none of them is."""
    kept: dict[UUID, str] = dict(Collection.objects.filter(pk__in=collection_ids).values_list("pk", "visibility"))
    closed = [pk for pk in collection_ids if kept.get(pk) != Visibility.PROJECT]
    if not closed:
        return None
    rows = CollectionReader.objects.filter(collection__in=closed)
    people: dict[UUID, set[UUID]] = {pk: set() for pk in closed}
    teams: dict[UUID, set[UUID]] = {}
    for team_id, user_id in places_in(rows.exclude(team=None).values("team")):
        teams.setdefault(team_id, set()).add(user_id)
    for collection_id, person, team_id in rows.values_list("collection_id", "user_id", "team_id"):
        people[collection_id] |= {person} if person else teams.get(team_id, set())
    return set.intersection(*people.values())


def count_named(organization_id: UUID) -> dict[UUID, int]:
    """For how many collections each person is named, by themselves or with a team."""
    rows = CollectionReader.objects.filter(organization=organization_id, collection__deleted_at=None)
    own = rows.exclude(user=None).values_list("user_id", "collection_id")
    of_teams = rows.filter(team__deleted_at=None).exclude(team=None)
    people: dict[UUID, list[UUID]] = {}
    for team_id, user_id in places_in(of_teams.values("team")):
        people.setdefault(team_id, []).append(user_id)
    by_team = {
        (user_id, collection_id)
        for team_id, collection_id in of_teams.values_list("team_id", "collection_id")
        for user_id in people.get(team_id, ())
    }
    return Counter(user_id for user_id, _collection in {*own, *by_team})
