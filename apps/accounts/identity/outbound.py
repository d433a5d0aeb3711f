"""allauth asks for a ``requests`` session; it gets ours: every call goes through ``core.http``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from apps.accounts.types import ProviderUnreachable
from apps.core import http
from apps.core.db import give_connections_back
from apps.core.errors import DomainError

LIMITS = http.Limits(max_bytes=1024 * 1024, total_seconds=10.0)

#: Anybody may begin the way to a provider: one that hangs must leave threads for all the other requests.
_slots = BoundedSemaphore(max(settings.REQUEST_THREADS * 3 // 4, 1))


@contextmanager
def slot() -> Iterator[None]:
    """Raises ``ProviderUnreachable`` (``is_busy``) when too many are asking already."""
    if not _slots.acquire(blocking=False):
        raise ProviderUnreachable(is_busy=True)
    try:
        yield
    finally:
        _slots.release()


class Answer:
    """The part of ``requests.Response`` that allauth looks at."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.status_code, self.headers = inner.status_code, inner.headers
        self.content, self.text = inner.content, inner.text

    @property
    def ok(self) -> bool:
        return self._inner.is_success

    def raise_for_status(self) -> None:
        if not self.ok:
            raise ProviderUnreachable

    def json(self) -> Any:
        try:
            return self._inner.json()
        except ValueError:
            raise ProviderUnreachable from None


class Session:
    """Follows no redirects: what a provider publishes is where it says, and secrets go nowhere else."""

    def __init__(self, policy: http.Policy) -> None:
        self._client = http.client(policy, limits=LIMITS, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def request(self, method: str, url: str, *, auth: Any = None, **options: Any) -> Answer:
        if auth is not None:
            auth = (auth.username, auth.password)
        try:
            http.check_url(url, http.TRUSTED, resolves=False)
            give_connections_back()  # a provider that is slow must not keep others from the database
            with slot():
                return Answer(self._client.request(method, url, **({"auth": auth} if auth else {}), **options))
        except ProviderUnreachable:
            raise
        except DomainError as error:
            raise ProviderUnreachable from error
        except http.FAILURES as error:
            raise ProviderUnreachable from error

    def get(self, url: str, **options: Any) -> Answer:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        return self.request("POST", url, **options)
