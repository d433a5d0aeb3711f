"""Wishes and described collections as cards below messages: what is proposed, what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import View

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.bulk import selectors as operations
from apps.bulk.types import FINAL
from apps.core.doors.below_messages import Shown
from apps.extraction import policies, selectors, wish_fields, wish_selectors
from apps.extraction.made_types import MAX_BRIEF, MAX_MADE
from apps.extraction.models import Wish
from apps.extraction.pages import cards
from apps.extraction.pages.reasons import reason_of
from apps.extraction.wish_types import KINDS, WishKind, WishStatus

#: Rows without a name at the end of the fields, for more of them.
BLANK_FIELDS = 2
KIND_WORDS = {
    "text": _("Text"),
    "long_text": _("Long text"),
    "integer": _("Whole number"),
    "number": _("Number"),
    "boolean": _("Yes or no"),
    "date": _("Date"),
    "email": _("E-mail"),
    "url": _("Address (URL)"),
    "choice": _("Choice"),
    "date_time": _("Date and time"),
    "time": _("Time of day"),
    "relation": _("Another record"),
}


@dataclass(frozen=True, slots=True)
class DescribedField:
    """``target``: the name of the collection that it points to, as far as the viewer sees that, else its short name. ``lost``: where it
    was to point to, though nothing is there; it is text.
    """

    title: str
    kind: Any
    choices: tuple[str, ...]
    is_required: bool
    is_list: bool
    target: str
    lost: str


@dataclass(frozen=True, slots=True)
class WishCard:
    """``operation`` is None for viewers who may not see it; ``topic`` is what the card follows while that moves."""

    row: Wish
    url: str
    api: str
    topic: str
    target: str
    is_new: bool
    fields: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    collections: tuple[tuple[str, str], ...]
    can_write: bool
    can_confirm: bool
    reason: str
    operation: Any
    is_moving: bool
    described: tuple[DescribedField, ...] = ()
    most: int = MAX_MADE
    most_characters: int = MAX_BRIEF

    @property
    def kinds(self) -> Any:
        return [(kind, KIND_WORDS[kind]) for kind in KINDS]


def below(viewer: Any, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Shown]]:
    """Wishes first, as they were said; then what was read."""
    found: dict[UUID, list[Shown]] = {}
    rows = list(wish_selectors.list_shown_under(viewer, message_ids)) if policies.has_read_scope(viewer) else []
    for row, card in zip(rows, wish_cards(viewer, rows), strict=True):
        found.setdefault(row.shown_under, []).append(Shown("extraction/_wish.html", card))
    for pk, shown in cards.below(viewer, message_ids).items():
        found.setdefault(pk, []).extend(shown)
    return found


def wish_cards(viewer: Actor, rows: Sequence[Wish]) -> list[WishCard]:
    if not rows:
        return []
    roles = {pk: accounts.project_role(viewer, pk) for pk in {row.project_id for row in rows}}
    running = {row.operation_id for row in rows if row.operation_id}
    seen = {each.pk: each for each in operations.list_operations(viewer).filter(pk__in=running)} if running else {}
    there: dict[UUID, list[Any]] = {
        pk: list(selectors.with_document(selectors.list_collections(viewer, project_id=pk)).order_by("name"))
        for pk in {row.project_id for row in rows if row.status == WishStatus.PROPOSED}
    }
    return [_card(viewer, row, roles[row.project_id], seen, there.get(row.project_id, [])) for row in rows]


def _card(viewer: Actor, row: Wish, role: Any, seen: Mapping[UUID, Any], there: Sequence[Any]) -> WishCard:
    is_described = row.kind == WishKind.COLLECTION
    can_write = policies.can_wish(viewer, row.kind, role)
    operation = seen.get(row.operation_id) if row.operation_id else None
    is_new = row.collection_id is None
    own = next((each for each in there if each.pk == row.collection_id), None)
    fields = [each["title"] for each in row.fields] if is_new else []
    if own:
        fields = [each.title for each in selectors.schema_of(own).top if each.relation is None]
    return WishCard(
        row=row,
        url=reverse("extraction:wish", kwargs={"wish_id": row.pk}),
        api=reverse("wishes_detail", kwargs={"wish_id": row.pk}),
        topic=f"operation:{operation.pk}" if operation else "",
        target=row.collection.name if row.collection else row.name,
        is_new=is_new,
        fields=tuple(fields),
        rows=(*row.fields, *({"name": "", "title": "", "kind": "text", "choices": []} for _n in range(BLANK_FIELDS))),
        collections=tuple((str(each.pk), each.name) for each in there),
        can_write=can_write,
        can_confirm=can_write and (not is_new or policies.can_define_collections(viewer, role)),
        reason=reason_of(row.error_code) if row.status == WishStatus.FAILED else "",
        operation=operation,
        described=_described(row, there) if is_described else (),
        is_moving=row.status == WishStatus.READING or bool(operation and operation.status not in FINAL),
    )


def _described(row: Wish, there: Sequence[Any]) -> tuple[DescribedField, ...]:
    names, lost = {each.slug: each.name for each in there}, wish_fields.lost(row.fields)
    return tuple(
        DescribedField(
            each["title"],
            KIND_WORDS[each["kind"]],
            tuple(each["choices"]),
            each["required"],
            each["is_list"],
            names.get(each["relation"], each["relation"]) if each["name"] not in lost else "",
            lost.get(each["name"], ""),
        )
        for each in row.fields
    )


class WishFragment(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, wish_id: UUID) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        row = wish_selectors.get_wish(wish_id=wish_id, viewer=viewer)
        return render(request, "extraction/_wish_inside.html", {"card": wish_cards(viewer, [row])[0]})
