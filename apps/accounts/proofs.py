"""What a sign-in proved, from the records that allauth keeps in the session while it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.accounts.types import SignInMethod

LINK = "link"
_METHODS = {"socialaccount": SignInMethod.SSO, LINK: SignInMethod.LINK, "password": SignInMethod.PASSWORD}


@dataclass(frozen=True, slots=True)
class Proofs:
    """``level`` 2: two different proofs, or a passkey by itself (it asked its owner for a finger or a PIN)."""

    method: SignInMethod
    level: int
    provider: str = ""

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Proofs:
        listed = list(records)
        if any(record.get("passwordless") for record in listed):
            return cls(SignInMethod.PASSKEY, 2)
        first = [record for record in listed if record["method"] in _METHODS]
        level = 2 if any(record["method"] == "mfa" for record in listed) else 1
        if not first:
            return cls(SignInMethod.PASSWORD, level)
        return cls(_METHODS[first[-1]["method"]], level, str(first[-1].get("provider") or ""))
