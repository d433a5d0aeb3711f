"""One list of hits out of all sources. Each source keeps a place of its own, so no page repeats or leaves out a hit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.core import signing

from apps.accounts.types import Actor
from apps.core.doors.search_sources import SearchHit, SearchQuery, search_sources

_SALT = "parlance.search"
FURTHEST = 2000  # a source reads what it skips: deeper pages cost more and nobody reads them


@dataclass(frozen=True, slots=True)
class Cursor:
    """How many hits of each source stand before the edge of a page, and on which side of it to read."""

    places: Mapping[str, int]
    is_backwards: bool = False

    def __str__(self) -> str:
        return signing.dumps([self.is_backwards, dict(self.places)], salt=_SALT, compress=True)


START = Cursor({})


@dataclass(frozen=True, slots=True)
class Found:
    hits: list[SearchHit]
    next: str | None
    previous: str | None


def read_cursor(text: str | None) -> Cursor | None:
    """None for one that was not written here."""
    if not text:
        return START
    try:
        is_backwards, places = signing.loads(text, salt=_SALT)
        return Cursor({str(name): int(place) for name, place in places.items()}, bool(is_backwards))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None


def find(viewer: Actor, query: SearchQuery, cursor: Cursor = START) -> Found:
    """``query.limit`` hits after (or before) the cursor; the cursor says from where in each source, not ``query.offset``."""
    names = search_sources.names()
    begin = {name: cursor.places.get(name, 0) for name in names}
    limit = query.limit
    if cursor.is_backwards:
        window = _merged(viewer, query, {name: (max(0, at - limit), min(at, limit)) for name, at in begin.items()})
        taken = window[-limit:]
        end, begin = begin, _moved(begin, taken, -1)
        has_next = True
    else:
        window = _merged(viewer, query, {name: (at, limit + 1) for name, at in begin.items()})
        taken = window[:limit]
        end = _moved(begin, taken, 1)
        has_next = len(window) > limit and sum(end.values()) < FURTHEST
    return Found(
        [hit for _name, hit in taken],
        str(Cursor(end)) if has_next else None,
        str(Cursor(begin, is_backwards=True)) if any(begin.values()) else None,
    )


def _merged(viewer: Actor, query: SearchQuery, windows: Mapping[str, tuple[int, int]]) -> list[tuple[str, SearchHit]]:
    """The best first. Equal hits stand in the order of their sources, so that both directions agree."""
    found = [
        (name, hit)
        for name, (offset, limit) in windows.items()
        if limit and (source := search_sources.get(name))
        for hit in source.search(viewer, replace(query, offset=offset, limit=limit))
    ]
    return sorted(found, key=lambda pair: (-pair[1].rank, -pair[1].at.timestamp()))


def _moved(places: Mapping[str, int], taken: list[tuple[str, SearchHit]], sign: int) -> dict[str, int]:
    counted = Counter(name for name, _hit in taken)
    return {name: place + sign * counted[name] for name, place in places.items()}
