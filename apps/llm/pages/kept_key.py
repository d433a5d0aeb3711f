"""A key that was typed and is not saved yet: sealed in the form that asks whether to save all the same, so that nobody has to type it twice.

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
    return signing.dumps(crypto.seal(key, bound_to=_place(actor, organization_id, given)), salt=SALT) if key else ""


def open_for(actor: Actor, organization_id: UUID, given: Mapping[str, Any]) -> str:
    """Empty where there is none, or not for this."""
    try:
        sealed = signing.loads(given.get("kept", ""), salt=SALT, max_age=SECONDS)
        return crypto.unseal(sealed, bound_to=_place(actor, organization_id, given))
    except (signing.BadSignature, crypto.KeysDoNotFit):
        return ""


def _place(actor: Actor, organization_id: UUID, given: Mapping[str, Any]) -> str:
    return f"{SALT}:{actor.user_id}:{organization_id}:{given.get('kind')}:{str(given.get('base_url', '')).strip()}"
