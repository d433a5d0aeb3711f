"""What the log tells runs, and what starts them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.core.doors.consumers import LoggedEvent
from apps.workflows import hearing_selectors, services
from apps.workflows.services.hearing import ERASED
from apps.workflows.services.starts import ENDS

#: Most events of a busy house concern no run: what comes close together is looked at once, and less than this late.
PATIENCE_SECONDS = 0.2


def heard(events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
    projects, subjects = hearing_selectors.find_waited_for(
        organizations={event.organization_id for event in events if event.organization_id},
        projects={event.project_id for event in events if event.project_id},
        subjects={event.subject_id for event in events if event.subject_id},
    )
    return [
        event
        for event in events
        if event.project_id in projects or event.subject_id in subjects or event.type in ERASED
    ]


def heard_by_starts(events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
    projects = hearing_selectors.find_listening_projects({event.project_id for event in events if event.project_id})
    return [event for event in events if event.project_id in projects or event.type in ENDS]


def hear(event: LoggedEvent) -> None:
    services.hear(actor=SYSTEM, event=event)


def hear_starts(event: LoggedEvent) -> None:
    services.hear_starts(actor=SYSTEM, event=event)


def withdraw_unproved(event: LoggedEvent) -> None:
    """Whoever made the account had only typed its address: nothing goes on in the name of the one who has the mailbox."""
    services.withdraw_unproved(actor=SYSTEM, user_id=UUID(event.payload["user_id"]), proved_at=event.occurred_at)
