"""What providers publish about themselves (discovery, keys): kept for minutes in this process, so that not every click asks for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

from allauth.socialaccount.adapter import get_adapter

from apps.accounts.types import ProviderUnreachable

KEPT_SECONDS = 5 * 60
#: How soon it is asked again that did not answer, or whose keys do not hold the one that a token names.
AGAIN_SECONDS = 10

_kept: dict[tuple[str, str], _Kept] = {}
_lock = Lock()


@dataclass(frozen=True, slots=True)
class _Kept:
    """``found`` is None of a provider that did not answer."""

    at: float
    found: Any

    def is_good(self, max_age: float) -> bool:
        return time.monotonic() - self.at < (max_age if self.found is not None else AGAIN_SECONDS)


def find(slug: str, url: str, *, max_age: float = KEPT_SECONDS) -> Any:
    """The JSON at this address of the provider that is being asked. Raises ``ProviderUnreachable``."""
    kept = _kept.get((slug, url))
    if kept is None or not kept.is_good(max_age):
        kept = _ask(url)
        with _lock:
            for key in [key for key, old in _kept.items() if not old.is_good(KEPT_SECONDS)]:
                del _kept[key]
            _kept[slug, url] = kept
    if kept.found is None:
        raise ProviderUnreachable
    return kept.found


def _ask(url: str) -> _Kept:
    try:
        with get_adapter().get_requests_session() as session:
            answer = session.get(url)
            answer.raise_for_status()
            found = answer.json()
    except ProviderUnreachable as error:
        if "is_busy" in error.extra:  # it was not asked
            raise
        found = None
    return _Kept(time.monotonic(), found)


def forget() -> None:
    with _lock:
        _kept.clear()
