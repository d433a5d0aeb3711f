"""From the raw answer of a model to a JSON value, with an account of everything that got no place in it.

Strict JSON is read as it is. What is not is looked for inside fences and prose and repaired: by json-repair where the worst it could
cost is bounded, and by our own reader (``tolerant``) for the rest, or where that loses less. What neither could place is told by
comparing the words and numbers of the text with those of the value, so nothing is lost unseen.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import json_repair

from apps.core.storable import storable
from apps.extraction import tolerant

MAX_CHARACTERS = 300_000
# json-repair looks ahead from quotes and brackets to the end: 20 kB of quotes take it 5 s, and four times that when doubled.
_MOST_WORK = 16_000_000
_MOST_CHARACTERS = 20_000
_MOST_STARTS = 20

_FENCE = re.compile(r"```[ \t]*[\w+-]{0,20}[ \t]*\r?\n?")
_NUMBER_OR_WORD = re.compile(r"\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|[^\W\d_]+")
_BARE_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Step(StrEnum):
    """What had to be done to the answer to read it. Part of the API."""

    FENCES = "fences"
    PROSE = "prose"
    SEVERAL = "several"
    REPAIRED = "repaired"
    CLOSED = "closed"
    DUPLICATE_KEYS = "duplicate_keys"
    CHARACTERS = "characters"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Lost:
    """Something of the answer that is not in the value: under a key that was there already, or that could not be read."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """``value`` None: there was nothing to read. ``is_cut``: brackets were missing at the end, the last value may be half of one."""

    value: Any
    steps: tuple[Step, ...] = ()
    lost: tuple[Lost, ...] = ()
    is_cut: bool = False


def read(raw: str) -> Read:
    """Never raises, and takes time linear in ``raw``."""
    if len(raw) > MAX_CHARACTERS:
        return Read(None, (Step.TOO_LARGE,), (Lost("", raw[:1000], Step.TOO_LARGE),))
    reader = _Reader()
    text = reader.cleaned(raw.strip().lstrip("\ufeff"))
    values = reader.read(text)
    if not values:
        steps = tuple(reader.steps) or (Step.NOTHING,)
        lost = reader.lost or ([Lost("", text, "no_json")] if text else [])
        return Read(None, steps, tuple(lost), reader.is_cut)
    if len(values) > 1:
        reader.note(Step.SEVERAL)
    return Read(values[0] if len(values) == 1 else values, tuple(reader.steps), tuple(reader.lost), reader.is_cut)


class _Reader:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.lost: list[Lost] = []
        self.is_cut = False

    def note(self, step: Step) -> None:
        if step not in self.steps:
            self.steps.append(step)

    def cleaned(self, text: str) -> str:
        """Without what no text column keeps: NUL and halves of surrogate pairs."""
        if "\0" in text or _SURROGATE.search(text):
            self.note(Step.CHARACTERS)
            return _SURROGATE.sub("\ufffd", text.replace("\0", ""))
        return text

    def read(self, text: str) -> list[Any]:
        if not text:
            return []
        is_read, value = self._strictly(text)
        if is_read:
            return [value]
        if text[0] not in "{[":
            fenced = list(_fenced(text))
            if fenced:
                self.note(Step.FENCES)
                return [value for piece in fenced for value in self._pieces(piece)]
        elif "```" in text and text.count("```") % 2 and text.rstrip().endswith("```"):
            self.note(Step.FENCES)
            text = text.rstrip().removesuffix("```")
        return self._pieces(text)

    def _pieces(self, text: str) -> list[Any]:
        """The values that stand in prose, one after the other."""
        is_read, value = self._strictly(text.strip())
        if is_read:
            return [value]
        values: list[Any] = []
        at = 0
        for _attempt in range(_MOST_STARTS):
            start = min((place for bracket in "{[" if (place := text.find(bracket, at)) >= 0), default=-1)
            if start < 0:
                break
            if text[at:start].strip(" \t\r\n,;"):
                self.note(Step.PROSE)
            end = _end_of_brackets(text, start)
            is_read, value = self._strictly(text[start : end or len(text)])
            if not is_read:
                # The rest as one: brackets that do not match say nothing of where it ends.
                at, rest = len(text), text[start:]
                if end and (after := _prose_after(text, end)):
                    at, rest = after, text[start:end]
                values += self._repaired(rest)
                continue
            values.append(value)
            at = end or len(text)
        if text[at:].strip(" \t\r\n,;"):
            self.note(Step.PROSE)
        structured = [each for each in values if isinstance(each, dict) or _holds_objects(each)]
        if structured and len(structured) < len(values):
            self.lost += [Lost("", each, "prose") for each in values if each not in structured]
            return structured
        return values

    def _strictly(self, text: str) -> tuple[bool, Any]:
        spares: list[Lost] = []

        def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
            taken: dict[str, Any] = {}
            for key, value in found:
                if key in taken:
                    spares.append(Lost(key, value, Step.DUPLICATE_KEYS))
                else:
                    taken[key] = value
            return taken

        try:
            value = json.loads(text, object_pairs_hook=pairs, parse_constant=str)
        except (ValueError, RecursionError):
            return False, None
        if not isinstance(value, dict | list) and not (isinstance(value, str) and value[:1] in {"{", "["}):
            return False, None
        if spares:
            self.note(Step.DUPLICATE_KEYS)
            self.lost += spares
        return True, self._storable(value)

    def _repaired(self, text: str) -> list[Any]:
        self.note(Step.REPAIRED)
        best: tuple[list[Any], list[Lost]] | None = None
        try:
            found = tolerant.read(text)
        except tolerant.TooDeep:
            self.note(Step.TOO_DEEP)
            self.lost.append(Lost("", text[:1000], Step.TOO_DEEP))
            return []
        if found.is_open:
            self.is_cut = True
            self.note(Step.CLOSED)
        work = sum(text.count(each) for each in "\"'{[") * len(text)
        if work <= _MOST_WORK and len(text) <= _MOST_CHARACTERS:
            value = _by_json_repair(text)
            if isinstance(value, dict | list):
                best = [value], _unread(text, [value])
        if best is None or best[1]:
            spares = [Lost(key, value, "spare") for key, value in found.spares if value not in (None, "")]
            ours = found.roots, [*spares, *_unread(text, [*found.roots, *(v for pair in found.spares for v in pair)])]
            if best is None or _weight(ours[1]) < _weight(best[1]):
                best = ours
        values, lost = best
        self.lost += lost
        return [self._storable(each) for each in values]

    def _storable(self, value: Any) -> Any:
        """Strings without what the escapes of JSON can say and no text column keeps; numbers that JSON has no form for as text."""
        if isinstance(value, str):
            if (kept := storable(value)) != value:
                self.note(Step.CHARACTERS)
            return kept
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return str(Decimal(value)) if value.bit_length() < 4000 else "∞"  # noqa: PLR2004
        if isinstance(value, dict):
            return {self._storable(str(key)): self._storable(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._storable(each) for each in value]
        return value


def _by_json_repair(text: str) -> Any:
    try:
        return json_repair.repair_json(text, return_objects=True, skip_json_loads=True)
    except Exception:  # noqa: BLE001  (whatever a guess at broken text stumbles on, our own reader comes next)
        return None


def _fenced(text: str) -> Iterator[str]:
    """What stands between fences and begins as JSON does; the last one may not be closed."""
    at = 0
    while opening := _FENCE.search(text, at):
        end = text.find("```", opening.end())
        content = text[opening.end() : end if end >= 0 else len(text)].strip()
        if content[:1] in {"{", "["}:
            yield content
        if end < 0:
            return
        at = end + 3


def _end_of_brackets(text: str, start: int) -> int | None:
    """After the bracket that closes the one at ``start``; None when none does."""
    depth, in_string, is_escaped = 0, False, False
    for at in range(start, len(text)):
        letter = text[at]
        if in_string:
            if is_escaped:
                is_escaped = False
            elif letter == "\\":
                is_escaped = True
            elif letter == '"':
                in_string = False
        elif letter == '"':
            in_string = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return None


def _prose_after(text: str, end: int) -> int | None:
    """Where reading goes on after a piece that seems to end at ``end``: only when what follows is no more of it."""
    rest = text[end:].lstrip()
    return end if not rest or rest[0] not in ",:}]\"'" else None


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict | list) for each in value)


def _unread(text: str, values: list[Any]) -> list[Lost]:
    """Runs of words and numbers of the text that are not in the values."""
    missing = Counter(word for word, _start, _end in _words(_without_escapes(text)))
    if not missing:
        return []
    plain = _without_escapes(text)
    missing.subtract(word for value in values for each in _leaves(value) for word, _s, _e in _words(each))
    spans: list[list[int]] = []
    is_near = False
    for word, start, end in _words(plain):
        if missing[word] <= 0:
            is_near = False
            continue
        missing[word] -= 1
        if is_near:
            spans[-1][1] = end
        else:
            spans.append([start, end])
        is_near = True
    return [Lost("", plain[start:end], "unread") for start, end in spans]


def _leaves(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.keys()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        else:
            yield "null" if each is None else json.dumps(each) if isinstance(each, bool) else str(each)


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    for found in _NUMBER_OR_WORD.finditer(text):
        word = found.group()
        if word[0].isdecimal():
            try:
                value = Decimal(word.replace("_", ""))
                word = str(value.normalize()) if value.adjusted() < 300 else word  # noqa: PLR2004
            except ArithmeticError:
                pass
        else:
            word = word.casefold()
            word = "null" if word == "none" else word
        yield word, found.start(), found.end()


def _without_escapes(text: str) -> str:
    if "\\" not in text:
        return text
    whole = _BARE_ESCAPE.sub(
        lambda found: chr(int(found[1], 16)) if found[1] else " " if found[2] in "nrtbf" else found[2], text
    )
    return _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), whole)


def _weight(lost: list[Lost]) -> int:
    return sum(len(str(each.value)) for each in lost)
