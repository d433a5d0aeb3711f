"""In which order waiting turns start: by priority, then one of each person in turn, then by age. Decided by rows alone.

Who has four answers running and asks for a fifth stands behind everybody whose first or second it would be, however long
their list is (fair queueing by rounds: J. Nagle, RFC 970, 1985). Turns that could not start now are left out: they wait for
an answer above them, or their person or organization has no free place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from apps.conversations.models import Turn
from apps.conversations.types import MAX_RUNNING_A_PERSON, MAX_RUNNING_AN_ORGANIZATION, TurnStatus
from apps.core.db import prepared

# ``round``: which of the person's answers at the same time it would be. ``place``: its place in the organization.
_ORDERED = """
WITH running AS (SELECT organization_id, requested_by_id FROM conversations_turn WHERE status = 'running'),
of_person AS (SELECT requested_by_id, count(*) AS number FROM running GROUP BY 1),
of_organization AS (SELECT organization_id, count(*) AS number FROM running GROUP BY 1),
waiting AS (
  SELECT turn.id, turn.organization_id, turn.requested_by_id, turn.priority, turn.created_at,
    coalesce(of_person.number, 0)
      + row_number() OVER (PARTITION BY turn.requested_by_id ORDER BY turn.priority, turn.created_at, turn.id) AS round
  FROM conversations_turn AS turn LEFT JOIN of_person USING (requested_by_id)
  WHERE turn.status = 'queued' {which}
),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY organization_id ORDER BY priority, round, created_at, id) AS place
  FROM waiting {startable}
)
"""

_THAT_CAN_START = """
    AND (%(age)s::interval = '0' OR turn.updated_at <= now() - %(age)s::interval)
    AND (%(organization)s::uuid IS NULL OR turn.organization_id = %(organization)s)
    AND NOT EXISTS (
      SELECT FROM conversations_turn AS above
      WHERE above.id = turn.after_turn_id AND above.status IN ('queued', 'running', 'waiting'))"""

_FIRST = """
SELECT id FROM placed LEFT JOIN of_organization USING (organization_id)
WHERE place + coalesce(of_organization.number, 0) <= %(places)s
ORDER BY priority, place, created_at LIMIT %(limit)s
"""

_STARTABLE = (
    _ORDERED.format(which=_THAT_CAN_START, startable="WHERE requested_by_id IS NULL OR round <= %(person)s") + _FIRST
)

_AHEAD = "SELECT id, place - 1 FROM placed WHERE id = ANY(%(turns)s)"
_PLACES = _ORDERED.format(which="AND turn.organization_id = ANY(%(organizations)s)", startable="") + _AHEAD


def list_startable(
    *, older_than: timedelta = timedelta(0), organization_id: UUID | None = None, limit: int = 200
) -> list[UUID]:
    """Who may start now, first come first, at most as many as there are free places in each organization."""
    values = {
        "age": older_than,
        "organization": organization_id,
        "person": MAX_RUNNING_A_PERSON,
        "places": MAX_RUNNING_AN_ORGANIZATION,
        "limit": limit,
    }
    with prepared() as cursor:
        cursor.execute(_STARTABLE, values)  # type: ignore[arg-type]  # psycopg adapts them
        return [pk for (pk,) in cursor.fetchall()]


def places_of(turns: Sequence[Turn]) -> dict[UUID, int]:
    """Turn → how many of its organization wait before it, for the queued ones. No query when none is queued."""
    queued = [turn for turn in turns if turn.status == TurnStatus.QUEUED]
    if not queued:
        return {}
    organizations = list({turn.organization_id for turn in queued})
    with prepared() as cursor:
        cursor.execute(_PLACES, {"organizations": organizations, "turns": [turn.pk for turn in queued]})  # type: ignore[dict-item]
        return dict(cursor.fetchall())
