"""Rows of one organization that go in pieces: what the erasers of apps with large tables share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q


def erase_some(
    organization_id: UUID,
    limit: int,
    *,
    tables: Sequence[type[Any]],
    pointers: Mapping[type[Any], Sequence[tuple[type[Any], str]]] | None = None,
) -> int | None:
    """Up to ``limit`` rows of the first table that has some; None: they are all empty.

    ``tables``: whoever points at others comes first. ``pointers``: of a table the columns that point at it from what is still there then,
    itself included. They are emptied before it goes, in pieces too: 0 then, since nothing has gone.
    """
    for table in tables:
        for pointing, column in (pointers or {}).get(table, ()):
            rows = pointing.objects.filter(Q(**{f"{column}__isnull": False}), organization_id=organization_id)
            if pointing.objects.filter(pk__in=rows.values("pk")[:limit]).update(**{column: None}):
                return 0
        rows = table.objects.filter(organization_id=organization_id)
        if count := table.objects.filter(pk__in=rows.values("pk")[:limit])._raw_delete("default"):  # noqa: SLF001
            return int(count)
    return None
