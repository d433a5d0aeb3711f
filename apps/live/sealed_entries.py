"""Entries of a stream whose words Redis shall not have: it writes them to its own disk, and nobody erases them there.

Such an entry is ``{"seq", "sealed"}`` in place of what it says, sealed for its place in its turn.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from apps.core import crypto
from apps.live.types import Entry


def sealed_entry(turn_id: UUID | str, seq: int, encoded: str) -> dict[str, Any]:
    return {"seq": seq, "sealed": crypto.seal(encoded, bound_to=_place(turn_id, seq))}


def opened_entry(turn_id: UUID | str, entry: Entry) -> Entry:
    """Others as they are. One whose key is gone says nothing: the row has the words when the answer ends."""
    if "sealed" not in entry:
        return entry
    try:
        found: Entry = json.loads(crypto.unseal(entry["sealed"], bound_to=_place(turn_id, entry["seq"])))
    except crypto.KeysDoNotFit:
        return {"seq": entry["seq"], "part": 0, "type": "text", "text": ""}
    return found


def _place(turn_id: UUID | str, seq: int) -> str:
    return f"turn:{turn_id}:{seq}"
