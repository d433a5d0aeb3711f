"""Records after a ``#``: offered by title and words, drawn as links, given to models as what their fields say."""

from __future__ import annotations

import re
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.doors.reference_sources import Reference, reference_sources
from apps.core.folding import begun_words, folded
from apps.extraction import selectors, shape
from apps.extraction.models import Collection, Record

KIND = "record"
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_CANDIDATES = 200
_MOST_JOINED = 5  # one that was joined into another, which was joined into another


class RecordReferences:
    """Registered as ``record``."""

    label: str | Promise = _("Records")
    icon = "table-2"

    def suggest(self, viewer: Any, *, project_id: UUID, typed: str, limit: int) -> Sequence[Reference]:
        """Titles that begin so, of each collection by its index; then records with these words, of which so many are looked at."""
        collections = selectors.visible_collections(viewer).filter(project_id=project_id)
        begun = begun_words(typed)
        if not begun:
            return [_reference(row) for row in _of_each(collections, limit, order=("-created_at", "-pk"))][:limit]
        found = _of_each(collections, limit, order=(Upper("title"), "pk"), title__istartswith=typed.strip())
        if len(found) < limit:
            words = re.findall(r"\w+", folded(typed))
            rows = selectors.visible_to(viewer).filter(project_id=project_id, words=begun).exclude(title="")
            there = {row.pk for row in found}
            others = [row for row in rows.select_related("collection")[:_CANDIDATES] if row.pk not in there]
            found += sorted(others, key=lambda row: (-_hits(words, row.title), len(row.title), row.title))
        return [_reference(row) for row in found[:limit]]

    def find(self, viewer: Any, ids: Several[UUID], *, project_id: UUID | None = None) -> Mapping[UUID, Reference]:
        rows = _there(viewer, ids, project_id=project_id)
        return {pk: _reference(row) for pk, row in rows.items()}

    def texts_for_model(
        self, viewer: Any, ids: Several[UUID], *, max_characters: int
    ) -> Mapping[UUID, tuple[str, str]]:
        """The collection, then each field that says something; what it points to by its title, as far as the viewer may read that."""
        rows = _there(viewer, ids)
        ids_of = {row.collection_id for row in rows.values()}
        collections = {
            row.pk: row for row in selectors.with_document(selectors.visible_collections(viewer)).filter(pk__in=ids_of)
        }
        pointed = {
            each
            for row in rows.values()
            for field in selectors.schema_of(collections[row.collection_id]).top
            if field.relation
            for each in _as_list(row.data.get(field.name))
        }
        titles = _titles(viewer, pointed)
        return {
            pk: (row.title or row.collection.name, _text(collections[row.collection_id], row, titles)[:max_characters])
            for pk, row in rows.items()
        }


def _of_each(collections: QuerySet[Collection], limit: int, *, order: Sequence[Any], **only: Any) -> list[Record]:
    """The first few of every collection, each read from an index that has them in this order; then the first few of all."""
    rows = Record.objects.filter(collection=OuterRef("pk"), deleted_at=None, **only).exclude(title="")
    first = ArraySubquery(rows.order_by(*order).values("pk")[:limit])
    ids = [pk for each in collections.annotate(first=first).values_list("first", flat=True) for pk in each]
    found = Record.objects.filter(pk__in=ids).select_related("collection").defer("text", "words")
    return list(found.order_by(*order)[:limit])


def _hits(words: Sequence[str], title: str) -> int:
    said = folded(title).casefold()
    return sum(word.casefold() in said for word in words)


def _there(viewer: Any, ids: Several[UUID], *, project_id: UUID | None = None) -> dict[UUID, Record]:
    """By the ids that were asked for; one that was joined into another is that other."""
    readable = selectors.visible_to(viewer, with_deleted=True).select_related("collection")
    if project_id is not None:
        readable = readable.filter(project_id=project_id)
    found: dict[UUID, Record] = {}
    wanted = {pk: [pk] for pk in ids}
    for _step in range(_MOST_JOINED):
        if not wanted:
            break
        further: dict[UUID, list[UUID]] = {}
        for row in readable.filter(Q(deleted_at=None) | ~Q(merged_into=None), pk__in=wanted):
            if row.deleted_at is None:
                found |= dict.fromkeys(wanted[row.pk], row)
            elif row.merged_into_id:
                further.setdefault(row.merged_into_id, []).extend(wanted[row.pk])
        wanted = further
    return found


def _reference(row: Record) -> Reference:
    title = " ".join((row.title or row.collection.name).split())
    url = reverse("extraction:record", kwargs={"record_id": row.pk})
    return Reference(KIND, row.pk, title, url, row.collection.name)


def _titles(viewer: Any, ids: Several[Any]) -> dict[str, str]:
    """Of records that the viewer may see, by their ids as text."""
    wanted = {each for each in ids if _ID.fullmatch(str(each))}
    rows = selectors.visible_to(viewer).filter(pk__in=wanted) if wanted else Record.objects.none()
    return {str(pk): title or str(pk) for pk, title in rows.values_list("pk", "title")}


def _text(collection: Collection, row: Record, titles: Mapping[str, str]) -> str:
    lines = [f"{collection.name}: {row.title}"]
    for field in selectors.schema_of(collection).top:
        value = row.data.get(field.name)
        if field.relation:
            value = [titles[str(each)] for each in _as_list(value) if str(each) in titles]
        if not shape.is_empty(value):
            lines.append(f"{field.title or field.name}: {shape.as_text(value)}")
    return "\n".join(lines)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if shape.is_empty(value) else [value]


def register() -> None:
    reference_sources.register(KIND, RecordReferences())
