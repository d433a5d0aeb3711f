"""The resumable stream of a turn: written by the runner, read by sockets, SSE and whoever repairs a turn.

Every entry has the next ``seq`` of its turn and the id ``<fence>-<seq>``, so Redis itself refuses a writer whose lease was
taken over. What Redis loses (restart, wipe) the writer seeds again with one *reset* entry that carries the whole parts;
the row's checkpoint stays the truth in any case. Protocol in docs/live.md.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError

from apps.core import redis
from apps.core.storable import as_json
from apps.live import bells
from apps.live.appender import Append, appender
from apps.live.parts import PartsBuilder, storable
from apps.live.scripts import READ
from apps.live.sealed_entries import opened_entry, sealed_entry
from apps.live.types import TEXT_TYPES, Entry, LateWriter, Rebuilt
from apps.llm.types import AppendText, ClosePart, OpenPart, Operation, SetPart

FLUSH_SECONDS = 0.040
BUFFER_SECONDS = 30.0
RETRY_SECONDS = 0.25
LOSSY_SECONDS = 2.0
LONGEST_TEXT = 8_000  # characters of one entry: a frame stays under 64 kB whatever the letters
PAGE_ENTRIES = 2_000

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class TurnStream:
    """The writer's side, on one event loop. ``append`` never waits; a task of the loop's appender carries the flushes.

    The parts so far are at hand in ``parts`` and ``text`` for checkpoints and for the final row, equal to what readers get.
    While Redis is away new text merges into what waits; after ``BUFFER_SECONDS`` only the parts are kept, and one reset entry
    follows when Redis is back.
    """

    def __init__(self, turn_id: UUID, fence: int, topic: str, start_seq: int = 0, *, is_sealed: bool = False) -> None:
        self.turn_id, self.fence, self.topic, self.is_sealed = turn_id, fence, topic, is_sealed
        self.seq = start_seq
        self._builder = PartsBuilder()
        self._pending: list[tuple[int, str, list[str] | None]] = []  # part, type, text pieces (None: its data)
        self._in_flight: Append | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0
        self._away_since: float | None = None
        self._lossy_at = 0.0
        self._needs_reset = False
        self._is_late = False
        self._settled = asyncio.Event()
        self._settled.set()
        self._loop = asyncio.get_running_loop()

    @classmethod
    def open(
        cls,
        turn_id: UUID,
        *,
        fence: int,
        topic: str,
        start_seq: int = 0,
        parts: Iterable[Mapping[str, Any]] = (),
        is_sealed: bool = False,
    ) -> TurnStream:
        """``start_seq`` is the last seq written, ``parts`` what the message has already (continued, or run again). ``is_sealed``:
        Redis gets no word of it in clear.

        With parts the first entry is a reset that carries them too: a stream alone is enough to build the message.
        """
        stream = cls(turn_id, fence, topic, start_seq, is_sealed=is_sealed)
        stream._builder.replace(parts)
        stream._needs_reset = not stream._builder.is_empty
        return stream

    @property
    def parts(self) -> list[dict[str, Any]]:
        return self._builder.stored()

    @property
    def text(self) -> str:
        return self._builder.text()

    @property
    def is_empty(self) -> bool:
        return self._builder.is_empty

    def append(self, operations: Iterable[Operation]) -> None:
        """Take operations in; others than those on parts are passed over. Raises ``LateWriter`` when a newer owner wrote, and
        ``ValueError`` for data that no row keeps (NaN).
        """
        if self._is_late:
            raise LateWriter(self.turn_id)
        for operation in operations:
            kind = type(operation)
            if kind is AppendText:
                self._append_text(operation.index, operation.text)
            elif kind is OpenPart:
                self._builder.open(operation.index, str(operation.type))
                if operation.data:
                    self._set(operation.index, operation.data)
            elif kind is SetPart:
                self._set(operation.index, operation.data)
            elif kind is ClosePart:
                continue
        if self._pending and self._in_flight is None and self._timer is None:
            self._schedule()

    def _append_text(self, index: int, text: str) -> None:
        text = storable(text)
        self._builder.append(index, text)
        pending = self._pending
        if pending and pending[-1][0] == index and pending[-1][2] is not None:
            pending[-1][2].append(text)
        else:
            pending.append((index, self._builder.type_of(index), [text]))

    def _set(self, index: int, data: Mapping[str, Any]) -> None:
        self._builder.set(index, json.loads(as_json(dict(data))))
        self._pending.append((index, self._builder.type_of(index), None))

    def _schedule(self) -> None:
        wait = self._flushed_at + FLUSH_SECONDS - time.monotonic()
        if wait <= 0:
            self._flush()
        else:
            self._timer = self._loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._in_flight is None and not self._is_late and (self._pending or self._needs_reset):
            reset = self._needs_reset
            entries = self._whole() if reset else self._due()
            self._pending.clear()
            self._needs_reset = False
            first = self.seq + 1
            self.seq += len(entries)
            self._send(first, [self._encoded(first + n, entry) for n, entry in enumerate(entries)], is_reset=reset)

    def _encoded(self, seq: int, entry: Entry) -> str:
        encoded = encode({"seq": seq, **entry})
        return encode(sealed_entry(self.turn_id, seq, encoded)) if self.is_sealed else encoded

    def _due(self) -> list[Entry]:
        entries: list[Entry] = []
        for index, kind, pieces in self._pending:
            if pieces is None:
                entries.append({"part": index, "type": kind, "data": self._builder.data_of(index)})
                continue
            text = "".join(pieces)
            entries.extend(
                {"part": index, "type": kind, "text": text[at : at + LONGEST_TEXT]}
                for at in range(0, max(len(text), 1), LONGEST_TEXT)
            )
        return entries

    def _whole(self) -> list[Entry]:
        """The reset entry; text beyond ``LONGEST_TEXT`` a part follows as appends in the same call."""
        parts: list[Any] = []
        rest: list[Any] = []
        for index, part in enumerate(self._builder.stored()):
            if part["type"] in TEXT_TYPES and len(part["text"]) > LONGEST_TEXT:
                text = part["text"]
                part["text"] = text[:LONGEST_TEXT]
                rest.extend(
                    {"part": index, "type": part["type"], "text": text[at : at + LONGEST_TEXT]}
                    for at in range(LONGEST_TEXT, len(text), LONGEST_TEXT)
                )
            parts.append(part)
        return [{"reset": True, "parts": parts}, *rest]

    def _send(self, first: int, entries: list[str], *, is_reset: bool) -> None:
        self._flushed_at = time.monotonic()
        self._settled.clear()
        self._in_flight = Append(
            turn_id=str(self.turn_id),
            topic=self.topic,
            fence=self.fence,
            first=first,
            entries=entries,
            is_reset=is_reset,
            done=self._on_done,
        )
        appender().submit(self._in_flight)

    def _on_done(self, answer: tuple[int, int, int] | Exception) -> None:
        sent, self._in_flight = self._in_flight, None
        assert sent is not None
        match answer:
            case Exception():
                self._on_failure(sent, answer)
                return
            case (1, _, _):
                self._is_late = True
                self._pending.clear()
            case (2, fence, seq) if fence == self.fence and seq == sent.last:
                pass  # it had landed, the answer was lost on the way
            case (2, _, seq):
                # Redis lost the stream, or an earlier owner's text is in it: seed it again, beyond every seq a reader may have.
                self.seq = max(self.seq, seq)
                self._needs_reset = True
        self._away_since = None
        if self._needs_reset:
            self._flush()
        elif self._pending:
            self._schedule()
        else:
            self._settled.set()

    def _on_failure(self, sent: Append, failure: Exception) -> None:
        now = time.monotonic()
        scale = settings.PARLANCE_TIME_SCALE
        if self._away_since is None:
            self._away_since = now
        if "OOM" in str(failure):
            self._needs_reset = True
            self._announce_unlogged(now)
        elif now - self._away_since > BUFFER_SECONDS * scale:
            self._needs_reset = True
        if self._needs_reset:
            self._timer = self._loop.call_later(RETRY_SECONDS, self._flush)
        else:
            self._timer = self._loop.call_later(RETRY_SECONDS, self._repeat, sent)

    def _repeat(self, sent: Append) -> None:
        self._timer = None
        self._send(sent.first, sent.entries, is_reset=sent.is_reset)

    def _announce_unlogged(self, now: float) -> None:
        """A full Redis still carries announcements: readers get the whole parts every two seconds, gap or no gap."""
        if now - self._lossy_at < LOSSY_SECONDS:
            return
        self._lossy_at = now
        self.seq += 1
        entry = self._encoded(self.seq, self._whole()[0])
        span = encode({"k": "d", "turn": str(self.turn_id), "from": self.seq, "seq": self.seq})
        bells.publish_soon(self.topic, f'{span[:-1]},"entries":[{entry}]}}')

    async def drain(self, timeout_seconds: float = 2.0) -> bool:
        """Wait until all that was appended is in the stream; False when Redis does not take it in time.

        Raises ``LateWriter``. Call it before the final transaction: readers then have every delta before the final event.
        """
        if self._timer is not None and self._away_since is None:
            self._timer.cancel()
            self._flush()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._settled.wait()
        except TimeoutError:
            pass
        if self._is_late:
            raise LateWriter(self.turn_id)
        return self._settled.is_set() and not self._pending

    def close(self) -> None:
        """Forget what was not written; the row is final."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pending.clear()
        self._needs_reset = False


def _stream_key(turn_id: UUID | str) -> str:
    return redis.key("turn", turn_id)


def _read_answer(turn_id: UUID | str, answer: list[Any]) -> tuple[int, int, list[Entry]]:
    return int(answer[0]), int(answer[1]), [opened_entry(turn_id, json.loads(raw)) for raw in answer[2:]]


async def read_after(turn_id: UUID | str, after_seq: int) -> list[Entry]:
    """The entries after ``after_seq``, in order; empty when there are none or the stream is gone. Raises ``RedisError``."""
    client = redis.async_client()
    entries: list[Entry] = []
    while True:
        answer = await client.eval(READ, 1, _stream_key(turn_id), after_seq, PAGE_ENTRIES)
        _fence, last, page = _read_answer(turn_id, answer)
        entries.extend(page)
        if not page or page[-1]["seq"] >= last:
            return entries
        after_seq = page[-1]["seq"]


def rebuild(turn_id: UUID | str) -> Rebuilt:
    """What the stream holds of a turn, for the reaper and for recovery (synchronous). Redis away counts as empty."""
    builder = PartsBuilder()
    fence = seq = 0
    try:
        rows = redis.client().xrange(_stream_key(turn_id))
    except (RedisError, OSError):
        rows = []
    for entry_id, fields in rows:
        fence = int(entry_id.partition(b"-")[0])
        entry = opened_entry(turn_id, json.loads(fields[b"d"]))
        builder.apply(entry)
        seq = entry["seq"]
    return Rebuilt(fence=fence, seq=seq, parts=builder.stored())
