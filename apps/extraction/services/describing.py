"""A collection that somebody described in a conversation: what a model proposed for it, and making it of that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts.types import Actor
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit
from apps.extraction import selectors, wish_fields
from apps.extraction.events import CollectionDescribed
from apps.extraction.models import Wish
from apps.extraction.schema_forms import slug_of
from apps.extraction.services.collections import create_collection
from apps.extraction.types import SlugTaken
from apps.extraction.wish_types import WishRead

MAX_PURPOSE = 500
_NOT_OF_THESE = ("count", "collection", "review")


def keep_proposal(wish: Wish, asker: Actor, read: WishRead) -> bool:
    """In a row that the caller locked and saves. False: no field was understood."""
    with override(asker.language):
        wish.name = read.name.strip()[:80] or _("Records")
    wish.brief = read.brief.strip()[:MAX_PURPOSE]
    wish.fields = wish_fields.described(read.fields, {*_there(wish, asker), slug_of(wish.name)})
    return bool(wish.fields)


def keep_changes(wish: Wish, actor: Actor, changes: dict[str, Any]) -> None:
    """As ``keep_proposal``, of what a person says: who points to a collection that is not there hears so."""
    if foreign := [name for name in _NOT_OF_THESE if name in changes]:
        detail = _("A collection that is described has no records yet.")
        raise Invalid(fields=[FieldError(name, "unknown_field", detail) for name in foreign])
    before, there = slug_of(wish.name), _there(wish, actor)
    wish.name, wish.brief = changes.get("name", wish.name), changes.get("brief", wish.brief)[:MAX_PURPOSE]
    own = slug_of(wish.name)
    if own != before and own in there:  # a field that points to itself would point to the other one
        raise SlugTaken
    if "fields" in changes:
        wish.fields = wish_fields.described(changes["fields"], {*there, before, own})
        if gone := wish_fields.lost(wish.fields):
            raise Invalid(fields=[_not_there(slug) for slug in sorted(set(gone.values()))])
    if before not in there:
        wish.fields = wish_fields.renamed(wish.fields, before, own)
    if not wish.fields:
        raise Invalid(fields=[FieldError("new_fields", "blank", _("A collection needs at least one field."))])


def _not_there(slug: str) -> FieldError:
    return FieldError("new_fields", "unknown_collection", _("There is no collection “%(slug)s”.") % {"slug": slug})


def make_described(*, wish: Wish, actor: Actor, edited: dict[str, Any] | None) -> UUID:
    """``edited``: what ``create_collection`` takes, as the form builder gave it back; None: as it is proposed."""
    settings = edited or {
        "name": wish.name,
        "description": wish.brief,
        "document": wish_fields.document_of(wish.fields),
    }
    made = create_collection(actor=actor, project_id=wish.project_id, **settings)
    fact = CollectionDescribed(wish.pk, made.pk, edited is not None)
    emit(fact, actor=actor, scope=wish.scope, subject=("collection", made.pk))
    return made.pk


def _there(wish: Wish, actor: Actor) -> set[str]:
    """Short names that a field may point to, beside that of the collection itself."""
    return set(selectors.list_collections(actor, project_id=wish.project_id).values_list("slug", flat=True))
