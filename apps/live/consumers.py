"""``/ws/``: one socket a page. A plain ASGI application: no channel layer and no task stands between a token and the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.http.request import validate_host
from django.utils import translation
from django.utils.translation import gettext as _

from apps.accounts import actors
from apps.accounts.addresses import address_of_scope
from apps.accounts.types import NOBODY, Actor, ActorKind
from apps.core.db import in_thread
from apps.core.errors import DomainError, LimitReached
from apps.core.limits import Limit, Tokens
from apps.live import frames
from apps.live.feed import DATABASE_AWAY
from apps.live.frames import BadFrame
from apps.live.hub import find_kind
from apps.live.lobby import lobby
from apps.live.outlet import Outlet, Send
from apps.live.socket import NOT_A_FRAME, SIGNED_OUT, TOO_BIG, TOO_MANY, Socket
from apps.live.subscription import Subscription

PATH = "/ws/"
FRAMES_OF_A_SOCKET = Limit(rate=20, burst=60)
REFUSED_SECONDS = 0.005
TOPICS_EACH = 50
FORBIDDEN = 4403

Receive = Callable[[], Awaitable[dict[str, Any]]]

log = structlog.get_logger(__name__)


async def live_socket(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    outlet = Outlet(send)
    if (await receive())["type"] != "websocket.connect":
        return
    if scope["path"] != PATH or not is_our_page(scope):
        await outlet.refuse()
        return
    try:
        visitor = await lobby().admit(actors.credential_from_scope(scope))
    except (DomainError, *DATABASE_AWAY):
        await outlet.refuse()
        return
    if (actor := visitor.actor) is None:
        await outlet.accept(None)
        await outlet.close(FORBIDDEN)
        return
    if actor.is_somebody and not visitor.has_seat:
        log.warning("live.too_many_sockets", user_id=str(actor.user_id))
        await outlet.refuse()
        return
    await outlet.accept(_subprotocol(scope))
    if actor is NOBODY or not actor.is_somebody:
        # Accepted first: a browser shows the page no reason for a handshake that is refused.
        await outlet.close(SIGNED_OUT)
        return
    socket = Socket(actor, "", outlet, Tokens(FRAMES_OF_A_SOCKET))
    socket.id, socket.address = visitor.seat, address_of_scope(scope)
    await _serve(socket, receive)


def is_our_page(scope: dict[str, Any]) -> bool:
    """A browser says which page opens the socket; a cookie counts only for our own. Programs send no ``Origin``.

    Behind an ``https://`` address a page of plain http is not ours, whatever its host: anybody on the way could have written it.
    """
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None or b"cookie" not in headers:
        return True
    text = origin.decode("latin-1")
    if text in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(text)
    host = headers.get(b"host", b"").decode("latin-1")
    return (
        parts.scheme in (("https",) if settings.IS_HTTPS else ("http", "https"))
        and parts.netloc == host
        and validate_host(parts.hostname or "", settings.ALLOWED_HOSTS)
    )


def _subprotocol(scope: dict[str, Any]) -> str | None:
    """A browser that offers subprotocols hangs up unless one is chosen; the one with the token is not echoed alone."""
    offered = scope.get("subprotocols") or []
    return next((name for name in offered if not name.startswith(actors.SUBPROTOCOL)), offered[0] if offered else None)


async def _serve(socket: Socket, receive: Receive) -> None:
    here = lobby()
    here.enter(socket)
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if socket.is_closed:
                continue
            text = message.get("text")
            if (refusal := _refusal(socket)) is not None:
                _refuse(socket, refusal)
                await asyncio.sleep(REFUSED_SECONDS)  # what was said goes out, and a flood comes in more slowly
            elif text is None:
                socket.close(NOT_A_FRAME)
            elif len(text) > frames.LONGEST_FRAME:
                socket.close(TOO_BIG)
            else:
                try:
                    _take(socket, frames.parse(text))
                except BadFrame:
                    socket.close(NOT_A_FRAME)
    finally:
        here.leave(socket)
        for subscription in socket.subscriptions.values():
            here.people.leave(subscription)
        socket.end()


def _refusal(socket: Socket) -> LimitReached | None:
    if not socket.allowance.take():
        limit = socket.allowance.limit
        return LimitReached(limit="socket", most=int(limit.burst))
    return lobby().meter.count(socket.actor, socket.address)


def _refuse(socket: Socket, refusal: LimitReached) -> None:
    """What is too many is dropped, and once a second that is said; who does not stop is closed with 4429."""
    if not socket.patience.take():
        socket.close(TOO_MANY)
    elif socket.told.take():
        with translation.override(socket.actor.language):
            detail = _("That was too much at once. Try again in a moment.")
        socket.push(frames.error(refusal.code, detail, limit=refusal.extra))


def _take(socket: Socket, frame: frames.ClientFrame) -> None:
    people = lobby().people
    match frame:
        case frames.Subscribe():
            _leave(socket, frame.topic)
            if len(socket.subscriptions) >= TOPICS_EACH:
                _say(
                    socket,
                    "limit_reached",
                    frame.topic,
                    LimitReached(limit="topics", most=TOPICS_EACH, reason="places"),
                )
                return
            if (found := find_kind(frame.topic)) is None:
                _say(socket, "not_found", frame.topic)
                return
            subscription = socket.subscriptions[frame.topic] = Subscription(socket, frame.topic, *found)
            socket.spawn(_follow(socket, subscription, frame))
        case frames.Unsubscribe():
            _leave(socket, frame.topic)
        case frames.Typing():
            if (subscription := socket.subscriptions.get(frame.topic)) and subscription.position is not None:
                socket.spawn(_type(socket, subscription, on=frame.on))
        case frames.Ping():
            socket.push(frames.PONG)
        case frames.Presence():
            has_changed, socket.state = socket.state != frame.state, frame.state
            for subscription in socket.subscriptions.values():
                if _is_seen(subscription):
                    socket.spawn(people.enter(subscription) if has_changed else people.renew(subscription))


async def _follow(socket: Socket, subscription: Subscription, frame: frames.Subscribe) -> None:
    if not await subscription.open(frame.after, frame.turns):
        if socket.subscriptions.get(frame.topic) is subscription:
            del socket.subscriptions[frame.topic]
            _say(socket, "not_found", frame.topic)
        return
    if _is_seen(subscription):
        if not socket.name:
            assert socket.actor.user_id is not None
            socket.name = await lobby().name_of(socket.actor.user_id)
        if socket.subscriptions.get(frame.topic) is subscription:
            await lobby().people.enter(subscription)


async def _type(socket: Socket, subscription: Subscription, *, on: bool) -> None:
    try:
        may = await in_thread(subscription.kind.may_write, socket.actor, subscription.object_id)
    except (DomainError, *DATABASE_AWAY):
        return
    if not may:
        _say(socket, "forbidden", subscription.topic)
    elif _is_seen(subscription):
        lobby().people.type(subscription, on=on)


def _is_seen(subscription: Subscription) -> bool:
    """People are seen by others who follow the same topic; programs, and followers who were not let in yet, are not."""
    return _is_person(subscription.viewer) and subscription.is_live and getattr(subscription.kind, "has_presence", True)


def _is_person(actor: Actor) -> bool:
    return actor.kind is ActorKind.MEMBER and actor.user_id is not None


def _leave(socket: Socket, topic: str) -> None:
    if earlier := socket.subscriptions.pop(topic, None):
        lobby().people.leave(earlier)
        earlier.leave()


def _say(socket: Socket, code: str, topic: str, refusal: LimitReached | None = None) -> None:
    with translation.override(socket.actor.language):
        detail = {
            "not_found": _("There is nothing here, or it is not shared with you."),
            "forbidden": _("Your role does not allow this."),
            "limit_reached": _("One socket follows fifty topics at most."),
        }[code]
    socket.push(frames.error(code, detail, topic, limit=refusal.extra if refusal else None))
