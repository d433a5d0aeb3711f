"""What a hit of the search shows: a piece of the message in plain words, with its matches marked.

PostgreSQL's own headline keeps the Markdown of the message and drops the short words before a match; here the marks go
first, so that a table or a link reads as a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from apps.core.folding import folded, folded_in_place

MARKS = ("\ue000", "\ue001")
LENGTH = 240
BEFORE = 60

# No pattern may look twice at what it has passed: messages are as long as somebody likes.
_SPACES = re.compile(r"[ \t]+")
_LINES = (
    re.compile(r"^ ?(?:```|~~~).*$", re.MULTILINE),  # fences of code, with the language
    re.compile(r"^(?=[^\n]*--)[ :|-]+$", re.MULTILINE),  # under the head of a table; rules
    re.compile(r"^ ?(?:(?:#{1,6}|>{1,9}|[-*+]|\d{1,3}[.)]) )+(?:\[[ xX]\] )?", re.MULTILINE),
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\](?:\([^()\s]{0,2000}\))")
_MARKS_OF_WORDS = re.compile(
    r"(?<![^\W_])(?:_{1,3}|\*{1,3}|~~|`+)(?![\s,.;:)=])|(?<=\S)(?:_{1,3}|\*{1,3}|~~|`+)(?![^\W_])"
)
_CELLS = re.compile(r" ?\| ?")


def without_marks(text: str) -> str:
    """The words of a Markdown text in one line. What only looks like a mark (``a * b``, ``changed_at``) stays."""
    text = _SPACES.sub(" ", text)
    for pattern in _LINES:
        text = pattern.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _MARKS_OF_WORDS.sub("", text)
    return " ".join(_CELLS.sub(" · ", text).split()).replace("· ·", "·").strip("· ")


def excerpt(text: str, words: Sequence[str]) -> str:
    """At most ``LENGTH`` characters around the first match; the last word also matches as the beginning of a longer one."""
    plain = unicodedata.normalize("NFC", without_marks(text.translate(_NO_MARKS)))
    found = _matcher(words).search(folded_in_place(plain)) if words else None
    begin = _begin_of_word(plain, found.start() - BEFORE) if found else 0
    end = begin + LENGTH
    if end < len(plain):
        end = max(plain.rfind(" ", begin, end), begin + LENGTH // 2)
    piece = plain[begin:end].strip()
    if words:
        piece = marked(piece, _matcher(words))
    return ("… " if begin else "") + piece + (" …" if end < len(plain) else "")


def marked(text: str, sought: re.Pattern[str]) -> str:
    """What matches without accents, marked as it is written. ``text`` is in NFC."""
    found = [match.span() for match in sought.finditer(folded_in_place(text))]
    for begin, end in reversed(found):
        text = f"{text[:begin]}{MARKS[0]}{text[begin:end]}{MARKS[1]}{text[end:]}"
    return text


def written(word: str) -> str:
    """The pattern of a word in a text whose accents are taken away in place: there an ß still is one."""
    return re.escape(folded(word)).replace("ss", "(?:ss|ß)")


_NO_MARKS = dict.fromkeys(map(ord, MARKS))


def _begin_of_word(text: str, at: int) -> int:
    return text.find(" ", at) + 1 if at > 0 else 0


def _matcher(words: Sequence[str]) -> re.Pattern[str]:
    quoted = [written(word) for word in words]
    any_of_them = "|".join([*quoted[:-1], quoted[-1] + r"[^\W_]*"])
    return re.compile(rf"(?<![^\W_])(?:{any_of_them})(?![^\W_])", re.IGNORECASE)
