"""Asynchronous views: the loop carries the streams, everything that asks the database runs in ``core.db``'s threads."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from apps.accounts import actors, policies, quotas
from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_of_request
from apps.accounts.call_limits import limit_call
from apps.accounts.types import NOBODY, Actor
from apps.core import suspicions
from apps.core.api import as_domain_error, record_refusal
from apps.core.correlation import correlation_id
from apps.core.db import in_thread
from apps.core.errors import MethodNotAllowed, NotFound, UnsupportedMediaType
from apps.core.parsing import parse_json_object
from apps.gateway import engine, limits, selectors
from apps.gateway.openai.reading import read_completion
from apps.gateway.openai.writing import Answer, error_response
from apps.gateway.types import Completion, KeyNeeded

logger = logging.getLogger(__name__)

View = Callable[..., Awaitable[HttpResponseBase]]


def door(method: str | None) -> Callable[[View], Any]:
    """One method (None: any), no cookies (so no CSRF token either), and every error in OpenAI's shape."""

    def wrap(view: View) -> Any:
        @csrf_exempt
        @functools.wraps(view)
        async def guarded(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            try:
                if method is not None and request.method != method:
                    raise MethodNotAllowed(headers={"Allow": method})
                return await view(request, **arguments)
            except Exception as error:  # the one place where errors of this door get their shape
                domain_error = as_domain_error(error)
                if domain_error.status >= 500 and domain_error.code == "internal_error":  # noqa: PLR2004
                    logger.exception("gateway_request_failed")
                await in_thread(record_refusal, request, domain_error)
                return error_response(domain_error)

        return guarded

    return wrap


def _key(request: HttpRequest, scope: str) -> Actor:
    """Blocks. Only API keys: they belong to one organization, which every call here needs. A cookie is never looked at."""
    has_header = "Authorization" in request.headers or "X-API-Key" in request.headers
    actor = actor_of_request(request) if has_header else NOBODY
    is_key = actor.key_id is not None and actor.organization_id is not None
    request.actor = actor  # type: ignore[attr-defined]
    limit_call(request, actor if is_key else None)
    if not is_key:
        raise KeyNeeded
    policies.require_scope(actor, scope)
    return actor


@door("GET")
async def models(request: HttpRequest) -> HttpResponseBase:
    listed = await in_thread(lambda: selectors.list_names(_key(request, "models:read")))
    return JsonResponse({"object": "list", "data": [_model_out(one.id, one.owned_by, one.created) for one in listed]})


@door("GET")
async def model(request: HttpRequest, name: str) -> HttpResponseBase:
    def find() -> dict[str, Any]:
        listed = selectors.find_listed(_key(request, "models:read"), name)
        return _model_out(name, listed.owned_by, listed.created)

    return JsonResponse(await in_thread(find))


def _model_out(name: str, owned_by: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owned_by}


def _read(request: HttpRequest) -> tuple[Actor, Completion, engine.Prepared]:
    """Blocks: who asks, what, and who is to answer."""
    actor = _key(request, "models:use")
    if request.content_type != "application/json":
        raise UnsupportedMediaType
    body = parse_json_object(request.body)
    suspicions.notice(request, body)
    completion = read_completion(body)
    prepared = engine.prepare(actor, completion, correlation_id=correlation_id())
    assert actor.organization_id is not None
    quotas.take_answer(actor=actor, organization_id=actor.organization_id)
    return actor, completion, prepared


def _require_still(actor: Actor, prepared: engine.Prepared) -> None:
    """Blocks: the key of a running answer is asked again, and the project of the agent or the key, with the rights of now."""
    renewed = actors.renew(actor)
    if renewed.key_id is None:
        raise KeyNeeded
    policies.require_scope(renewed, "models:use")
    if prepared.project_id is not None:
        accounts.get_project(prepared.project_id, renewed)


@door("POST")
async def chat_completions(request: HttpRequest) -> HttpResponseBase:
    actor, completion, prepared = await in_thread(_read, request)
    assert actor.organization_id is not None
    answer = Answer(asked=completion.model, has_usage=completion.has_usage)
    with ExitStack() as held:
        place = limits.places.ask(actor.organization_id)
        held.callback(place.free)
        await in_thread(place.take)
        operations = engine.operations_of(prepared, lambda: _require_still(actor, prepared))
        if not completion.is_stream:
            return JsonResponse((await engine.collect(operations, answer)).whole())
        begun = await engine.read_until_answered(operations)
        stream = Held(held.pop_all(), engine.events(begun, operations, answer))
    return StreamingHttpResponse(
        stream,
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


class Held:
    """A stream that keeps its place among the running answers until it ends, or until the answer is closed unread."""

    def __init__(self, held: ExitStack, stream: AsyncIterator[bytes]) -> None:
        self._held, self._stream = held, stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        self._held.close()


@door(None)
async def unknown(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """Also ``/v1`` itself: programs ask it when somebody gave them a wrong address, and read no pages."""
    await in_thread(_key, request, "models:read")
    raise NotFound(
        _("There are GET /v1/models, GET /v1/models/{model} and POST /v1/chat/completions here, and nothing else.")
    )
