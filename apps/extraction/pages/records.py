"""The page of one record: its fields with the words behind them, its relations, its history and what people say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.core.api import Order, Page, page_url
from apps.core.errors import DomainError, NotFound
from apps.extraction import joinings, schema, selectors, services, shape, use_selectors
from apps.extraction.models import Collection, Record, RecordComment, RecordRevision
from apps.extraction.pages import drawing, graphs
from apps.extraction.pages.tables import CollectionView, remember_gone
from apps.extraction.pages.values import Cell, Column, cell_of, columns_of, relation_ids, shown
from apps.extraction.pages.words import Words, words_of

SHOWN_VERSIONS = 5
SHOWN_LINKS = 50
SHOWN_COMMENTS = 100
SHOWN_PAIRS = 3
VERSIONS = 20


@dataclass(frozen=True, slots=True)
class FieldRow:
    cell: Cell
    words: list[Words]
    is_missing: bool
    target_id: UUID | None

    @property
    def column(self) -> Column:
        return self.cell.column


@dataclass(frozen=True, slots=True)
class Difference:
    title: str
    before: Cell
    after: Cell


@dataclass(frozen=True, slots=True)
class Version:
    revision: RecordRevision
    differences: list[Difference]
    is_now: bool


class OneRecordView(CollectionView):
    record: Record

    def found_record(self, request: HttpRequest, record_id: UUID, *, with_deleted: bool = False) -> Collection:
        viewer = request.actor  # type: ignore[attr-defined]
        self.record = selectors.get_record(record_id=record_id, viewer=viewer, with_deleted=with_deleted)
        return self.found(request, self.record.collection_id)


class RecordPage(OneRecordView):
    def get(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        collection = self.found_record(request, record_id)
        return render(request, "extraction/record.html", self.base(collection) | self.context(request, collection))

    def context(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        viewer = request.actor  # type: ignore[attr-defined]
        record = self.record
        columns = columns_of(selectors.schema_of(collection))
        words = words_of(record, viewer, [column.name for column in columns])
        revisions = list(selectors.list_revisions(record)[: SHOWN_VERSIONS + 1])
        titles = selectors.titles_of(viewer, relation_ids(columns, [record.data, *(each.data for each in revisions)]))
        slugs = {column.relation for column in columns if column.is_relation}
        targets = selectors.collections_by_slug(viewer, collection.project_id, slugs) if slugs else {}
        links = list(selectors.links_to(record, viewer)[: SHOWN_LINKS + 1])
        comments = list(use_selectors.list_comments(record).order_by("-created_at", "-pk")[: SHOWN_COMMENTS + 1])
        fields = [
            FieldRow(
                cell_of(column, record.data, titles),
                [each for each in words if each.field == column.name],
                column.name in record.missing,
                targets[column.relation].pk if column.relation in targets else None,
            )
            for column in columns
        ]
        has_links = bool(links) or any(field.cell.parts for field in fields if field.column.is_relation)
        return {
            "record": record,
            "state": drawing.state(record) if collection.needed else "",
            "fields": fields,
            "words": [each for each in words if not each.is_inferred],
            "is_demo": any(each.is_demo for each in words),
            "column_titles": {column.name: column.title for column in columns},
            "editable": [{"column": field.column, "target_id": field.target_id} for field in fields],
            "links": [(link, schema.title_of(link.field)) for link in links[:SHOWN_LINKS]],
            "has_more_links": len(links) > SHOWN_LINKS,
            "graph": graphs.around(record, viewer) if has_links else None,
            "versions": versions_of(revisions, columns, titles, record, SHOWN_VERSIONS),
            "has_more_versions": len(revisions) > SHOWN_VERSIONS,
            "pairs": [
                (pair, (pair.other if pair.one_id == record.pk else pair.one).title, int(pair.score * 100))
                for pair in joinings.list_pairs_of(record, viewer)[:SHOWN_PAIRS]
            ],
            "comments": [self.comment(request, each) for each in reversed(comments[:SHOWN_COMMENTS])],
            "has_more_comments": len(comments) > SHOWN_COMMENTS,
        }

    def comment(self, request: HttpRequest, comment: RecordComment) -> dict[str, Any]:
        viewer = request.actor  # type: ignore[attr-defined]
        is_own = comment.author_id == viewer.user_id
        return {
            "row": comment,
            "can_change": is_own and self.can_write,
            "can_delete": (is_own and self.can_write) or self.can_define,
        }


def versions_of(
    revisions: Sequence[RecordRevision],
    columns: Sequence[Column],
    titles: Mapping[str, str],
    record: Record,
    count: int,
) -> list[Version]:
    """The newest first; each is compared with the one after it in the list, which is the one before it in time."""
    known = {column.name: column for column in columns}
    found = []
    for place, revision in enumerate(revisions[:count]):
        older = revisions[place + 1].data if place + 1 < len(revisions) else {}
        differences = [
            Difference(
                (column := known.get(change.field) or Column(change.field, change.field, "json")).title,
                shown(column, change.before, titles),
                shown(column, change.after, titles),
            )
            for change in shape.changes_between(older, revision.data)
        ]
        found.append(Version(revision, differences, revision.number == record.version))
    return found


class HistoryPage(OneRecordView):
    def get(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        collection = self.found_record(request, record_id, with_deleted=True)
        page = Page.of(
            selectors.list_revisions(self.record),
            order=Order("number"),
            cursor=request.GET.get("cursor"),
            limit=VERSIONS,
        )
        rows: list[RecordRevision] = list(page.results)
        rows += _before(self.record, rows)
        columns = columns_of(selectors.schema_of(collection))
        titles = selectors.titles_of(request.actor, relation_ids(columns, [row.data for row in rows]))  # type: ignore[attr-defined]
        context = {
            "record": self.record,
            "versions": versions_of(rows, columns, titles, self.record, len(page.results)),
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "extraction/history.html", self.base(collection) | context)


def _before(record: Record, rows: Sequence[RecordRevision]) -> Iterable[RecordRevision]:
    """What the last row is compared with stands on the next page."""
    if not rows or rows[-1].number <= 1:
        return []
    return [selectors.get_revision(record, rows[-1].number - 1)]


class RecordActPage(OneRecordView):
    def post(self, request: HttpRequest, record_id: UUID, act: str) -> HttpResponse:
        actor = request.actor  # type: ignore[attr-defined]
        collection = self.found_record(request, record_id, with_deleted=True)
        if act == "delete":
            services.delete_record(actor=actor, record_id=record_id)
            remember_gone(request, [record_id])
            return redirect("extraction:table", collection.pk)
        if act == "restore":
            services.restore_record(actor=actor, record_id=record_id)
        elif act == "set-back":
            self.set_back(request, record_id)
        elif act == "comment":
            return self.comment(request, record_id)
        else:
            raise NotFound
        return redirect("extraction:record", record_id)

    def set_back(self, request: HttpRequest, record_id: UUID) -> None:
        number = request.POST.get("number", "")
        if not number.isdecimal() or len(number) > 9:  # noqa: PLR2004  (an integer of the database)
            raise NotFound
        try:
            services.set_back_record(actor=request.actor, record_id=record_id, number=int(number))  # type: ignore[attr-defined]
        except DomainError as error:
            detail = next((each.detail for each in error.fields), error.detail)
            messages.error(request, _("Not set back: %(reason)s") % {"reason": detail})
        else:
            messages.success(request, _("Set back to version %(number)s.") % {"number": number})

    def comment(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        try:
            services.add_comment(actor=request.actor, record_id=record_id, text=request.POST.get("text", ""))  # type: ignore[attr-defined]
        except DomainError as error:
            if error.status not in {400, 413}:
                raise
            messages.error(request, next((each.detail for each in error.fields), error.detail))
        return redirect(_comments_of(record_id))


class CommentPage(OneRecordView):
    """One's own comment changed, or a comment deleted."""

    def post(self, request: HttpRequest, record_id: UUID, comment_id: UUID) -> HttpResponse:
        actor = request.actor  # type: ignore[attr-defined]
        self.found_record(request, record_id)
        if use_selectors.get_comment(comment_id=comment_id, viewer=actor).record_id != record_id:
            raise NotFound
        if request.POST.get("act") == "delete":
            services.delete_comment(actor=actor, comment_id=comment_id)
        else:
            services.change_comment(actor=actor, comment_id=comment_id, text=request.POST.get("text", ""))
        return redirect(_comments_of(record_id))


def _comments_of(record_id: UUID) -> str:
    return f"/record/{record_id}/#comments"
