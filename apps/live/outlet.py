"""Where frames leave the process: ``send`` of ASGI, and what it does not tell us under Daphne.

Other servers let ``send`` wait while the client does not read. Daphne's never waits and buffers without end, and its protocol
refuses to send the close codes of RFC 6455 that name a restart or an overload. Both are reachable on its protocol object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from apps.live.frames import LONGEST_FRAME, Frame

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outlet:
    def __init__(self, send: Send) -> None:
        self._send = send
        below = send.args[0] if isinstance(send, partial) and send.args else None
        self._daphne: Any = below if hasattr(below, "sendCloseFrame") else None
        if self._daphne is not None:
            self._daphne.failByDrop = False  # a frame that is too long is answered with 1009, not with silence

    @property
    def is_full(self) -> bool:
        """The server holds more than the longest frame for a client: the next ones wait with the socket."""
        return self._unsent_bytes > LONGEST_FRAME

    @property
    def _unsent_bytes(self) -> int:
        """What the server has taken and the network has not; 0 where ``send`` waits by itself."""
        transport = getattr(self._daphne, "transport", None)
        if transport is None or not hasattr(transport, "_tempDataLen"):
            return 0
        return int(transport._tempDataLen) + len(transport.dataBuffer) - int(transport.offset)  # noqa: SLF001

    def write(self, frame: Frame) -> bool:
        """At once, where the server takes it without waiting. False: it has to wait its turn."""
        protocol = self._daphne
        if protocol is None or protocol.state != protocol.STATE_OPEN or self.is_full:
            return False
        if frame.prepared is None:
            frame.prepared = protocol.factory.prepareMessage(frame.text.encode())
        protocol.sendPreparedMessage(frame.prepared)
        return True

    async def text(self, frame: Frame) -> None:
        await self._send({"type": "websocket.send", "text": frame.text})

    async def accept(self, subprotocol: str | None) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})

    async def refuse(self) -> None:
        """Before ``accept``: the client gets 403."""
        await self._send({"type": "websocket.close"})

    async def close(self, code: int) -> None:
        if self._daphne is not None and code < 3000:  # noqa: PLR2004  (where autobahn starts to trust applications)
            self._daphne.sendCloseFrame(code=code)
        else:
            await self._send({"type": "websocket.close", "code": code})


def hasten_daphne() -> None:
    """A tenth of what a handshake costs, and half of what a frame does, went into a debugging log that nobody keeps."""
    from autobahn.websocket import protocol

    protocol.pformat = repr  # type: ignore[assignment]
    protocol.hltype = protocol.hlval = lambda what, **_colours: what  # type: ignore[assignment]
