"""Frames of the socket: what clients may send, checked; what they are sent, serialized once however many sockets get it.

The committed schema is ``docs/live.schema.json``; tests hold both against it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.core import rules
from apps.live.types import Entry

LONGEST_FRAME = 64 * 1024
MOST_TURNS = 100
HIGHEST = 2**53

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


class BadFrame(Exception):
    """What came is no frame of the protocol: the socket closes with 4400."""


@dataclass(slots=True)
class Frame:
    """``size`` in bytes, reckoned once: a socket's queue is bounded by it. ``prepared`` is what the outlet made of it, for all its readers."""

    text: str
    size: int
    prepared: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Frame:
        text = encode(content)
        return cls(text, len(text) if text.isascii() else len(text.encode()))


@dataclass(slots=True)
class Subscribe:
    topic: str
    after: int | None = None
    turns: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Unsubscribe:
    topic: str


@dataclass(slots=True)
class Typing:
    topic: str
    on: bool


@dataclass(slots=True)
class Presence:
    state: str


@dataclass(slots=True)
class Ping:
    pass


ClientFrame = Subscribe | Unsubscribe | Typing | Presence | Ping


def parse(text: str) -> ClientFrame:
    """Raises ``BadFrame`` for everything that the schema does not allow, unknown fields included."""
    try:
        rules.require_json_depth(text)
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame from error
    if type(content) is not dict:
        raise BadFrame
    match content:
        case {"type": "subscribe", "topic": topic, **rest} if rest.keys() <= {"after", "turns"}:
            return Subscribe(_topic(topic), _position(rest.get("after")), _turns(rest.get("turns")))
        case {"type": "unsubscribe", "topic": topic, **rest} if not rest:
            return Unsubscribe(_topic(topic))
        case {"type": "typing", "topic": topic, "on": bool() as on, **rest} if not rest:
            return Typing(_topic(topic), on)
        case {"type": "presence", "state": ("here" | "away") as state, **rest} if not rest:
            return Presence(state)
        case {"type": "ping", **rest} if not rest:
            return Ping()
    raise BadFrame


def _topic(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise BadFrame
    try:
        return rules.TOPIC(value)
    except rules.RuleBroken as broken:
        raise BadFrame from broken


def _position(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= HIGHEST:
        raise BadFrame
    return value


def _turns(value: Any) -> dict[str, int]:
    if value is None:
        return {}
    if type(value) is not dict or len(value) > MOST_TURNS:
        raise BadFrame
    turns: dict[str, int] = {}
    for turn, seq in value.items():
        try:
            name = str(UUID(turn))
        except ValueError as error:
            raise BadFrame from error
        position = _position(seq)
        if position is None:
            raise BadFrame
        turns[name] = position
    return turns


def delta(topic: str, turn: str, entry: Entry) -> Frame:
    """One entry as a frame. Data that would make it longer than 64 kB stays with the row: ``{"deferred": true}``."""
    content: dict[str, Any] = {"type": "delta", "topic": topic, "turn": turn, "seq": entry["seq"]}
    if entry.get("reset"):
        return Frame.of(content | {"reset": True, "parts": entry["parts"]})
    content["part"] = entry["part"]
    content["part_type"] = entry["type"]
    if "text" in entry:
        content["text"] = entry["text"]
        return Frame.of(content)
    frame = Frame.of(content | {"data": entry["data"]})
    return frame if frame.size <= LONGEST_FRAME else Frame.of(content | {"data": {"deferred": True}})


class Flush:
    """Entries that follow each other, with their frames made when the first reader wants them."""

    __slots__ = ("_frames", "entries", "first", "last", "topic", "turn")

    def __init__(self, topic: str, turn: str, entries: list[Entry]) -> None:
        self.topic, self.turn, self.entries = topic, turn, entries
        self.first: int = entries[0]["seq"]
        self.last: int = entries[-1]["seq"]
        self._frames: list[Frame] | None = None

    @property
    def frames(self) -> list[Frame]:
        if self._frames is None:
            self._frames = [delta(self.topic, self.turn, entry) for entry in self.entries]
        return self._frames

    @property
    def is_long(self) -> bool:
        """Too much to hand to a queue at once."""
        return len(self.entries) > 1 and sum(frame.size for frame in self.frames) > LONGEST_FRAME


def snapshot(topic: str, position: int, data: dict[str, Any]) -> Frame:
    return Frame.of({"type": "snapshot", "topic": topic, "topic_position": position, "data": data})


def event(topic: str, position: int, name: str, data: dict[str, Any]) -> Frame:
    return Frame.of({"type": "event", "topic": topic, "topic_position": position, "event": name, "data": data})


def status(topic: str, turn: str, content: dict[str, Any]) -> Frame:
    return Frame.of({"type": "status", "topic": topic, "turn": turn, **content})


def typing(topic: str, user: str, name: str, *, on: bool) -> Frame:
    return Frame.of({"type": "typing", "topic": topic, "user": user, "name": name, "on": on})


def presence(topic: str, people: list[dict[str, str]]) -> Frame:
    return Frame.of({"type": "presence", "topic": topic, "people": people})


def news(topic: str, about: str, object_id: str, change: str) -> Frame:
    return Frame.of({"type": "news", "topic": topic, "about": about, "id": object_id, "change": change})


PONG = Frame.of({"type": "pong"})


def error(code: str, detail: str, topic: str = "", *, limit: Mapping[str, Any] | None = None) -> Frame:
    """``limit`` is what every 429 says beside its sentence (``core.errors.limit_members``)."""
    content = {"type": "error", "code": code, "detail": detail} | ({"topic": topic} if topic else {})
    return Frame.of(content | dict(limit or {}))
