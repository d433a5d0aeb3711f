"""Reads of what goes with records, for operations that show it before they begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q

from apps.accounts.types import Actor
from apps.extraction import selectors, shape, use_selectors
from apps.extraction.models import Collection, Duplicate, Record, RecordKey
from apps.extraction.types import DuplicateStatus


def count_along(record: Record, viewer: Actor) -> dict[str, int]:
    """What is out of sight, or loses what it points to, with a record that the caller may see: ``pointing`` records, ``comments``,
    ``pairs`` of it and another that wait for a decision.
    """
    pairs = Duplicate.objects.filter(Q(one=record) | Q(other=record), status=DuplicateStatus.PENDING)
    return {
        "pointing": selectors.links_to(record, viewer).order_by().values("source").distinct().count(),
        "comments": use_selectors.list_comments(record).count(),
        "pairs": pairs.count(),
    }


def taken_keys(collection: Collection, record: Record, data: Mapping[str, Any]) -> Iterator[list[str]]:
    """Unique keys whose values, as ``data`` has them, another record of the collection holds."""
    for names in collection.unique_keys:
        if (digest := shape.key_of(names, data)) is None:
            continue
        held = RecordKey.objects.filter(collection=collection, fields="\x1f".join(names), digest=digest)
        if held.exclude(record=record).exists():
            yield names
