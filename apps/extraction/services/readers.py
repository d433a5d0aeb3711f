"""Who is named to see a collection. Whoever manages the project sees all of them, and says so."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.doors.handovers import Leaving
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.types import ActorRef
from apps.extraction import policies, reader_selectors, selectors
from apps.extraction.events import CollectionPrivacyChanged, CollectionReaderNamed, CollectionReaderRemoved
from apps.extraction.models import Collection, CollectionReader
from apps.extraction.types import MAX_READERS_A_COLLECTION, TooManyReaders
from apps.live.bells import rights_changed


@transaction.atomic
def name_reader(
    *, actor: Actor, collection_id: UUID, user_id: UUID | None = None, team_id: UUID | None = None
) -> CollectionReader:
    """One person who sees the project, or one team of the organization. Somebody who is named already is no error and no event.

    It says something only of a collection whose ``visibility`` is *named*; one may name people first and close it then.
    """
    collection = _lock(actor, collection_id)
    _require_known(actor, collection, user_id=user_id, team_id=team_id)
    who = {"user_id": user_id, "team_id": team_id}
    there = CollectionReader.objects.filter(collection=collection)
    found = there.filter(**who).first()
    if found is None:
        if there.count() >= MAX_READERS_A_COLLECTION:
            raise TooManyReaders
        found = CollectionReader.objects.create(
            id=uuid7(), organization_id=collection.organization_id, collection=collection, **who
        )
        _tell(collection, CollectionReaderNamed(collection.pk, user_id, team_id), actor)
    return reader_selectors.get_reader(collection=collection, reader_id=found.pk)


@transaction.atomic
def remove_reader(*, actor: Actor, collection_id: UUID, reader_id: UUID) -> None:
    """From the next request on they see nothing of it, unless a team of theirs is named, or they manage the project."""
    collection = _lock(actor, collection_id)
    found = reader_selectors.get_reader(collection=collection, reader_id=reader_id)
    CollectionReader.objects.filter(pk=found.pk).delete()
    _tell(collection, CollectionReaderRemoved(collection.pk, found.user_id, found.team_id), actor)


def tell_privacy(collection: Collection, before: str, *, actor: Actor) -> None:
    """Part of the service that changes it, which asks."""
    _tell(collection, CollectionPrivacyChanged(collection.pk, before, collection.visibility), actor)


def forget_leaving(*, actor: ActorRef, leaving: Leaving) -> int:
    """Part of the service that ends the membership, which asks. Whoever comes back is named anew; nothing goes to anybody else."""
    if leaving.is_final:
        rows = CollectionReader.objects.filter(organization_id=leaving.organization_id, user_id=leaving.user_id)
        for row in rows.select_related("collection").order_by("pk"):
            _tell(row.collection, CollectionReaderRemoved(row.collection_id, row.user_id, None), actor)
        rows.delete()
    return 0


def _lock(actor: Actor, collection_id: UUID) -> Collection:
    collection = selectors.lock_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_name_readers(actor, accounts.project_role(actor, collection.project_id)))
    return collection


def _require_known(actor: Actor, collection: Collection, *, user_id: UUID | None, team_id: UUID | None) -> None:
    if (user_id is None) == (team_id is None):
        raise Invalid(fields=[FieldError("user", "one_of", str(Invalid.default_detail))])
    if team_id is not None:
        is_known = any(pk == team_id for pk, _name in reader_selectors.list_teams_for(collection, actor))
    else:
        is_known = any(each.id == user_id for each in reader_selectors.list_people_for(collection, actor))
    if not is_known:
        raise NotFound


def _tell(collection: Collection, fact: Any, actor: ActorRef) -> None:
    """Who follows it live and may no longer see it hears nothing more."""
    emit(fact, actor=actor, scope=collection.scope, subject=("collection", collection.pk))
    transaction.on_commit(lambda: rights_changed(collection.scope.topic), robust=True)
