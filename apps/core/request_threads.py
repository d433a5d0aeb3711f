"""A request crosses from the loop to a thread once.

Django's own handler starts a thread for every request and crosses between it and the loop for each signal, each change between
kinds of middleware, the view and the end: measured, that cost as much processor time as a small view. Here signals,
middleware, view and end are one call on a thread of a bounded pool. Views that are coroutines (the gateway) keep Django's
handler: they wait for a model and must hold no thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver, set_script_prefix

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class RequestHandler(ASGIHandler):
    """The ASGI application for HTTP."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = ThreadPoolExecutor(max_workers=settings.REQUEST_THREADS, thread_name_prefix="request")

    @functools.cached_property
    def _of_django(self) -> ASGIHandler:
        return ASGIHandler()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        found = _resolve(scope)
        if found is not None and iscoroutinefunction(found.func):
            await self._of_django(scope, receive, send)
            return
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        request, refusal = self.create_request(scope, body)
        if request is None:
            body.close()
            assert refusal is not None
            await self.send_response(refusal, send)
            return
        request.found = found  # type: ignore[attr-defined]
        call = functools.partial(contextvars.copy_context().run, self._answer, request, body)
        response = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    def _answer(self, request: ASGIRequest, body: Any) -> HttpResponseBase:
        """In the thread: all of the request; of a stream only its beginning."""
        try:
            set_script_prefix(get_script_prefix(request.scope))
            signals.request_started.send(sender=type(self), scope=request.scope)
            response = self.get_response(request)
            response._handler_class = type(self)  # type: ignore[attr-defined]  # noqa: SLF001  (its end is signalled by it)
            if isinstance(response, FileResponse):
                response.block_size = self.chunk_size
            if response.streaming:
                _give_connections_back()
            else:
                response.close()
            return response
        finally:
            body.close()

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """The address was looked up already, to know what kind of view it has."""
        found: ResolverMatch | None = getattr(request, "found", None)
        if found is None or hasattr(request, "urlconf"):
            return super().resolve_request(request)
        request.resolver_match = found
        return found

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        """Until it ends or the client goes."""
        async with ThreadSensitiveContext():
            sending = asyncio.ensure_future(self.send_response(response, send))
            leaving = asyncio.ensure_future(receive())
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
            finally:
                sending.cancel()
                leaving.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)
                await sync_to_async(response.close)()


def _resolve(scope: Mapping[str, Any]) -> ResolverMatch | None:
    """None for an address that nothing answers: Django says so when it comes to the view."""
    try:
        return get_resolver().resolve(scope["path"].removeprefix(get_script_prefix(scope)))
    except Http404:
        return None


def _give_connections_back() -> None:
    for each in connections.all(initialized_only=True):
        each.close_if_unusable_or_obsolete()
