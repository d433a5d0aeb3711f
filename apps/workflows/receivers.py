"""What the log tells runs."""

from __future__ import annotations

from apps.accounts.types import SYSTEM
from apps.core.doors.consumers import LoggedEvent
from apps.workflows import services


def hear(event: LoggedEvent) -> None:
    services.hear(actor=SYSTEM, event=event)
