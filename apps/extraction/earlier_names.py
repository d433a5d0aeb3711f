"""What the pieces of a long text that were read by now call the things they speak of: told with the next piece, so that “her brother”
there can be whose brother he is. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from apps.extraction import coercion, readings, repair, shape
from apps.extraction.reading_types import Work
from apps.extraction.schema import Schema
from apps.extraction.similarity import Kind, kind_of
from apps.llm import tokens

#: Of all names together; those spoken of last come first.
MOST_TOKENS = 600
_LONGEST = 80
_NAMES = (Kind.NAME, Kind.GIVEN, Kind.SURNAME)


def lines(work: Work, schemas: Mapping[str, Schema]) -> list[str]:
    """One for each thing, the last one spoken of first. The names are quoted: they are a stranger's words."""
    found: dict[tuple[str, str], str] = {}
    for part in reversed(work.parts):
        read = repair.read(part.text)
        fitted = coercion.fit(read.value, schemas, work.aliases, lost=read.lost, language=work.language)
        for entity in fitted.entities:
            name, keys = _told(schemas[entity.collection], work.keys.get(entity.collection, ()), entity.fields)
            if name:
                line = f"- {entity.collection}: {_quoted(name)}" + (f" ({', '.join(keys)})" if keys else "")
                found.setdefault((entity.collection, readings.plain(name)), line)
    return list(_that_fit(found.values()))


def _told(schema: Schema, keys: Sequence[Sequence[str]], data: Mapping[str, object]) -> tuple[str, list[str]]:
    """Its name, and what its unique keys say beside that."""
    named = [each.name for each in schema.top if each.relation is None and kind_of(each) in _NAMES]
    texts = [each.name for each in schema.top if each.relation is None and each.type == "string" and not each.is_list]
    names = [name for name in named or texts[:1] if data.get(name)]
    beside = dict.fromkeys(name for key in keys for name in key if name not in names and data.get(name))
    said = [f"{name}: {_quoted(shape.as_text(data[name]))}" for name in beside]
    return " ".join(shape.as_text(data[name]) for name in names), said


def _quoted(text: str) -> str:
    return json.dumps(" ".join(text.split())[:_LONGEST], ensure_ascii=False)


def _that_fit(found: Iterable[str]) -> Iterable[str]:
    left = MOST_TOKENS
    for line in found:
        left -= tokens.of_text(line)
        if left < 0:
            return
        yield line
