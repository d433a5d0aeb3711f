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
        "accounts.sessions_ended",
    }
)
CONCERNED = OF_A_PERSON | {"accounts.api_key_revoked", "accounts.project_changed"}


def tell_rights(event: LoggedEvent) -> None:
    """Hearing it twice only looks twice. A project that is closed to its organization concerns all of it: all are looked at."""
    if event.type == "accounts.project_changed":
        if event.payload.get("access") is None:
            return
        who = None
    else:
        who = UUID(event.payload["user_id" if event.type in OF_A_PERSON else "key_id"])
    transaction.on_commit(lambda: bells.rights_of(who), robust=True)
