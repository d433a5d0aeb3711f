"""Work that one process at a time may do, judged by the database's clock.

A claim raises ``fence``; every later write of the claimant says ``WHERE fence = …``, so one that was thought dead and
comes back changes nothing (M. Kleppmann, "How to do distributed locking", 2016). Rows are ``LeasedModel``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0


def scaled(seconds: float) -> float:
    """Every wait of the platform passes here: drills in short form run the same code in a twentieth of the time."""
    return seconds * settings.PARLANCE_TIME_SCALE


def until(seconds: float = LEASE_SECONDS) -> Any:
    """The database's now plus ``seconds`` (scaled), as an expression."""
    return Now() + timedelta(seconds=scaled(seconds))


def is_free() -> Q:
    """Rows that nobody holds: never claimed, given back, or lapsed."""
    return Q(lease_until=None) | Q(lease_until__lte=Now())


def lapsed(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """Rows whose holder has not renewed in time: what a reaper looks at."""
    return rows.filter(lease_until__lte=Now())


def claim(rows: models.QuerySet[Any], pk: UUID, *, seconds: float = LEASE_SECONDS, **changes: Any) -> int | None:
    """Take the row if it is among ``rows`` and free; returns the new fence, or None when another holds it.

    One compare-and-set statement: of twenty claimants one gets a fence. ``changes`` go in with it (``status=…``).
    """
    with transaction.atomic():
        taken = rows.filter(is_free(), pk=pk).update(
            lease_until=until(seconds), fence=F("fence") + 1, attempts=F("attempts") + 1, **changes
        )
        if not taken:
            return None
        # The update's row lock is ours until commit: nobody raises the fence in between.
        return rows.model._base_manager.values_list("fence", flat=True).get(pk=pk)  # noqa: SLF001


def renew(rows: models.QuerySet[Any], pk: UUID, fence: int, *, seconds: float = LEASE_SECONDS) -> bool:
    """Hold on. False: another has claimed since, or the row left ``rows``; the caller stops working."""
    return bool(rows.filter(pk=pk, fence=fence, lease_until__isnull=False).update(lease_until=until(seconds)))


def change(rows: models.QuerySet[Any], pk: UUID, fence: int, **changes: Any) -> bool:
    """Write as the holder. False when the fence is not ours any more; nothing was written then."""
    return bool(rows.filter(pk=pk, fence=fence).update(**changes))


def release(rows: models.QuerySet[Any], pk: UUID, fence: int, **changes: Any) -> bool:
    """Give the row back, with a last change (``status=…``)."""
    return change(rows, pk, fence, lease_until=None, **changes)
