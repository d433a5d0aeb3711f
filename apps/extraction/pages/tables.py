"""A collection as a table, as cards or as a graph, and what is done with its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.api import Order, Page, page_url
from apps.core.errors import DomainError, Invalid
from apps.core.events import topic_position
from apps.extraction import joinings, orders, policies, selectors, services, shape, use_selectors
from apps.extraction.models import Collection, Record, RecordView
from apps.extraction.pages import asking, drawing, graphs
from apps.extraction.pages.asking import Asked
from apps.extraction.pages.values import Cell, Column, as_uuid, cell_of, columns_of, relation_ids
from apps.extraction.types import TooManyToSort

WINDOW = 50
MOST_CHOICES = 20
_GONE = "records_gone"
_ANY = UUID(int=0)
_TITLES = {"text", "long_text", "choice", "email", "url"}


@dataclass(frozen=True, slots=True)
class Row:
    """``name`` is the cell that the title is made of, where it is one field. ``has_state``: its collection needs more than the schema."""

    record: Record
    name: Cell | None
    cells: list[Cell]
    title: str
    url: str
    choose: str
    has_state: bool = False

    @property
    def marks(self) -> SafeString:
        return drawing.marks(self.record)

    @property
    def tick(self) -> SafeString:
        return drawing.tick(self)

    @property
    def state(self) -> SafeString | str:
        return drawing.state(self.record) if self.has_state else ""

    @property
    def drawn(self) -> SafeString:
        """Its cells as HTML."""
        return drawing.row(self, is_editable=False)

    @property
    def editable(self) -> SafeString:
        return drawing.row(self, is_editable=True)

    @property
    def filled(self) -> list[Cell]:
        """What a card shows."""
        return [cell for cell in self.cells if not cell.is_empty][:5]


class CollectionView(LoginRequiredMixin, View):
    """``found`` answers 404 to strangers and tells the shell which project this is."""

    def found(self, request: HttpRequest, collection_id: UUID) -> Collection:
        viewer = request.actor  # type: ignore[attr-defined]
        collection = selectors.get_collection(collection_id=collection_id, viewer=viewer)
        request.project = project = accounts.get_project(collection.project_id, viewer)  # type: ignore[attr-defined]
        self.role = role = accounts.role_in(viewer, project)
        self.can_write = policies.can_write_records(viewer, role)
        self.can_define = policies.can_define_collections(viewer, role)
        return collection

    def base(self, collection: Collection) -> dict[str, Any]:
        return {"collection": collection, "can_write": self.can_write, "can_define": self.can_define}


def remember_gone(request: HttpRequest, ids: Iterable[UUID]) -> None:
    """For the next page of the table: it offers to bring them back."""
    request.session[_GONE] = [str(each) for each in ids]


class TablePage(CollectionView):
    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        asked = asking.asked_in(request.GET)
        if asking.asks_for_more(request.GET):
            return redirect(request.path + asked.url())
        views = list(use_selectors.list_views(request.actor, collection=collection).order_by("name", "pk"))  # type: ignore[attr-defined]
        view = next((each for each in views if each.pk == asked.view_id), None)
        if view and not set(asking.STATE) & request.GET.keys():
            asked = asking.asked_of_view(view.state, view.pk)
        context = self.base(collection) | _table(request, collection, asked) | self.views(request, views, view, asked)
        return render(request, "extraction/table.html", context)

    def views(
        self, request: HttpRequest, views: list[RecordView], view: RecordView | None, asked: Asked
    ) -> dict[str, Any]:
        """``is_other``: the table shows something else than the view says."""
        viewer = request.actor  # type: ignore[attr-defined]
        plain = asking.Asked(view_id=view.pk if view else None)
        kept = asking.asked_of_view(view.state, view.pk) if view else plain
        return {
            "views": views,
            "view": view,
            "is_other": asked.as_json() != kept.as_json(),
            "can_change_view": bool(view and policies.can_change_view(viewer, view, self.role)),
        }


def _table(request: HttpRequest, collection: Collection, asked: Asked) -> dict[str, Any]:
    viewer = request.actor  # type: ignore[attr-defined]
    position = topic_position(collection.scope.topic)  # read first: what happens meanwhile comes again as an event
    columns = columns_of(selectors.schema_of(collection))
    name = title_column(collection, columns)
    others = [column for column in columns if column is not name]
    shown = asking.shown_columns(asked, others)
    page, problem, notice = _page(request, collection, asked)
    siblings = selectors.list_names(viewer, project_id=collection.project_id)
    counts = selectors.count_records(siblings)
    targets = {row.slug: row.pk for row in siblings}
    can_sort = asked.is_narrowed or orders.is_small(counts.get(collection.pk, 0))
    return {
        "asked": asked,
        "here": asked.url(),
        "unfiltered_url": asked.url(where=(), text="", is_complete=None),
        "incomplete_url": asked.url(is_complete=False),
        "search_state": asked.hidden(without=["q"]),
        "filter_state": asked.hidden(),
        "column_state": asked.hidden(without=["columns"]),
        "column_names": ",".join(column.name for column in shown),
        "problem": problem,
        "notice": notice,
        "columns": columns,
        "name": name,
        "shown": shown,
        "others": [(column, column in shown) for column in others],
        "rows": rows_of(viewer, collection, page.results, name, shown),
        "graph": graphs.of_records(page.results, viewer) if asked.look == "graph" else None,
        "chips": asking.chips_of(asked, columns),
        "fields": [(column, asking.operators_for(column)) for column in columns],
        "operators": asking.WORDS.items(),
        "looks": _looks(asked),
        "orders": _orders(asked),
        "heads": [(column, _head(asked, collection, column) if can_sort else None) for column in shown],
        "has_needed": bool(collection.needed),
        "siblings": [(row, counts.get(row.pk, 0)) for row in siblings],
        "total": counts.get(collection.pk, 0),
        "position": position,
        "fresh_url": request.path + asked.url(),
        "sharing": joinings.list_sharing_a_key(collection, viewer),
        "editable": [
            {"column": column, "target_id": targets.get(column.relation)} for column in [name, *shown] if column
        ],
        "gone": request.session.pop(_GONE, []) if _GONE in request.session else [],
        "next_url": page_url(request, page.next),
        "previous_url": page_url(request, page.previous),
    }


def _page(request: HttpRequest, collection: Collection, asked: Asked) -> tuple[Page, str, str]:
    """A condition that fits no field shows nothing and says why: the way to take it away is on the page. An order that so many cannot be
    put in gives way to the newest first, and the page says so.
    """
    cursor, notice = request.GET.get("cursor"), ""
    try:
        rows = selectors.list_records(
            collection=collection, conditions=asked.conditions, text=asked.text, is_complete=asked.is_complete
        )
        sort = asked.sort
        if sort not in orders.ORDERS and orders.field_of(selectors.schema_of(collection), sort) is None:
            sort = orders.DEFAULT  # the field has another name by now, or is gone
        page_by = partial(orders.page_of, collection, rows, cursor=cursor, limit=WINDOW, or_nearest=True)
        try:
            page = page_by(sort=sort)
        except TooManyToSort as error:
            notice = str(error.detail)
            page = page_by(sort=orders.DEFAULT)
    except Invalid as error:
        return Page([], None, None), next((each.detail for each in error.fields), error.detail), ""
    else:
        return page, "", notice


def title_column(collection: Collection, columns: Sequence[Column]) -> Column | None:
    """The field that the title is, when it is only one."""
    template = collection.title_template.strip()
    if template:
        names = shape.places_of(template)
        is_one = len(names) == 1 and template == "{" + template[1:-1] + "}"
        return next((column for column in columns if is_one and column.name == names[0]), None)
    first = next((column for column in columns if column.item == "string"), None)
    return first if first and first.kind in _TITLES else None


def rows_of(
    viewer: Actor, collection: Collection, records: Iterable[Record], name: Column | None, shown: Sequence[Column]
) -> list[Row]:
    found, choose = list(records), _("Choose %(title)s")
    url = reverse("extraction:record", kwargs={"record_id": _ANY})  # once: it takes as long as drawing a row
    titles = selectors.titles_of(viewer, relation_ids(shown, [row.data for row in found]))
    return [
        Row(
            record=row,
            name=cell_of(name, row.data, titles) if name else None,
            cells=[cell_of(column, row.data, titles) for column in shown],
            title=drawing.shortened(row.title or "—"),
            url=url.replace(str(_ANY), str(row.pk)),
            choose=choose % {"title": row},
            has_state=bool(collection.needed),
        )
        for row in found
    ]


def _looks(asked: Asked) -> list[dict[str, Any]]:
    named = {
        "table": {"label": _("Table"), "icon": "rows-3"},
        "cards": {"label": _("Cards"), "icon": "layout-grid"},
        "graph": {"label": _("Graph"), "icon": "share-2"},
    }
    return [
        {**named[look], "name": look, "url": asked.url(look=look), "is_current": look == asked.look}
        for look in asking.LOOKS
    ]


def _orders(asked: Asked) -> dict[str, dict[str, str]]:
    """Of the heads that sort: where a click leads, and how it is sorted now."""
    return {
        field: _sorted(asked, field, newest_first=field != "title") for field in ("title", "updated_at", "created_at")
    }


def _sorted(asked: Asked, field: str, *, newest_first: bool = False) -> dict[str, str]:
    first, other = (f"-{field}", field) if newest_first else (field, f"-{field}")
    is_here = asked.sort in {field, f"-{field}"}
    now = ("descending" if asked.sort.startswith("-") else "ascending") if is_here else "none"
    return {"url": asked.url(sort=other if asked.sort == first else first), "now": now}


def _head(asked: Asked, collection: Collection, column: Column) -> dict[str, str] | None:
    """None: a click on the head sorts nothing."""
    field = f"{orders.OF_FIELD}{column.name}"
    return _sorted(asked, field) if orders.field_of(selectors.schema_of(collection), field) else None


class ChoicesView(CollectionView):
    """Records that a relation may point to: the ones whose words match what is typed."""

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        text = request.GET.get("q", "").replace("\x00", "")[:200].strip()
        rows = selectors.list_titled(collection=collection, text=text)[:MOST_CHOICES]
        return render(request, "extraction/_choices.html", {"records": rows})


class RowsPage(CollectionView):
    """Chosen rows are deleted, or brought back: each by itself, so that one that is refused leaves the others done, and is told."""

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        require(self.can_write)
        is_back = request.POST.get("act") == "restore"
        act = services.restore_record if is_back else services.delete_record
        ids = list(dict.fromkeys(found for found in map(as_uuid, request.POST.getlist("record")) if found))[
            : 2 * WINDOW
        ]
        refused: dict[UUID, str] = {}
        for record_id in ids:
            try:
                act(actor=request.actor, record_id=record_id)  # type: ignore[attr-defined]
            except DomainError as error:
                refused[record_id] = next((each.detail for each in error.fields), str(error.detail))
        # What could not be brought back can be tried again.
        if gone := [each for each in ids if (each in refused) == is_back]:
            remember_gone(request, gone)
        if refused:
            _tell(request, list(refused.values()), is_back=is_back)
        if is_back:
            return redirect("extraction:table", collection.pk)
        back = request.POST.get("back", "")
        return redirect(request.path.removesuffix("rows/") + (back if back.startswith("?") else ""))


def _tell(request: HttpRequest, why: Sequence[str], *, is_back: bool) -> None:
    number = len(why)
    if is_back:
        said = ngettext(
            "%(number)d record was not brought back: %(why)s",
            "%(number)d records were not brought back: %(why)s",
            number,
        )
    else:
        said = ngettext(
            "%(number)d record was not deleted: %(why)s", "%(number)d records were not deleted: %(why)s", number
        )
    messages.error(request, said % {"number": number, "why": " ".join(dict.fromkeys(why))})


class DeletedPage(CollectionView):
    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        rows = selectors.list_deleted_records(collection)
        page = Page.of(rows, order=Order("deleted_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        context = {
            "records": page.results,
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "extraction/deleted.html", self.base(collection) | context)
