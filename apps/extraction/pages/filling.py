"""A form made of a schema: what stands in each of its fields, and what somebody filled in. Of records, and of what a run is begun with."""

from __future__ import annotations

from collections.abc import Collection as Among
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext_lazy

from apps.accounts.types import Actor
from apps.extraction import selectors
from apps.extraction.pages.values import Column, cell_of, read, relation_ids
from apps.extraction.schema import Schema, properties_of

HELP = {
    "list": gettext_lazy("One a line."),
    "json": gettext_lazy("As JSON."),
    "choices": gettext_lazy("Hold Ctrl or ⌘ to choose several."),
}


def defaults_of(schema: Schema) -> dict[str, Any]:
    """What a form that nobody filled in begins with."""
    properties = properties_of(schema)
    return {name: own["default"] for name, own in properties.items() if isinstance(own, Mapping) and "default" in own}


def form_fields(
    columns: Sequence[Column],
    data: Mapping[str, Any],
    *,
    viewer: Actor,
    project_id: UUID,
    post: QueryDict | None,
    errors: Mapping[str, str],
    needed: Among[str] = (),
) -> list[dict[str, Any]]:
    """As ``extraction/_fields.html`` draws them: with ``data``, or what was sent (``post``); ``errors`` by the names of fields.
    ``needed``: those that are wanted though the schema does not require them.
    """
    titles = selectors.titles_of(viewer, relation_ids(columns, [data]))
    slugs = {column.relation for column in columns if column.is_relation}
    targets = selectors.collections_by_slug(viewer, project_id, slugs) if slugs else {}
    found = []
    for column in columns:
        cell = cell_of(column, data, titles)
        sent = post.getlist(f"v-{column.name}") if post is not None else None
        found.append(
            {
                "column": column,
                "cell": cell,
                "raw": cell.raw if sent is None else "\n".join(sent),
                "chosen": cell.raw.splitlines() if sent is None else sent,
                "target": targets.get(column.relation),
                "error": errors.get(column.name, ""),
                "help": column.help or HELP.get(column.kind, ""),
                "note": f"n-{column.name}" if column.help or column.kind in HELP or column.name in errors else "",
                "is_needed": column.required or column.name in needed,
            }
        )
    return found


def filled_in(columns: Sequence[Column], data: Mapping[str, Any], post: QueryDict) -> dict[str, Any]:
    """What was changed: a field that still says what ``data`` says is not read again, so a form loses nothing it cannot show.
    None for what was emptied. ``Invalid`` for what is no JSON where JSON is asked for.
    """
    found = {}
    for column in columns:
        if f"v-{column.name}" not in post and column.kind != "choices":
            continue
        texts = [text.replace("\r\n", "\n") for text in post.getlist(f"v-{column.name}")]
        if "\n".join(texts) != cell_of(column, data, {}).raw:
            found[column.name] = read(column, texts)
    return found
