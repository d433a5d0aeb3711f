"""Rights that changed in accounts: whoever follows something with them is looked at at once, in every web process."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.core.doors.consumers import LoggedEvent
from apps.live import bells

#: What takes something away from one person. Their id is in the payload.
OF_A_PERSON = frozenset(
    {
        "accounts.activity_changed",
        "accounts.member_removed",
        "accounts.member_role_changed",
        "accounts.project_member_removed",
        "accounts.project_member_set",
        "accounts.service_account_disabled",
        "accounts.sessions_ended",
        "accounts.team_member_removed",
    }
)
#: What takes something away from a whole team. Who is in it may have changed since: all are looked at.
OF_A_TEAM = frozenset({"accounts.project_team_removed", "accounts.project_team_set", "accounts.team_deleted"})
OF_A_KEY = frozenset({"accounts.api_key_changed", "accounts.api_key_renewed", "accounts.api_key_revoked"})
CONCERNED = OF_A_PERSON | OF_A_TEAM | OF_A_KEY | {"accounts.denial_made", "accounts.project_changed"}


def tell_rights(event: LoggedEvent) -> None:
    """Hearing it twice only looks twice. A project that is closed to its organization concerns all of it: all are looked at."""
    if event.type == "accounts.project_changed":
        if event.payload.get("access") is None:
            return
        who = None
    elif event.type in OF_A_TEAM:
        who = None
    elif event.type == "accounts.denial_made":
        who = UUID(event.payload["user_id"]) if event.payload["user_id"] else None
    else:
        who = UUID(event.payload["user_id" if event.type in OF_A_PERSON else "key_id"])
    transaction.on_commit(lambda: bells.rights_of(who), robust=True)


def ring_topic(event: LoggedEvent) -> None:
    """For apps beside this one, which cannot ring themselves. A bell more than needed only lets followers look."""
    transaction.on_commit(lambda: bells.ring(event.topic), robust=True)
