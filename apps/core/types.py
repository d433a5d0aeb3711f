"""Shapes that every app shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from uuid import UUID


class Priority(IntEnum):
    """Of work that waits in rows; the smaller number goes first. Programs stand behind people who look at the page."""

    CRITICAL = 0  # the platform itself cannot go on without it
    HIGH = 1  # somebody lost their place and gets it back
    NORMAL = 2
    LOW = 3  # nobody is looking


class ActorRef(Protocol):
    """What the event log keeps of who acted; ``accounts.types.Actor`` satisfies it."""

    @property
    def kind(self) -> str: ...
    @property
    def user_id(self) -> UUID | None: ...
    @property
    def organization_id(self) -> UUID | None: ...
    @property
    def key_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an event belongs: the tenant, perhaps a project, and the topic that numbers it.

    ``topic`` is ``<kind>:<uuid>``; the lock that the caller holds on that object keeps ``topic_position`` gapless.
    """

    topic: str
    organization_id: UUID | None = None
    project_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class SystemActor:
    """The platform itself: sweeps, schedules, first start."""

    kind: str = "system"
    user_id: UUID | None = None
    organization_id: UUID | None = None
    key_id: UUID | None = None


SYSTEM = SystemActor()
