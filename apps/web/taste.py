"""How a person wants the page: theme, keys, announcements."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taste:
    """``theme``: auto, light or dark. ``send_key``: enter or mod-enter."""

    theme: str = "auto"
    send_key: str = "enter"
    single_keys: bool = True
    announce: bool = True
