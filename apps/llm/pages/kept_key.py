"""A key that was typed and is not saved yet: sealed in the form that is shown again, so that nobody has to type it twice.

It opens for whoever typed it, for the same organization, kind and address, for a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core import signing

from apps.accounts.types import Actor
from apps.core import crypto

SECONDS = 900
SALT = "llm.kept_key"


def seal_for(actor: Actor, organization_id: UUID, given: Mapping[str, Any], key: str) -> str:
    """``given`` is what was sent, as it is sent again."""
    return signing.dumps(crypto.seal(key, bound_to=_place(actor, organization_id, given)), salt=SALT)


def open_for(actor: Actor, organization_id: UUID, given: Mapping[str, Any]) -> str:
    """Empty where there is none, or not for this."""
    try:
        sealed = signing.loads(given.get("kept", ""), salt=SALT, max_age=SECONDS)
        return crypto.unseal(sealed, bound_to=_place(actor, organization_id, given))
    except (signing.BadSignature, crypto.KeysDoNotFit):
        return ""


def keep(actor: Actor, organization_id: UUID, given: Mapping[str, Any]) -> str:
    """Sealed, for the form that is shown again. One that was kept already stays as it was sealed: its quarter of an hour goes on."""
    if key := given.get("api_key", "").strip():
        return seal_for(actor, organization_id, given, key)
    return given.get("kept", "") if open_for(actor, organization_id, given) else ""


def _place(actor: Actor, organization_id: UUID, given: Mapping[str, Any]) -> str:
    return f"{SALT}:{actor.user_id}:{organization_id}:{given.get('kind')}:{str(given.get('base_url', '')).strip()}"
