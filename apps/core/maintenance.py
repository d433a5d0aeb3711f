"""What an operator did to the installation itself, with the admin site or a command, is in the audit log as all else is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from django.db import transaction

from apps.core.events import emit
from apps.core.facts import Maintained, OperatorActed
from apps.core.types import SYSTEM, ActorRef, Scope

Act = Literal[
    "events_replayed",
    "parked_events_retried",
    "mail_retried",
    "keys_rotated",
    "keys_retired",
    "keys_lost",
    "leftovers_removed",
]
NAMED = 50


@transaction.atomic
def note(act: Act, *, on: str = "", count: int = 0, actor: ActorRef = SYSTEM) -> None:
    """``on``: the consumer or the key. A command has no actor but the installation: who may run it is the machine's to say."""
    emit(
        Maintained(act=act, on=on, count=count),
        actor=actor,
        scope=Scope(topic="instance:maintenance"),
        subject=("installation", None),
    )


@transaction.atomic
def note_operator(*, table: str, action: str, count: int, ids: Sequence[UUID], actor: ActorRef) -> None:
    """What was chosen in the admin site, beside what the services that it calls announce themselves."""
    emit(
        OperatorActed(table=table, action=action, count=count, ids=list(ids[:NAMED])),
        actor=actor,
        scope=Scope(topic="instance:maintenance"),
        subject=("installation", None),
    )
