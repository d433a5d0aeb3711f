"""What a table shows, as it stands in its address: conditions, words, order, columns, and how it looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.extraction import filters, orders
from apps.extraction.filters import Condition
from apps.extraction.pages.values import Column, as_uuid

_SORTS = re.compile(orders.PATTERN)
LOOKS = ("table", "cards", "graph")
SHOWN_COLUMNS = 7
STATE = ("where", "q", "sort", "complete", "columns", "look")
WORDS = {
    "is": gettext_lazy("is"),
    "not": gettext_lazy("is not"),
    "has": gettext_lazy("contains"),
    "over": pgettext_lazy("comparison", "over"),
    "under": pgettext_lazy("comparison", "under"),
    "from": pgettext_lazy("comparison", "at least"),
    "to": pgettext_lazy("comparison", "at most"),
    "empty": gettext_lazy("is empty"),
    "filled": gettext_lazy("is filled"),
}
_FITTING = {
    "boolean": ("is", "empty", "filled"),
    "choice": ("is", "not", "empty", "filled"),
    "choices": ("is", "not", "empty", "filled"),
    "relation": ("empty", "filled"),
    "relations": ("empty", "filled"),
    "json": ("has", "empty", "filled"),
    "list": ("is", "not", "has", "empty", "filled"),
    "text": ("has", "is", "not", "empty", "filled"),
    "long_text": ("has", "empty", "filled"),
    "email": ("has", "is", "not", "empty", "filled"),
    "url": ("has", "is", "not", "empty", "filled"),
}
_ORDERED = ("is", "not", "over", "under", "from", "to", "empty", "filled")


def operators_for(column: Column) -> tuple[str, ...]:
    return _FITTING.get(column.kind, _ORDERED)


@dataclass(frozen=True, slots=True)
class Asked:
    where: tuple[str, ...] = ()
    text: str = ""
    sort: str = orders.DEFAULT
    is_complete: bool | None = None
    columns: tuple[str, ...] = ()
    look: str = "table"
    view_id: UUID | None = None

    @property
    def conditions(self) -> list[Condition]:
        return [filters.read(raw) for raw in self.where]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.where or self.text or self.is_complete is not None)

    def url(self, **changes: Any) -> str:
        """An address of the table, from its first row on. The order is always said: so a view can be told from what it became."""
        asked = replace(self, **changes)
        query = QueryDict(mutable=True)
        query.setlist("where", list(asked.where))
        said = {
            "q": asked.text,
            "complete": {True: "yes", False: "no", None: ""}[asked.is_complete],
            "columns": ",".join(asked.columns),
            "look": asked.look if asked.look != "table" else "",
            "view": str(asked.view_id or ""),
        }
        for name, value in said.items():
            if value:
                query[name] = value
        query["sort"] = asked.sort
        return f"?{query.urlencode()}"

    def hidden(self, *, without: Sequence[str] = ()) -> list[tuple[str, str]]:
        """The same as fields of a form."""
        query = QueryDict(self.url().removeprefix("?"))
        return [(name, value) for name, values in query.lists() if name not in without for value in values]

    def as_selection(self) -> dict[str, Any]:
        """As an operation takes the records that the table shows."""
        return {"where": list(self.where), "q": self.text, "complete": self.is_complete}

    def as_json(self) -> dict[str, Any]:
        """As a saved view keeps it."""
        return {
            "where": list(self.where),
            "q": self.text,
            "sort": self.sort,
            "complete": self.is_complete,
            "columns": list(self.columns),
            "look": self.look,
        }


def asked_in(query: QueryDict) -> Asked:
    """What is no order and no look is none: an address that somebody mangled still shows the table."""
    sort, look = query.get("sort", ""), query.get("look", "")
    added = _added(query)
    return Asked(
        where=tuple(raw[:500] for raw in [*query.getlist("where"), *added] if raw)[: filters.MAX_CONDITIONS + 1],
        text=query.get("q", "").replace("\x00", "")[:200].strip(),
        sort=sort if _SORTS.match(sort) else orders.DEFAULT,
        is_complete={"yes": True, "no": False}.get(query.get("complete", "")),
        columns=_columns(query),
        look=look if look in LOOKS else "table",
        view_id=as_uuid(query.get("view")),
    )


def _columns(query: QueryDict) -> tuple[str, ...]:
    """A single hyphen: none but the title."""
    said = [*query.get("columns", "").split(","), *query.getlist("column")]
    names = tuple(dict.fromkeys(name for name in said if name and name != "-"))
    return names or (("-",) if "-" in said else ())


def _added(query: QueryDict) -> list[str]:
    """A condition from the small builder: field, comparison and value in three fields of a form."""
    field, operator = query.get("f", ""), query.get("o", "")
    if not field or operator not in filters.OPERATORS:
        return []
    value = query.get("v", "").replace("\x00", "").strip()
    return [f"{field}:{operator}:{value}"] if value or operator in {"empty", "filled"} else []


def asks_for_more(query: QueryDict) -> bool:
    """Came from a form: its fields become one address that can be kept and shared."""
    return "f" in query or "column" in query


def asked_of_view(state: dict[str, Any], view_id: UUID) -> Asked:
    return Asked(
        where=tuple(state.get("where", ())),
        text=state.get("q", ""),
        sort=state["sort"] if _SORTS.match(state.get("sort", "")) else orders.DEFAULT,
        is_complete=state.get("complete"),
        columns=tuple(state.get("columns", ())),
        look=state["look"] if state.get("look") in LOOKS else "table",
        view_id=view_id,
    )


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition in words, and the address without it."""

    field: str
    words: str
    url: str


def chips_of(asked: Asked, columns: Sequence[Column]) -> list[Chip]:
    known = {column.name: column for column in columns}
    found = []
    for place, condition in enumerate(asked.conditions):
        column = known.get(condition.field)
        value = _value_words(condition, column)
        words = f"{WORDS[condition.operator]} {value}".strip()
        rest = asked.where[:place] + asked.where[place + 1 :]
        found.append(Chip(column.title if column else condition.field, words, asked.url(where=rest)))
    if asked.is_complete is not None:
        words = _("complete") if asked.is_complete else _("not complete")
        found.append(Chip(_("Record"), words, asked.url(is_complete=None)))
    return found


def _value_words(condition: Condition, column: Column | None) -> str:
    if column and column.kind == "boolean":
        return {"true": _("Yes"), "false": _("No")}.get(condition.value, condition.value)
    return condition.value


def shown_columns(asked: Asked, columns: Sequence[Column]) -> list[Column]:
    """Those that were chosen, in the order of the schema; else the first ones."""
    if asked.columns:
        chosen = [column for column in columns if column.name in asked.columns]
        if chosen or asked.columns == ("-",):
            return chosen
    return list(columns)[:SHOWN_COLUMNS]
