"""Who takes which items next. One claimant a lane decides at a time, so that shares and limits are exact; it takes a batch.

The order: what an operator called critical; then the tenant that was served least; within the tenant priority, then the operation
that was served least. It is start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996) with rows for clocks: virtual time
grows by the seconds that inside work takes, and by the number of items where the bottleneck is somebody else's server. A lane's clock
is when the tenant that was served last began to be, in that time (a tenant's, among its operations, likewise): nobody's turn is counted
from before it, so who was idle, or held back by a limit, comes in beside the others. Of two that were served the same, who waited longer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.accounts.types import Actor
from apps.bulk import policies
from apps.bulk.types import Batch, HeldItem, Lane
from apps.core.ids import uuid7
from apps.core.leases import LEASE_SECONDS, scaled

#: An inside batch is what takes about so long: short enough that another tenant's first item does not wait.
BATCH_SECONDS = 0.5
MOST_ITEMS = 200
FIRST_ITEMS = 20
#: With a budget, as long as nothing has cost anything and nobody said that nothing will.
FIRST_PAID_ITEMS = 1
#: Seconds of an item of which nothing is known yet.
GUESSED_SECONDS = 0.01

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('bulk:' || %(lane)s, 7))"

# Room: how many items the operation's own limits allow now. Tokens are those of one second at most, and never fewer than one.
_CHOOSE = """
WITH clock AS (
  SELECT clock_timestamp() AS now, coalesce((SELECT served FROM bulk_laneclock WHERE lane = %(lane)s), 0) AS served),
busy AS (SELECT resource, sum(running) AS running FROM bulk_operation WHERE resource <> '' AND running > 0 GROUP BY resource),
open AS (
  SELECT o.*, o.total - o.pending - o.running AS ended, greatest(s.served, clock.served) AS tenant_begins,
    s.updated_at AS tenant_waits, greatest(o.served, s.clock) AS begins, s.id AS share_id, r.id AS resource_id,
    (o.dry_run #>> '{estimate,cost}')::numeric AS expected,
    CASE WHEN o.rate_per_second IS NOT NULL THEN
      least(greatest(1, o.rate_per_second), o.tokens + o.rate_per_second * extract(epoch FROM now - o.tokens_at)) END AS own_tokens,
    CASE WHEN r.per_second IS NOT NULL THEN
      least(greatest(1, r.per_second), r.tokens + r.per_second * extract(epoch FROM now - r.tokens_at)) END AS shared_tokens,
    r.at_once - coalesce(busy.running, 0) AS shared_room
  FROM bulk_operation o
  JOIN bulk_share s ON s.organization_id = o.organization_id AND s.lane = o.lane
  LEFT JOIN bulk_sharedresource r ON r.name = o.resource AND o.resource <> ''
  LEFT JOIN busy ON busy.resource = o.resource, clock
  WHERE o.status = 'running' AND o.lane = %(lane)s AND o.cursor < o.total AND (o.deadline IS NULL OR o.deadline > now)
    AND (r.rests_until IS NULL OR r.rests_until <= now)
), room AS (
  SELECT open.*, least(
    coalesce(concurrency - running, %(most)s), coalesce(floor(own_tokens), %(most)s),
    coalesce(floor(shared_tokens), %(most)s), coalesce(shared_room, %(most)s), affordable, %(most)s)::int AS room
  FROM open, LATERAL (SELECT CASE
    WHEN budget IS NULL OR (dearest = 0 AND expected = 0) THEN %(most)s
    WHEN dearest = 0 THEN CASE WHEN cost + coalesce(expected / nullif(total, 0), 0) > budget THEN 0 ELSE %(first)s - running END
    ELSE greatest(least(floor((budget - cost) / dearest), 1000000), 0)::int - running END AS affordable) AS money
)
SELECT id, organization_id, project_id, kind, params, undoes_id IS NOT NULL, requested_by_id, key_id, correlation_id, total,
  room, share_id, resource_id, seconds, ended, own_tokens, shared_tokens, tenant_begins, begins, priority > 0
FROM room WHERE room >= 1
ORDER BY priority > 0, tenant_begins, tenant_waits, share_id, priority, begins, served, id LIMIT 1
"""

# Who gives items back lowers the cursor under this lock: read before it, that would be lost.
_HELD = "SELECT cursor FROM bulk_operation WHERE id = %(operation)s AND status = 'running' FOR UPDATE"

_WAITING = """
SELECT id, number, attempts FROM bulk_item
WHERE operation_id = %(operation)s AND number > %(cursor)s AND status = 'pending' AND due_at IS NULL
ORDER BY number LIMIT %(count)s FOR UPDATE SKIP LOCKED
"""

_TAKE = """
UPDATE bulk_item SET status = 'running', attempts = attempts + 1, fence = fence + 1, started_at = clock_timestamp(),
  lease_until = clock_timestamp() + %(lease)s
WHERE id = ANY(%(items)s)
RETURNING id, number, payload, subject_id, attempts, fence, put_off
"""

_COUNT = """
WITH share AS (
  UPDATE bulk_share SET served = %(tenant_begins)s + %(charge)s, clock = greatest(clock, %(begins)s), updated_at = clock_timestamp()
  WHERE id = %(share)s),
lane AS (
  INSERT INTO bulk_laneclock (id, lane, served, updated_at)
  SELECT %(new_id)s, %(lane)s, %(tenant_begins)s, clock_timestamp() WHERE %(moves_clock)s
  ON CONFLICT (lane) DO UPDATE SET served = greatest(bulk_laneclock.served, excluded.served), updated_at = excluded.updated_at),
shared AS (
  UPDATE bulk_sharedresource SET tokens = %(shared_tokens)s::float8 - %(count)s, tokens_at = clock_timestamp()
  WHERE id = %(resource)s::uuid AND per_second IS NOT NULL)
UPDATE bulk_operation SET pending = pending - %(count)s, running = running + %(count)s, cursor = %(cursor)s,
  served = %(begins)s + %(charge)s, updated_at = clock_timestamp(),
  tokens = coalesce(%(own_tokens)s::float8 - %(count)s, tokens),
  tokens_at = CASE WHEN %(own_tokens)s::float8 IS NULL THEN tokens_at ELSE clock_timestamp() END
WHERE id = %(operation)s
"""


def claim_batch(*, actor: Actor, lane: str, at_most: int = MOST_ITEMS) -> Batch | None:
    """The items that are next, held under a new fence for fifteen seconds. None: nothing may be taken now.

    An item whose worker died before comes alone: whatever killed it takes no others with it.
    """
    policies.require(policies.is_system(actor))
    while True:
        found, batch = _claim(lane, at_most)
        if batch is not None or not found:
            return batch


@transaction.atomic
def _claim(lane: str, at_most: int) -> tuple[bool, Batch | None]:
    """Whether an operation was found, and what of it: one whose rest waits for a later time is passed by the second time."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"lane": lane})
        cursor.execute(_CHOOSE, {"lane": lane, "most": at_most, "first": FIRST_PAID_ITEMS})
        row: Any = cursor.fetchone()
        if row is None:
            return False, None
        (
            operation_id,
            organization_id,
            project_id,
            kind,
            params,
            is_undo,
            user_id,
            key_id,
            correlation_id,
            total,
            room,
            share,
            resource,
            seconds,
            ended,
            own_tokens,
            shared_tokens,
            tenant_begins,
            begins,
            moves_clock,
        ) = row
        cursor.execute(_HELD, {"operation": operation_id})
        if (held := cursor.fetchone()) is None:
            return True, None  # paused or stopped a moment ago: the next look passes it by
        after = held[0]
        each = seconds / ended if ended else GUESSED_SECONDS
        count = room
        if lane == Lane.INSIDE:
            wanted = int(BATCH_SECONDS / max(each, 1e-4)) if ended else FIRST_ITEMS
            count = max(1, min(room, wanted))
        cursor.execute(_WAITING, {"operation": operation_id, "cursor": after, "count": count})
        waiting = _alone(cursor.fetchall())
        taken = []
        if waiting:
            cursor.execute(
                _TAKE, {"items": [row[0] for row in waiting], "lease": timedelta(seconds=scaled(LEASE_SECONDS))}
            )
            taken = sorted(cursor.fetchall(), key=lambda row: row[1])
        cursor.execute(
            _COUNT,
            {
                "operation": operation_id,
                "count": len(taken),
                "cursor": taken[-1][1] if taken else total,
                "charge": len(taken) * (max(each, 1e-4) if lane == Lane.INSIDE else 1.0),
                "share": share,
                "tenant_begins": tenant_begins,
                "begins": begins,
                # What stands before the others makes nobody's turn come later.
                "moves_clock": moves_clock and bool(taken),
                "lane": lane,
                "new_id": uuid7(),
                "resource": resource,
                "own_tokens": own_tokens,
                "shared_tokens": shared_tokens,
            },
        )
    if not taken:
        return True, None
    items = tuple(
        HeldItem(pk, number, _plain(payload), subject, attempts, fence, put_off)
        for pk, number, payload, subject, attempts, fence, put_off in taken
    )
    return True, Batch(
        operation_id,
        organization_id,
        project_id,
        kind,
        _plain(params),
        is_undo,
        user_id,
        key_id,
        correlation_id,
        items,
    )


def _plain(value: Any) -> Any:
    """Django's connections give JSON as text."""
    return json.loads(value) if isinstance(value, str) else value


def _alone(waiting: list[tuple[UUID, int, int]]) -> list[tuple[UUID, int, int]]:
    for place, (_pk, _number, attempts) in enumerate(waiting):
        if attempts:
            return waiting[: max(1, place)]
    return waiting


def renew_items(*, actor: Actor, items: Sequence[tuple[UUID, int]]) -> set[UUID]:
    """Hold on to items (id and fence). Those that are not in the answer are somebody else's by now."""
    policies.require(policies.is_system(actor))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE bulk_item AS item SET lease_until = clock_timestamp() + %(lease)s
            FROM unnest(%(ids)s::uuid[], %(fences)s::int[]) AS held(id, fence)
            WHERE item.id = held.id AND item.fence = held.fence AND item.status = 'running'
            RETURNING item.id
            """,
            {
                "lease": timedelta(seconds=scaled(LEASE_SECONDS)),
                "ids": [pk for pk, _fence in items],
                "fences": [fence for _pk, fence in items],
            },
        )
        return {row[0] for row in cursor.fetchall()}
