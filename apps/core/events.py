"""Facts and how they are told: ``emit`` inside the transaction of the change, ``emit_refusal`` in one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from psycopg.types.json import Jsonb

from apps.core import failpoints
from apps.core.correlation import current
from apps.core.db import prepared
from apps.core.errors import Conflict
from apps.core.ids import uuid7
from apps.core.types import ActorRef, Scope

MAX_DEPTH = 8
CHANNEL = "parlance_events"
LOOK = "look"  # on the channel: every consumer looks, though nothing new was written


class ReactionTooDeep(Conflict):
    code = "reaction_too_deep"
    default_detail = _("A chain of automatic reactions went deeper than eight and was stopped.")


@dataclass(frozen=True, slots=True)
class EventKind:
    """``name`` without its version, e.g. ``conversations.message_posted``; ``public`` is the stable alias or empty.

    ``label`` is what the audit log calls it: needed for what is audited.
    """

    name: str
    version: int
    public: str
    fact: type
    label: str | Promise = ""


_kinds: dict[str, EventKind] = {}


def event(name: str, *, public: str = "", label: str | Promise = "") -> Callable[[type], type]:
    """Register a frozen dataclass of ids, enums and numbers as a fact: ``@event("app.noun_verbed.v1")``."""
    base, _dot, version = name.rpartition(".v")

    def register(fact: type) -> type:
        if base in _kinds:
            message = f"Event {base} is registered twice."
            raise ValueError(message)
        kind = EventKind(base, int(version), public, fact, label)
        _kinds[base] = kind
        fact.event_kind = kind  # type: ignore[attr-defined]
        return fact

    return register


def event_kinds() -> list[EventKind]:
    return sorted(_kinds.values(), key=lambda kind: kind.name)


def public_name(event_type: str) -> str:
    kind = _kinds.get(event_type)
    return (kind.public if kind else "") or event_type


@dataclass(frozen=True, slots=True)
class Emitted:
    """The row as the log has it, as far as followers of its topic need it."""

    id: UUID
    topic_position: int
    type: str
    payload: dict[str, Any]
    subject_id: UUID | None
    actor_id: UUID | None


def _plain(value: Any) -> Any:
    match value:
        case UUID() | Decimal():
            return str(value)
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            return value


# One statement: take the topic's next number under its row lock, insert, wake the sequencer at commit.
_INSERT = f"""
WITH topic AS (
  INSERT INTO core_topic (name, position) VALUES (%(topic)s, 1)
  ON CONFLICT (name) DO UPDATE SET position = core_topic.position + 1
  RETURNING position
), bell AS (
  SELECT pg_notify('{CHANNEL}', '')
)
INSERT INTO core_event (
  id, topic, topic_position, organization_id, project_id, type, version, actor_kind, actor_id, actor_key_id,
  subject_type, subject_id, payload, is_refusal, correlation_id, causation_id, depth
)
SELECT %(id)s, %(topic)s, topic.position, %(organization)s::uuid, %(project)s::uuid, %(type)s, %(version)s, %(actor_kind)s,
  %(actor)s::uuid, %(key)s::uuid, %(subject_type)s, %(subject)s::uuid, %(payload)s, %(refusal)s, %(correlation)s,
  %(causation)s::uuid, %(depth)s
FROM topic, bell
RETURNING topic_position
"""  # noqa: S608  (the channel is a constant)


def _insert(
    *,
    type_name: str,
    version: int,
    payload: dict[str, Any],
    actor: ActorRef,
    scope: Scope,
    subject: tuple[str, UUID | None],
    is_refusal: bool,
) -> Emitted:
    cause = current()
    if cause.depth > MAX_DEPTH:
        raise ReactionTooDeep
    event_id = uuid7()
    with prepared() as cursor:
        cursor.execute(
            _INSERT,
            {
                "id": event_id,
                "topic": scope.topic,
                "organization": scope.organization_id,
                "project": scope.project_id,
                "type": type_name,
                "version": version,
                "actor_kind": actor.kind,
                "actor": actor.user_id,
                "key": actor.key_id,
                "subject_type": subject[0],
                "subject": subject[1],
                "payload": Jsonb(payload),  # type: ignore[dict-item]  # psycopg adapts it
                "refusal": is_refusal,
                "correlation": cause.correlation_id,
                "causation": cause.causation_id,
                "depth": cause.depth,
            },
        )
        row = cursor.fetchone()
    assert row is not None
    return Emitted(event_id, row[0], type_name, payload, subject[1], actor.user_id)


def emit(fact: Any, *, actor: ActorRef, scope: Scope, subject: tuple[str, UUID | None] = ("", None)) -> Emitted:
    """Write ``fact`` to the log in the caller's transaction; raises ``ReactionTooDeep`` beyond eight reactions.

    The payload is the fact's fields: ids, enums, numbers, never text that a person wrote.
    """
    if not connection.in_atomic_block:
        message = "emit() belongs in the transaction of the change."
        raise transaction.TransactionManagementError(message)
    kind: EventKind = fact.event_kind
    assert is_dataclass(fact)
    emitted = _insert(
        type_name=kind.name,
        version=kind.version,
        payload=_plain(asdict(fact)),  # type: ignore[arg-type]
        actor=actor,
        scope=scope,
        subject=subject,
        is_refusal=False,
    )
    failpoints.hit("before_commit")
    return emitted


class _Told:
    """A fact that waits for the end of its block. Django forgets what was to run after the commit when a savepoint is rolled back: with
    this one among it, the fact is not told either.
    """

    def __init__(self, fact: Any, arguments: dict[str, Any]) -> None:
        self.fact, self.arguments = fact, arguments

    def __call__(self) -> None:
        return


_waiting: ContextVar[list[_Told] | None] = ContextVar("waiting_facts", default=None)


@contextmanager
def told_last() -> Iterator[None]:
    """Facts of ``emit_last`` in this block are written at its end. Whoever writes to a topic holds its row until the commit: who then
    wants other rows, and somebody who has those and wants to write to the topic, would wait for each other.
    """
    if _waiting.get() is not None:
        yield
        return
    waiting: list[_Told] = []
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    there = {id(function) for _savepoints, function, _robust in connection.run_on_commit}
    for told in waiting:
        if id(told) in there:
            emit(told.fact, **told.arguments)


def emit_last(fact: Any, *, actor: ActorRef, scope: Scope, subject: tuple[str, UUID | None] = ("", None)) -> None:
    """As ``emit``; inside ``told_last`` at its end."""
    waiting = _waiting.get()
    if waiting is None:
        emit(fact, actor=actor, scope=scope, subject=subject)
        return
    told = _Told(fact, {"actor": actor, "scope": scope, "subject": subject})
    transaction.on_commit(told)
    waiting.append(told)


def emit_refusal(
    *, code: str, action: str, actor: ActorRef, organization_id: UUID | None, subject_id: UUID | None
) -> None:
    """Record that something was refused, in a transaction of its own: the one that was refused is rolled back."""
    topic = f"refusals:{organization_id or 'none'}"
    with transaction.atomic(durable=False):
        _insert(
            type_name="core.refused",
            version=1,
            payload={"code": code, "action": action},
            actor=actor,
            scope=Scope(topic=topic, organization_id=organization_id),
            subject=(action.rpartition(" ")[2][:60], subject_id),
            is_refusal=True,
        )


def topic_position(topic: str) -> int:
    """The number of the last event of a topic; 0 when it has none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT position FROM core_topic WHERE name = %s", [topic])
        row = cursor.fetchone()
    return row[0] if row else 0


def hold_topics(names: Iterable[str]) -> None:
    """Until the commit nobody else writes to these topics: who changes what they tell of commits before this, or after the caller did."""
    with connection.cursor() as cursor:
        for name in sorted(set(names)):
            cursor.execute(
                "INSERT INTO core_topic (name, position) VALUES (%s, 0) ON CONFLICT (name) DO UPDATE SET position = core_topic.position",
                [name],
            )
