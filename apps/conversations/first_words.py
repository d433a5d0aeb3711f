"""What a conversation is called until a model or a person titles it: how its first message begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from apps.core.markup import plain_line

MAX_CHARACTERS = 60  # what a list shows
MAX_READ_CHARACTERS = 2000


def first_words(text: str, parts: Sequence[Mapping[str, Any]] = ()) -> str:
    """Of the first line that says something, with a sign of what is left out; a message of files alone bears the first one's name."""
    lines = map(plain_line, text[:MAX_READ_CHARACTERS].splitlines())
    if not (line := next(filter(None, lines), "")):
        return next((str(part["name"])[:MAX_CHARACTERS] for part in parts if part["type"] == "file"), "")
    words = shorten(line, MAX_CHARACTERS, placeholder="…")
    return f"{line[: MAX_CHARACTERS - 1]}…" if words == "…" else words
