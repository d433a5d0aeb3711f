"""What messages name, as it is drawn: a link for whoever may read it, plain words for others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from apps.conversations import selectors
from apps.conversations.models import Message
from apps.conversations.types import Named
from apps.core.doors.reference_sources import Reference

_TAG = re.compile(r'(<(?:[^<>"]|"[^"]*")*>)')
_CLOSED = re.compile(r"<(/?)(a|code|pre)\b")


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """Named, and not in the words; without ``url`` it is not for the viewer."""

    title: str
    url: str


def reference_views(message: Message, readable: Mapping[Named, Reference]) -> list[ReferenceView]:
    """Below the words: what they do not say themselves."""
    found = []
    for part in message.parts if message.deleted_at is None else ():
        if part["type"] == "reference" and f"#{part['title']}" not in message.text:
            each = next((readable[name] for name in selectors.named_in([part]) if name in readable), None)
            found.append(ReferenceView(part["title"], each.url if each else ""))
    return found


def chipped(html: str, message: Message, readable: Mapping[Named, Reference]) -> str:
    """The rendered words with a link where they say ``#`` and a title, but for links and code. ``html`` is what the renderer made."""
    urls = {
        escape(f"#{part['title']}", quote=False): readable[name].url
        for part in message.parts
        if part["type"] == "reference"
        for name in selectors.named_in([part])
        if name in readable and readable[name].url
    }
    if not urls:
        return html
    titles = "|".join(re.escape(title) for title in sorted(urls, key=len, reverse=True))
    said = re.compile(rf"(?<![\w&])(?:{titles})(?!\w)")
    pieces, depth = _TAG.split(html), 0
    for at, piece in enumerate(pieces):
        if at % 2:
            if tag := _CLOSED.match(piece):
                depth += -1 if tag[1] else 1
        elif not depth and "#" in piece:
            pieces[at] = said.sub(lambda found: _chip(found[0], urls[found[0]]), piece)
    return "".join(pieces)


def _chip(words: str, url: str) -> str:
    return f'<a class="record-chip" href="{escape(url)}">{words}</a>'
