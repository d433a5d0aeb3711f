"""Which collections somebody sees, as SQL: what is kept in a collection, or read for one, is found through this alone.

``policies.can_see_collection`` says the same of one collection in Python; a test draws roles, teams and denials and compares both.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Q, QuerySet, Value
from django.db.models.expressions import Combinable

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, ProjectRole
from apps.core.compiled import Compiled
from apps.extraction import policies
from apps.extraction.models import Collection, CollectionReader, teams_of
from apps.extraction.types import Visibility


def readable(viewer: Actor) -> Q:
    """Rows of projects the viewer sees. What belongs to a collection is asked for that, too: ``within``."""
    if not policies.has_read_scope(viewer):
        return Q(pk__in=[])
    return accounts.project_filter(viewer, field="project")


def collections(viewer: Actor, *, with_deleted: bool = False) -> QuerySet[Collection]:
    rows = Collection.objects.filter(readable(viewer))
    if not policies.is_system(viewer):
        rows = rows.filter(~Q(visibility=Visibility.NAMED) | _open_to(viewer))
    return rows if with_deleted else rows.filter(deleted_at=None)


def within(viewer: Actor, field: str = "collection", *, with_deleted: bool = False) -> Q:
    """Rows whose ``field`` is a collection that the viewer sees."""
    return Q(**{f"{field}__in": _ids.part(viewer, with_deleted)})


def list_ids(viewer: Actor) -> list[UUID]:
    """Of the collections that the viewer sees."""
    return [row["pk"] for row in _ids.fetch(viewer, False)]


_ids: accounts.ForViewer[Any] = accounts.ForViewer(
    lambda viewer, with_deleted: collections(viewer, with_deleted=with_deleted).order_by().values("pk")
)


def is_named(viewer: Actor, collection: Collection) -> bool:
    """By themselves or by a team: what ``can_see_collection`` asks."""
    return viewer.user_id is not None and _naming(viewer.user_id).filter(collection=collection).exists()


def _open_to(viewer: Actor) -> Q:
    """Of collections for who is named: to those, and to managers of the project."""
    manages = accounts.project_filter(viewer, field="project", at_least=ProjectRole.MANAGER)
    if viewer.user_id is None:
        return manages
    return manages | Q(pk__in=_named_ids.part(user=viewer.user_id))


def _naming(user: UUID) -> QuerySet[CollectionReader]:
    return CollectionReader.objects.filter(Q(user=user) | Q(team__in=teams_of(user)))


_named_ids: Compiled[Any] = Compiled(lambda *, user: _naming(user).values("collection"))


def ids(viewer: Actor) -> Any:
    """Of collections that are not closed to the viewer, deleted ones too. For rows of apps above that hold words of collections, which
    ask for scopes of their own.
    """
    rows = Collection.objects.filter(accounts.project_filter(viewer, field="project"))
    rows = rows.filter(~Q(visibility=Visibility.NAMED) | _open_to(viewer))
    return ArraySubquery(rows.order_by().values("pk"))


# Runs, which read for several collections


def of_runs(viewer: Actor) -> Q:
    """Not those that read for nothing but collections which the viewer does not see."""
    if policies.is_system(viewer):
        return readable(viewer)
    return readable(viewer) & (Q(collections=[]) | ~Q(collections__contained_by=_closed_to(viewer)))


def sees_all_of_run(viewer: Actor) -> Combinable | Q:
    """What found no place is of one of its collections, nobody knows which: who does not see all of them is not shown it."""
    if policies.is_system(viewer):
        return Value(True)
    return ~Q(collections__overlap=_closed_to(viewer))


def _closed_to(viewer: Actor) -> Any:
    rows = Collection.objects.filter(readable(viewer), visibility=Visibility.NAMED).exclude(_open_to(viewer))
    return ArraySubquery(rows.order_by().values("pk"))
