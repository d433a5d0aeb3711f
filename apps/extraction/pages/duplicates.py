"""Records that may be one thing: the pairs of a collection, two of them side by side, and what was joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.accounts.types import Actor
from apps.core.api import Order, Page, page_url
from apps.core.errors import DomainError, NotFound, VersionMismatch
from apps.extraction import duplicates, joinings, selectors, services
from apps.extraction.models import Collection, Record
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import Cell, as_uuid, cell_of, columns_of, relation_ids
from apps.extraction.similarity import MEANING

WINDOW = 25
#: What a field says for two records being one thing, or against it, is told from here on.
_SPEAKS = 0.5


@dataclass(frozen=True, slots=True)
class FieldPair:
    """One field of both. ``state``: same, one, other (only that one says it), both (lists, joined), differ (a choice)."""

    title: str
    name: str
    one: Cell
    other: Cell
    state: str
    said: float
    is_of_other: bool = False

    @property
    def speaks(self) -> str:
        return "for" if self.said >= _SPEAKS else "against" if self.said <= -_SPEAKS else ""


class DuplicatesPage(CollectionView):
    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        viewer = request.actor  # type: ignore[attr-defined]
        is_joined = request.GET.get("view") == "joined"
        context: dict[str, Any] = {"is_joined": is_joined, "joined": self.joined(request, collection)}
        if is_joined:
            rows: Any = joinings.list_collection_merges(collection, viewer)
            page = Page.of(
                rows, order=Order("created_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True
            )
            context["merges"] = page.results
        else:
            rows = joinings.list_duplicates(viewer, collection_id=collection.pk)
            page = Page.of(rows, order=Order("score"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
            context["pairs"] = [(row, int(row.score * 100)) for row in page.results]
        context |= {"next_url": page_url(request, page.next), "previous_url": page_url(request, page.previous)}
        return render(request, "extraction/duplicates.html", self.base(collection) | context)

    def joined(self, request: HttpRequest, collection: Collection) -> Any:
        """What was joined a moment ago, to take it back at once."""
        merge_id = as_uuid(request.GET.get("joined"))
        rows = joinings.list_collection_merges(collection, request.actor)  # type: ignore[attr-defined]
        return rows.filter(pk=merge_id, undone_at=None).first() if merge_id else None


class ComparePage(CollectionView):
    """Two records side by side: which one stays, and what the result says where they differ."""

    def records(self, request: HttpRequest, collection: Collection, one_id: UUID, other_id: UUID) -> list[Record]:
        rows = [selectors.get_record(record_id=pk, viewer=request.actor) for pk in (one_id, other_id)]  # type: ignore[attr-defined]
        if one_id == other_id or any(row.collection_id != collection.pk for row in rows):
            raise NotFound
        return rows

    def get(self, request: HttpRequest, collection_id: UUID, one_id: UUID, other_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        return self.show(request, collection, self.records(request, collection, one_id, other_id))

    def show(
        self, request: HttpRequest, collection: Collection, rows: list[Record], error: DomainError | None = None
    ) -> HttpResponse:
        one, other = rows
        found = selectors.schema_of(collection)
        score = duplicates.likeness(found, one, other)
        wrong = [each.detail for each in error.fields] or [error.detail] if error else []
        context = {
            "one": one,
            "other": other,
            "percent": int(score.total * 100),
            "meaning": score.by_field.get(MEANING) or None,
            "fields": _fields(request.actor, collection, (one, other), score.by_field, request.POST),
            "stays": request.POST.get("stays", "one"),
            "problems": wrong,
        }
        status = error.status if error else 200
        return render(request, "extraction/compare.html", self.base(collection) | context, status=status)

    def post(self, request: HttpRequest, collection_id: UUID, one_id: UUID, other_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        actor = request.actor  # type: ignore[attr-defined]
        one, other = rows = self.records(request, collection, one_id, other_id)
        where = reverse("extraction:duplicates", args=[collection.pk])
        if request.POST.get("act") == "apart":
            services.keep_apart(actor=actor, record_id=one.pk, other_id=other.pk)
            return redirect(where)
        winner, loser = (other, one) if request.POST.get("stays") == "other" else (one, other)
        try:
            self.require_seen(request, rows)
            merge = services.merge_records(
                actor=actor,
                winner_id=winner.pk,
                loser_id=loser.pk,
                changes=_chosen(request.POST, one, other, winner),
                expected_version=winner.version,
            )
        except DomainError as error:
            if error.status not in {400, 409, 412, 422}:
                raise
            return self.show(request, collection, rows, error)
        return redirect(f"{where}?joined={merge.pk}")

    def require_seen(self, request: HttpRequest, rows: list[Record]) -> None:
        """What is joined is what was looked at."""
        for name, row in zip(("one", "other"), rows, strict=True):
            if request.POST.get(f"version-{name}") != str(row.version):
                raise VersionMismatch(current=row.version)


class UndoMergePage(CollectionView):
    def post(self, request: HttpRequest, collection_id: UUID, merge_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        actor = request.actor  # type: ignore[attr-defined]
        if joinings.get_merge(merge_id=merge_id, viewer=actor).collection_id != collection.pk:
            raise NotFound
        undone = services.undo_merge(actor=actor, merge_id=merge_id)
        return redirect("extraction:compare", collection.pk, undone.winner_id, undone.loser_id)


def _fields(
    viewer: Actor,
    collection: Collection,
    rows: tuple[Record, Record],
    said: Mapping[str, float],
    post: Mapping[str, Any],
) -> list[FieldPair]:
    columns = columns_of(selectors.schema_of(collection))
    titles = selectors.titles_of(viewer, relation_ids(columns, [row.data for row in rows]))
    found = []
    for column in columns:
        cells = [cell_of(column, row.data, titles) for row in rows]
        values = [row.data.get(column.name) for row in rows]
        if all(cell.is_empty for cell in cells):
            continue
        is_of_other = post.get(f"v-{column.name}") == "other"
        found.append(
            FieldPair(column.title, column.name, *cells, _state(cells, values), said.get(column.name, 0.0), is_of_other)
        )
    return found


def _state(cells: list[Cell], values: list[Any]) -> str:
    if values[0] == values[1]:
        return "same"
    if cells[1].is_empty:
        return "one"
    if cells[0].is_empty:
        return "other"
    return "both" if all(isinstance(value, list) for value in values) else "differ"


def _chosen(post: Mapping[str, Any], one: Record, other: Record, winner: Record) -> dict[str, Any]:
    """Where the two differ and a person chose what the record that goes says."""
    found = {}
    for name in one.data.keys() & other.data.keys():
        said = {"one": one, "other": other}.get(post.get(f"v-{name}", ""))
        if said is not None and said.pk != winner.pk and one.data[name] != other.data[name]:
            found[name] = said.data[name]
    return found
