"""In which order records are listed, page by page: by what every record has, or by a field of theirs (``data.<name>``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.db.models import Case, F, Func, JSONField, Q, QuerySet, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Left
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from apps.core.api import Order, Page
from apps.core.errors import FieldError, Invalid
from apps.core.paging import Window
from apps.extraction import selectors
from apps.extraction.models import Collection, Record
from apps.extraction.schema import Field, Schema
from apps.extraction.selectors import schema_of
from apps.extraction.types import TooManyToSort

ORDERS: Mapping[str, Order] = {
    "-created_at": Order("created_at"),
    "created_at": Order("created_at", descending=False),
    "title": Order("title", descending=False),
    "-title": Order("title"),
    "-updated_at": Order("updated_at"),
    "updated_at": Order("updated_at", descending=False),
}
DEFAULT = "-created_at"
#: What an address may ask for; whether there is such a field, the schema says.
PATTERN = r"^-?(created_at|updated_at|title|data\..{1,200})$"
OF_FIELD = "data."
#: Longer texts are in the order of their beginnings.
MOST_CHARACTERS = 200
#: No index knows the order of a field: all that are left by the conditions are looked at. Of so many that takes less than 100 ms.
MOST_SORTED = 20_000
#: So few are looked at by their ids, and not found by their conditions once more.
FEW = 500
_KINDS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


def is_sortable(field: Field) -> bool:
    """One plain value a record: no list, no object, and nothing that points to another record."""
    return field.relation is None and not field.is_list and field.type in _KINDS


def field_of(schema: Schema, sort: str) -> Field | None:
    """The field that ``sort`` names; None when it names none by which records can be put in order."""
    name = sort.removeprefix("-").removeprefix(OF_FIELD)
    field = schema.named(name) if sort.removeprefix("-").startswith(OF_FIELD) else None
    return field if field is not None and field.is_top and is_sortable(field) else None


def page_of(
    collection: Collection,
    rows: QuerySet[Record],
    *,
    sort: str,
    cursor: str | None,
    limit: int,
    or_nearest: bool = False,
) -> Page:
    """``rows`` come from ``selectors.list_records``; ``or_nearest`` as in ``Page.read``. Raises ``Invalid`` for a field that is none, or has no one value, and
    ``TooManyToSort``.
    """
    if sort in ORDERS:
        return Page.of(rows, order=ORDERS[sort], cursor=cursor, limit=limit, or_nearest=or_nearest)
    field = field_of(schema_of(collection), sort)
    if field is None:
        raise Invalid(fields=[FieldError("sort", "unknown_field", _("Records cannot be put in order by that."))])
    order = Order(_alias(field), descending=sort.startswith("-"))
    keyed = _few_enough(collection, rows).annotate(**{order.field: _key_of(field)})
    return Page.read(
        lambda window: _window(keyed, window, is_backwards=window.order.descending != order.descending),
        order=order,
        cursor=cursor,
        limit=limit,
        or_nearest=or_nearest,
    )


def _few_enough(collection: Collection, rows: QuerySet[Record]) -> QuerySet[Record]:
    if is_small(selectors.count_records([collection]).get(collection.pk, 0)):
        return rows
    ids = list(rows.order_by().values_list("pk", flat=True)[: MOST_SORTED + 1])
    if not is_small(len(ids)):
        raise TooManyToSort(most=MOST_SORTED)
    return rows.filter(pk__in=ids) if len(ids) <= FEW else rows


def is_small(count: int) -> bool:
    """So many can be put in the order of any field."""
    return count <= MOST_SORTED


def _window(rows: QuerySet[Record], window: Window, *, is_backwards: bool) -> list[Record]:
    """As ``Window.over``; who has no value there stands last, whichever the direction."""
    name, descending = window.order.field, window.order.descending
    if window.edge is not None:
        beyond, (value, pk) = "lt" if descending else "gt", window.edge
        is_empty, further = Q(**{f"{name}__isnull": True}), Q(**{f"pk__{beyond}": pk})
        if value is None:
            rows = rows.filter(is_empty & further | ~is_empty if is_backwards else is_empty & further)
        else:
            edge = Value(value, JSONField()) if not isinstance(value, str) else Value(value)
            after = Q(**{f"{name}__{beyond}": edge}) | Q(**{name: edge}) & further
            rows = rows.filter(after if is_backwards else after | is_empty)
    key: Any = F(name)
    nulls = {"nulls_first": True} if is_backwards else {"nulls_last": True}
    ordered = key.desc(**nulls) if descending else key.asc(**nulls)
    return list(rows.order_by(ordered, "-pk" if descending else "pk")[: window.count])


def _alias(field: Field) -> str:
    """Stands in the cursor: one of another field is none for this."""
    return f"by_{hashlib.blake2b(field.name.encode(), digest_size=8).hexdigest()}"


def _key_of(field: Field) -> Combinable:
    """Of values that are of the field's kind; others, of records that an older schema wrote, count as none.

    jsonb compares numbers as numbers; texts are in the order of their characters, as titles and ISO dates are.
    """
    name = Cast(Value(field.name), TextField())
    value = Func(F("data"), name, template="(%(expressions)s)", arg_joiner=" -> ", output_field=JSONField())
    kind = Func(value, function="jsonb_typeof", output_field=TextField())
    if field.type != "string":
        return Case(When(Q(_is(kind, _KINDS[field.type])), then=value), default=None, output_field=JSONField())
    text = Func(F("data"), name, template="(%(expressions)s)", arg_joiner=" ->> ", output_field=TextField())
    there = Q(_is(kind, "string")) & ~Q(_is(text, ""))
    return Case(When(there, then=Left(text, MOST_CHARACTERS)), default=None, output_field=TextField())


def _is(found: Combinable, value: str) -> Any:
    return Exact(found, Value(value))
