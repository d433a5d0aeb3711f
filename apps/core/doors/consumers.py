"""Who reacts to the event log. Run by ``core`` (``core.eventlog``), in the process that coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One row of the log. ``position`` is the order in which every consumer sees events."""

    id: UUID
    position: int
    topic: str
    topic_position: int
    organization_id: UUID | None
    project_id: UUID | None
    type: str
    version: int
    actor_kind: str
    actor_id: UUID | None
    actor_key_id: UUID | None
    subject_type: str
    subject_id: UUID | None
    payload: dict[str, Any]
    is_refusal: bool
    correlation_id: str
    causation_id: UUID | None
    depth: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Consumer:
    """``handle`` runs in the transaction that advances the cursor, so rows it writes are written exactly once.

    What leaves the database (a mail, a call) is a row and a job of its own; it may see an event again after ``replay_events``,
    so it is idempotent by ``event.id``. *Ordered*: one event after the other, a failing one holds the rest until it is
    parked. *Parallel*: each event by itself, ``concurrency`` at a time. ``types`` and ``prefixes`` say which events; both
    empty: all. A new consumer reads from the beginning of the log unless ``from_now``.

    Who waits for somebody, or locks rows that others may want, is *parallel*: each event has a transaction of its own, which holds nothing
    of another.

    Who reads all, or much, says which events it means: ``pick`` is asked once for up to a hundred, in the same transaction, and gives those
    to handle; only these have deliveries. With ``patience_seconds`` it looks that long after an event has come, so that what comes close together is one look.
    """

    name: str
    handle: Callable[[LoggedEvent], None]
    types: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    order: Literal["ordered", "parallel"] = "ordered"
    concurrency: int = 2
    with_refusals: bool = False
    from_now: bool = False
    pick: Callable[[Sequence[LoggedEvent]], Sequence[LoggedEvent]] | None = None
    patience_seconds: float = 0.0

    def wants(self, event_type: str, *, is_refusal: bool) -> bool:
        if is_refusal and not self.with_refusals:
            return False
        return not (self.types or self.prefixes) or event_type in self.types or event_type.startswith(self.prefixes)


consumers: Door[Consumer] = Door("consumer")
