"""YAML that strangers write, as plain JSON values: YAML 1.2's core schema, and only what JSON has.

No anchors and aliases (a few lines of them stand for gigabytes), no tags, one document, no key twice, so many values and levels at most.
``on``, ``no`` and ``2025-03-04`` are texts, as YAML 1.2 has it (https://yaml.org/spec/1.2.2/, section 10.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.utils.translation import gettext as _

MAX_BYTES = 1 << 20
MAX_VALUES = 50_000
MAX_LEVELS = 64
_MAX_DIGITS = 100
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_IN_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlRefused(Exception):
    """``line`` counts from 1; ``what`` is a sentence for people."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"{line}: {what}")
        self.line, self.what = line, what


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read; of a mapping ``key`` is what the next value belongs to."""

    made: Any
    key: str | None = None


@dataclass(slots=True)
class _Reading:
    result: Any = None
    is_done: bool = False
    values: int = 0
    open: list[_Open] = field(default_factory=list)


def read(text: str | bytes) -> Any:
    """The one document in ``text``. ``YamlRefused`` for what is no YAML, or more than is taken. Reads JSON too."""
    if len(text) > MAX_BYTES:
        raise YamlRefused(1, _("This is longer than what is read here."))
    reading, last = _Reading(), 1
    try:
        for event in _events(text):
            last = event.start_mark.line + 1
            _take(reading, event, last)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line + 1, len(text.splitlines()) or 1) if mark else last  # the end is behind the last line
        raise YamlRefused(line, str(error.problem or error.context)[:200]) from None
    except (yaml.YAMLError, UnicodeError):
        raise YamlRefused(last, _("There are characters here that no text has.")) from None
    if not reading.is_done:
        raise YamlRefused(last, _("There is nothing in it."))
    return reading.result


def lines_of(text: str | bytes) -> dict[str, int]:
    """JSON pointer → line, from 1, of everything in a text that ``read`` takes; of a value in a mapping it is the line of its name."""
    found: dict[str, int] = {}
    inside: list[_Place] = []
    for event in _events(text):
        if issubclass(type(event), yaml.CollectionEndEvent):
            inside.pop()
        if not issubclass(type(event), yaml.NodeEvent):
            continue
        line: int = event.start_mark.line + 1
        place = inside[-1] if inside else None
        if place is not None and place.is_mapping and place.name is None:
            place.name, place.line = event.value, line
            continue
        pointer = place.next(line) if place is not None else ""
        found[pointer] = place.line if place is not None else line
        if issubclass(type(event), yaml.CollectionStartEvent):
            inside.append(_Place(pointer, issubclass(type(event), yaml.MappingStartEvent)))
    return found


@dataclass(slots=True)
class _Place:
    """A list or mapping whose lines are looked for; ``name`` is of the value that comes next."""

    pointer: str
    is_mapping: bool
    name: str | None = None
    line: int = 1
    count: int = 0

    def next(self, line: int) -> str:
        if not self.is_mapping:
            self.line, self.count = line, self.count + 1
            return f"{self.pointer}/{self.count - 1}"
        name, self.name = (self.name or "").replace("~", "~0").replace("/", "~1"), None
        return f"{self.pointer}/{name}"


def _events(text: str | bytes) -> Iterator[Any]:
    content = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    yield from yaml.parse(content, Loader=_Loader)


def _take(reading: _Reading, event: Any, line: int) -> None:
    match event:
        case yaml.AliasEvent():
            raise YamlRefused(line, _("Anchors and aliases are not read here: write it out."))
        case yaml.NodeEvent() if event.anchor is not None:
            raise YamlRefused(line, _("Anchors and aliases are not read here: write it out."))
        case yaml.ScalarEvent() | yaml.CollectionStartEvent() if event.tag not in (None, "!"):
            raise YamlRefused(line, _("Tags are not read here."))
        case yaml.DocumentStartEvent() if reading.is_done:
            raise YamlRefused(line, _("There is a second document in it."))
        case yaml.MappingStartEvent():
            _begin(reading, {}, line)
        case yaml.SequenceStartEvent():
            _begin(reading, [], line)
        case yaml.CollectionEndEvent():
            reading.open.pop()
            if not reading.open:
                reading.is_done = True
        case yaml.ScalarEvent():
            _scalar(reading, event, line)


def _begin(reading: _Reading, made: Any, line: int) -> None:
    _put(reading, made, line)
    if len(reading.open) >= MAX_LEVELS:
        raise YamlRefused(line, _("This is nested too deeply."))
    reading.open.append(_Open(made))


def _scalar(reading: _Reading, event: Any, line: int) -> None:
    inside = reading.open[-1] if reading.open else None
    if inside is not None and isinstance(inside.made, dict) and inside.key is None:
        if event.value in inside.made:
            raise YamlRefused(line, _("“%(name)s” stands here twice.") % {"name": event.value[:80]})
        inside.key = event.value
        return
    _put(reading, event.value if not event.implicit[0] else _resolved(event.value, line), line)
    if not reading.open:
        reading.is_done = True


def _put(reading: _Reading, value: Any, line: int) -> None:
    reading.values += 1
    if reading.values > MAX_VALUES:
        raise YamlRefused(line, _("This is longer than what is read here."))
    if not reading.open:
        reading.result = value
        return
    inside = reading.open[-1]
    if isinstance(inside.made, list):
        inside.made.append(value)
    elif inside.key is None:
        raise YamlRefused(line, _("A name is a text."))
    else:
        inside.made[inside.key] = value
        inside.key = None


def _resolved(text: str, line: int) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    if _NOT_IN_JSON.match(text):
        raise YamlRefused(line, _("JSON has no such number."))
    if _FLOAT.match(text):
        found = float(text)
        if math.isinf(found):
            raise YamlRefused(line, _("JSON has no such number."))
        return found
    return text


def write(value: Any) -> str:
    """As people would write it: in the order that it has, long texts as blocks. ``read`` gives the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """What YAML 1.1 or 1.2 would not read as a text is put into quotation marks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    if _INVISIBLE.search(value):
        style = '"'
    elif "\n" in value and not re.search(r"[ \t]\n", value):
        style = "|"
    else:
        is_read = value in _WORDS or any(each.match(value) for each in (_INTEGER, _BASED, _FLOAT, _NOT_IN_JSON))
        style = "'" if is_read else ""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style or None)


_Dumper.add_representer(str, _text)
