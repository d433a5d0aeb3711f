"""Which refusals are kept: what somebody tried and may not. Ordinary mistakes and things not found are not."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from apps.accounts.addresses import client_address
from apps.accounts.models import ApiKey, Denial, Invitation, OrganizationMember, Project, ServiceAccount, Team
from apps.accounts.types import NOBODY, Actor
from apps.core.errors import DomainError
from apps.core.events import emit_refusal

logger = logging.getLogger(__name__)

FORBIDDEN = 403
# Refused with another status than 403, and still an attempt at something that is not theirs.
KEPT_CODES = frozenset({"invitation_not_valid", "link_not_valid", "reset_not_valid"})
GUARDED = (
    "/api/v1/me/",
    "/api/v1/members/",
    "/api/v1/organizations/",
    "/api/v1/projects/",
    "/api/v1/api-keys/",
    "/api/v1/teams/",
    "/api/v1/denials/",
    "/api/v1/service-accounts/",
)

# Each is two rows, one of them under the lock of the audit chain: beyond these a minute the log of the process counts.
KEPT_A_MINUTE = 60
MOST_COUNTED = 10_000
_counts: dict[tuple[Any, ...], int] = {}
_counts_lock = threading.Lock()
_counted_minute = 0


def note_refusal(request: Any, error: DomainError) -> None:
    """Registered with ``core.api.on_refusal``. A log that cannot be written does not change the answer."""
    if not _is_kept(request, error):
        return
    actor = getattr(request, "actor", None) or NOBODY
    match = getattr(request, "resolver_match", None)
    action = f"{request.method} {match.route if match else request.path[:60]}"
    who = actor.key_id or actor.user_id or client_address(request)
    if not _has_room((who, error.code, action)):
        return
    ids = {name: value for name, value in (match.kwargs if match else {}).items() if isinstance(value, UUID)}
    try:
        emit_refusal(
            code=error.code,
            action=action,
            actor=actor,
            organization_id=_organization(actor, ids),
            subject_id=next(iter(ids.values()), None),
        )
    except (DatabaseError, InterfaceError):
        logger.warning("refusal_not_recorded", extra={"code": error.code})


def _has_room(place: tuple[Any, ...]) -> bool:
    """Counted in this process, for each caller, code and door."""
    global _counted_minute  # noqa: PLW0603  (one number for the process)
    minute = int(time.monotonic() // 60)
    with _counts_lock:
        if minute != _counted_minute or len(_counts) >= MOST_COUNTED:
            _counts.clear()
            _counted_minute = minute
        count = _counts[place] = _counts.get(place, 0) + 1
    if count == KEPT_A_MINUTE + 1:
        logger.warning("refusals_not_recorded", extra={"code": place[1], "action": place[2], "actor": str(place[0])})
    return count <= KEPT_A_MINUTE


def _is_kept(request: Any, error: DomainError) -> bool:
    if error.status == FORBIDDEN or error.code in KEPT_CODES:
        return True
    return request.path.startswith(GUARDED) and any(found.code == "unknown_field" for found in error.fields)


def _organization(actor: Actor, ids: dict[str, UUID]) -> UUID | None:
    """Whose log it belongs in: where the key is from, where the object is, or the only one the person is in."""
    if actor.organization_id is not None:
        return actor.organization_id
    owners: dict[str, Any] = {
        "project_id": Project,
        "member_id": OrganizationMember,
        "invitation_id": Invitation,
        "key_id": ApiKey,
        "team_id": Team,
        "denial_id": Denial,
        "service_account_id": ServiceAccount,
    }
    theirs = list(
        OrganizationMember.objects.filter(user=actor.user_id).values_list("organization_id", flat=True)[:100]
        if actor.user_id
        else ()
    )
    found = ids.get("organization_id")
    for name, model in owners.items():
        if found is None and name in ids:
            found = model.objects.filter(pk=ids[name]).values_list("organization_id", flat=True).first()
    if found in theirs:
        return found
    return theirs[0] if len(theirs) == 1 else None
