"""How an organization is erased: closed, then piece after piece, then the rest with the receipt.

Killed at any place it goes on where it stood: what is left says where that is. Two who do it at once take turns.
"""

from __future__ import annotations

import time
from uuid import UUID

from apps.accounts.services import erasure
from apps.accounts.services.erasure import Receipt
from apps.accounts.types import SYSTEM, Actor
from apps.core.errors import NotFound, Unavailable
from apps.core.leases import scaled

FIRST_PIECE, SMALLEST_PIECE, LARGEST_PIECE = 1_000, 200, 50_000
#: A piece takes about so long, so that whoever writes there meanwhile waits and is not refused.
PIECE_SECONDS = 0.5
#: Somebody else holds the organization for a piece, not for longer.
PATIENCE_SECONDS, PAUSE_SECONDS = 20.0, 0.2


def erase_organization(*, actor: Actor, organization_id: UUID) -> Receipt:
    """All of it, before this returns. Raises ``NotFound`` also when somebody else who erases it was done first."""
    erasure.close_organization(actor=actor, organization_id=organization_id, in_background=False)
    return _patiently(organization_id)


def go_on(organization_id: UUID) -> None:
    """With one that is closed. Of one that is gone there is nothing to do."""
    try:
        _patiently(organization_id)
    except NotFound:
        return


def _patiently(organization_id: UUID) -> Receipt:
    limit, waits_until = FIRST_PIECE, None
    while True:
        began = time.monotonic()
        try:
            if not erasure.erase_piece(actor=SYSTEM, organization_id=organization_id, limit=limit):
                return erasure.end_organization(actor=SYSTEM, organization_id=organization_id)
        except Unavailable:
            waits_until = waits_until or began + scaled(PATIENCE_SECONDS)
            if began > waits_until:
                raise
            time.sleep(scaled(PAUSE_SECONDS))
            continue
        waits_until = None
        took = time.monotonic() - began
        if took > 2 * PIECE_SECONDS:
            limit = max(limit // 2, SMALLEST_PIECE)
        elif took < PIECE_SECONDS / 2:
            limit = min(limit * 2, LARGEST_PIECE)
