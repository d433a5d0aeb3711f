"""A light parser of server-sent events (WHATWG HTML, section 9.2): only the data, which is all that providers use.

One call per network chunk, no object per line. Event names repeat what the data says, ids and retry times have no use here.
"""

from __future__ import annotations

from apps.llm.errors import ProviderProtocolError

MAX_EVENT_BYTES = 4 * 1024 * 1024


class EventParser:
    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that ends in this chunk. Raises ``ProviderProtocolError`` beyond ``max_event_bytes``."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest += chunk
            if len(self._rest) > self._max:
                raise ProviderProtocolError(f"A line of more than {self._max} bytes.")
            return []
        if self._rest:
            lines = bytes(self._rest + chunk[:end]).split(b"\n")
            self._rest.clear()
        else:
            lines = chunk[:end].split(b"\n")
        if end + 1 < len(chunk):
            self._rest += chunk[end + 1 :]
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                value = line[6 if line[5:6] == b" " else 5 :]
                self._data.append(value)
                self._size += len(value)
                if self._size > self._max:
                    raise ProviderProtocolError(f"An event of more than {self._max} bytes.")
            elif (not line or line == b"\r") and self._data:
                events.append(self._take())
        return events

    def finish(self) -> list[bytes]:
        """The last event of a body that ends without its empty line: servers forget it."""
        rest = bytes(self._rest)
        self._rest.clear()
        events = self.feed(rest + b"\n\n") if rest or self._data else []
        return [event for event in events if event]

    def _take(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(line.rstrip(b"\r") for line in self._data)
        self._data = []
        self._size = 0
        return data[:-1] if data.endswith(b"\r") else data
