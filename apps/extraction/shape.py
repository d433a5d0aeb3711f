"""What follows from a record's data and its collection: title, text to search, keys, what is missing. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from apps.extraction.schema import Field
from apps.extraction.types import MAX_SEARCH_TEXT, Change

MAX_TITLE = 300
_PLACE = re.compile(r"\{([^{}]{1,200})\}")


def places_of(template: str) -> list[str]:
    """Names of fields that a title template speaks of: ``{first} {last}``."""
    return [name.strip() for name in _PLACE.findall(template)]


def with_names(template: str, names: Mapping[str, str]) -> str:
    """The template after fields got new names."""
    return _PLACE.sub(lambda found: f"{{{names.get(found[1].strip(), found[1].strip())}}}", template)


def title_of(template: str, fields: Sequence[Field], data: Mapping[str, Any]) -> str:
    """The template with values in it; without one the first text of the record."""
    if template:
        made = _PLACE.sub(lambda found: as_text(data.get(found[1].strip())), template)
    else:
        made = next((as_text(data[f.name]) for f in fields if f.type == "string" and data.get(f.name)), "")
    # Separators around a place that stayed empty are not a title.
    return re.sub(r"\s+", " ", made).strip(" ,;:·-\u2013\u2014/")[:MAX_TITLE]


def as_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(filter(None, map(as_text, value)))
        case dict():
            return ", ".join(filter(None, map(as_text, value.values())))
        case _:
            return str(value)


def text_of(title: str, data: Mapping[str, Any]) -> str:
    """What search looks through: the title, then every scalar once."""
    said = dict.fromkeys([title, *(str(value) for value in _scalars(data))])
    return "\n".join(said)[:MAX_SEARCH_TEXT].replace("\x00", "")


def _scalars(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for inner in value.values():
                yield from _scalars(inner)
        case list():
            for inner in value:
                yield from _scalars(inner)
        case None | bool():
            return
        case _:
            yield value


def is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def missing(needed: Iterable[str], data: Mapping[str, Any], hollow: Collection[str] = ()) -> list[str]:
    """Fields that a complete record has and this one does not, in the collection's order. ``hollow``: those that name only what is gone."""
    return [name for name in needed if name in hollow or is_empty(data.get(name))]


def key_of(names: Sequence[str], data: Mapping[str, Any]) -> bytes | None:
    """SHA-256 over the normalized values of one unique key; None while a part of it is empty: then nothing is compared."""
    values = [data.get(name) for name in names]
    if any(is_empty(value) for value in values):
        return None
    plain = json.dumps([_folded(value) for value in values], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).digest()


def folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def repeats(title: str, others: Iterable[str]) -> bool:
    """Whether it is among the others, whatever its case and width; one without a title repeats nothing."""
    return bool(title) and folded(title) in {folded(each) for each in others}


def _folded(value: Any) -> Any:
    """Two spellings that differ in case, width or white space are one value."""
    match value:
        case str():
            return folded(value)
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_folded(inner) for inner in value]
        case dict():
            return {name: _folded(inner) for name, inner in value.items()}
        case _:
            return value


def merged(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396) of the fields themselves: null takes a field away, an object or list replaces the old one whole."""
    return {name: value for name, value in {**data, **changes}.items() if value is not None}


def joined(there: Mapping[str, Any], more: Mapping[str, Any], *, more_wins: bool = False) -> dict[str, Any]:
    """Both as one: what one lacks comes from the other, lists hold the items of both; where they differ ``there`` stays, or ``more`` wins."""
    found = dict(there)
    for name, value in more.items():
        kept = found.get(name)
        if is_empty(kept):
            found[name] = value
        elif isinstance(kept, list) and isinstance(value, list):
            found[name] = [*kept, *(each for each in value if each not in kept)]
        elif more_wins and not is_empty(value):
            found[name] = value
    return found


def differs(there: Mapping[str, Any], more: Mapping[str, Any]) -> bool:
    """Whether a field says one thing in the one and another in the other: not only in case or width, and lists may hold both."""
    return any(
        not is_empty(value)
        and not is_empty(there.get(name))
        and not (isinstance(value, list) and isinstance(there[name], list))
        and _folded(there[name]) != _folded(value)
        for name, value in more.items()
    )


def repointed(value: Any, old: str, new: str) -> Any:
    """A field that points to records, pointing to ``new`` where it pointed to ``old``."""
    if isinstance(value, list):
        return list(dict.fromkeys(new if each == old else each for each in value))
    return new if value == old else value


def taken_back(now: Any, before: Any, after: Any) -> Any:
    """A field that a joining made ``after`` of ``before``, as it is without that: what was done to it since stays."""
    if now == after:
        return before
    if isinstance(now, list) and isinstance(after, list):
        added = [each for each in after if each not in (before or [])]
        return [each for each in now if each not in added] or None
    return now


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = dict.fromkeys([*before, *after])
    return [
        Change(name, before.get(name), after.get(name), name in before, name in after)
        for name in names
        if before.get(name) != after.get(name) or (name in before) != (name in after)
    ]


def value_digest(value: Any) -> bytes:
    """Of a field's value: a source counts only while the field still says what it said."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).digest()
