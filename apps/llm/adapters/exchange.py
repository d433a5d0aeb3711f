"""One streamed exchange: the body as chunks, every wait bounded, every failure classified.

The time-outs do not use the HTTP library's own: its per-read scopes cost as much as parsing, and only this place knows
whether anything is visible yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2  # noqa: TID251  (its types and exceptions; the transport is core.http's)

from apps.llm import errors
from apps.llm.types import Timeouts

STREAM_OPTION = "X-Stainless-Raw-Response"  # the SDKs' own switch: hand over the raw response, read nothing
LONGEST_WAIT_AFTER_END = 1.0


class Watch:
    """One timer a stream. It interrupts only the waits of the task that asks: ``waiting`` marks them."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timeouts = timeouts
        self.ends_at = self._loop.time() + timeouts.total_seconds
        self._until = 0.0
        self._is_waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self.has_expired = False
        self.patience = timeouts.first_byte_seconds

    def visible(self) -> None:
        """Something is shown: from now on the time between two pieces counts."""
        self.patience = self._timeouts.gap_seconds

    def begin(self, seconds: float | None = None) -> None:
        self._task = asyncio.current_task()
        self._until = min(self._loop.time() + (self.patience if seconds is None else seconds), self.ends_at)
        self._is_waiting = True
        if self._timer is None or self._timer.when() > self._until:
            self._set_timer()

    def end(self) -> None:
        self._is_waiting = False

    def close(self) -> None:
        self._is_waiting = False
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def is_ours(self) -> bool:
        """After a ``CancelledError``: was it this watch? Then the cancellation is taken back."""
        if self.has_expired and self._task is not None:
            return self._task.uncancel() <= 0
        return False

    @property
    def is_over(self) -> bool:
        return self._loop.time() >= self.ends_at

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._until, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if not self._is_waiting:
            return
        if self._loop.time() < self._until:
            self._set_timer()
            return
        self.has_expired = True
        if self._task is not None:
            self._task.cancel()


class Body:
    """``chunks`` ends with the body. Whoever parses sets ``is_visible`` and ``is_complete``: they decide what a failure is."""

    def __init__(self, response: httpx2.Response, watch: Watch) -> None:
        self._response = response
        self._watch = watch
        self.is_visible = False
        self.is_complete = False

    def show(self) -> None:
        if not self.is_visible:
            self.is_visible = True
            self._watch.visible()

    async def chunks(self) -> AsyncIterator[bytes]:
        watch = self._watch
        source = self._response.aiter_raw()
        while True:
            watch.begin(LONGEST_WAIT_AFTER_END if self.is_complete else None)
            try:
                chunk = await anext(source, None)
            except asyncio.CancelledError:
                if not watch.is_ours():
                    raise
                if self.is_complete:
                    return
                raise self._silence() from None
            except (httpx2.TransportError, OSError) as error:
                if self.is_complete:
                    return
                if self.is_visible:
                    raise errors.ProviderDisconnected(type(error).__name__) from error
                raise errors.NetworkError(type(error).__name__) from error
            finally:
                watch.end()
            if chunk is None:
                return
            yield chunk

    def _silence(self) -> errors.ModelError:
        if self._watch.is_over:
            return errors.TotalTimeout()
        return errors.ProviderStalled() if self.is_visible else errors.FirstByteTimeout()


@asynccontextmanager
async def exchange(
    client: Any, path: str, body: dict[str, Any], headers: dict[str, str], timeouts: Timeouts
) -> AsyncIterator[Body]:
    """POST through the SDK's client (its auth, its errors) and hand over the body unread. Closes the connection unless read to the end."""
    watch = Watch(timeouts)
    http_timeout = httpx2.Timeout(None, connect=timeouts.connect_seconds, pool=timeouts.connect_seconds)
    options = {"headers": {**headers, STREAM_OPTION: "stream"}, "timeout": http_timeout}
    response: httpx2.Response | None = None
    try:
        watch.begin()
        try:
            response = (await client.post(path, cast_to=object, body=body, options=options)).http_response
        except asyncio.CancelledError:
            if not watch.is_ours():
                raise
            raise errors.FirstByteTimeout from None
        finally:
            watch.end()
        kind = response.headers.get("content-type", "text/event-stream").partition(";")[0].strip().lower()
        if kind in {"text/html", "application/json"}:
            raise errors.ProviderProtocolError(f"{kind} instead of a stream.", provider_status=response.status_code)
        yield Body(response, watch)
    finally:
        watch.close()
        if response is not None:
            await response.aclose()
