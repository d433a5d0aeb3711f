"""How the words of a message lie in its row: in clear, or sealed for this row alone where it is marked as sensitive."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.conversations.types import text_of_parts
from apps.core import crypto

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Words:
    """The three columns. Of what is sealed the search index, which is made of ``content``, has nothing."""

    parts: list[dict[str, Any]]
    content: str
    sealed: str


def laid_down(message_id: UUID, parts: list[dict[str, Any]], *, is_sensitive: bool) -> Words:
    if not is_sensitive:
        return Words(parts, text_of_parts(parts), "")
    return Words([], "", crypto.seal(_encode(parts), bound_to=_place(message_id)) if parts else "")


def opened(message_id: UUID, sealed: str) -> list[dict[str, Any]]:
    """Raises ``KeysDoNotFit`` for words that were sealed for another message, or with a key that is gone."""
    parts: list[dict[str, Any]] = json.loads(crypto.unseal(sealed, bound_to=_place(message_id)))
    return parts


def is_sealed_with(key: str) -> str:
    """How words begin that are sealed with that key."""
    return f"{crypto.VERSION}:{key}:"


def _place(message_id: UUID) -> str:
    return f"conversations.message.parts:{message_id}"
