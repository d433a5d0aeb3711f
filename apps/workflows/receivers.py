"""What the log tells runs, and what starts them."""

from __future__ import annotations

from apps.accounts.types import SYSTEM
from apps.core.doors.consumers import LoggedEvent
from apps.workflows import services


def hear(event: LoggedEvent) -> None:
    services.hear(actor=SYSTEM, event=event)


def hear_starts(event: LoggedEvent) -> None:
    services.hear_starts(actor=SYSTEM, event=event)
