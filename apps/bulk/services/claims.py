"""Who takes which items next. One claimant a lane decides at a time, so that shares and limits are exact; it takes a batch.

The order: what an operator called critical; then the tenant that was served least; within the tenant priority, then the operation
that was served least. It is start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996) with rows for clocks: virtual time
grows by the seconds that inside work takes, and by the number of items where the bottleneck is somebody else's server.
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
from apps.core.leases import LEASE_SECONDS, scaled

#: An inside batch is what takes about so long: short enough that another tenant's first item does not wait.
BATCH_SECONDS = 0.5
MOST_ITEMS = 200
FIRST_ITEMS = 20
#: With a budget, and nothing known yet of what an item costs.
FIRST_PAID_ITEMS = 1
#: Seconds of an item of which nothing is known yet.
GUESSED_SECONDS = 0.01

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('bulk:' || %(lane)s, 7))"

# Room: how many items the operation's own limits allow now. Tokens are those of one second at most, and never fewer than one.
_CHOOSE = """
WITH clock AS (SELECT clock_timestamp() AS now),
busy AS (SELECT resource, sum(running) AS running FROM bulk_operation WHERE resource <> '' AND running > 0 GROUP BY resource),
open AS (
  SELECT o.*, o.total - o.pending - o.running AS ended, s.served AS tenant_served, s.id AS share_id, r.id AS resource_id,
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
), room AS (
  SELECT open.*, least(
    coalesce(concurrency - running, %(most)s), coalesce(floor(own_tokens), %(most)s),
    coalesce(floor(shared_tokens), %(most)s), coalesce(shared_room, %(most)s), affordable, %(most)s)::int AS room
  FROM open, LATERAL (SELECT CASE
    WHEN budget IS NULL THEN %(most)s
    WHEN ended = 0 THEN %(first)s - running
    WHEN cost = 0 THEN %(most)s
    ELSE least(floor((budget - cost) * ended / cost), 1000000)::int - running END AS affordable) AS money
)
SELECT id, organization_id, project_id, kind, params, undoes_id IS NOT NULL, requested_by_id, key_id, correlation_id, cursor, total,
  room, share_id, resource_id, seconds, ended, own_tokens, shared_tokens
FROM room WHERE room >= 1
ORDER BY priority > 0, tenant_served, priority, served, id LIMIT 1
"""

_WAITING = """
SELECT id, number, attempts FROM bulk_item
WHERE operation_id = %(operation)s AND number > %(cursor)s AND status = 'pending' AND due_at IS NULL
ORDER BY number LIMIT %(count)s FOR UPDATE SKIP LOCKED
"""

_TAKE = """
UPDATE bulk_item SET status = 'running', attempts = attempts + 1, fence = fence + 1, started_at = clock_timestamp(),
  lease_until = clock_timestamp() + %(lease)s
WHERE id = ANY(%(items)s)
RETURNING id, number, payload, subject_id, attempts, fence
"""

_COUNT = """
WITH share AS (UPDATE bulk_share SET served = served + %(charge)s WHERE id = %(share)s),
shared AS (
  UPDATE bulk_sharedresource SET tokens = %(shared_tokens)s::float8 - %(count)s, tokens_at = clock_timestamp()
  WHERE id = %(resource)s::uuid AND per_second IS NOT NULL)
UPDATE bulk_operation SET pending = pending - %(count)s, running = running + %(count)s, cursor = %(cursor)s,
  served = served + %(charge)s, updated_at = clock_timestamp(),
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
            after,
            total,
            room,
            share,
            resource,
            seconds,
            ended,
            own_tokens,
            shared_tokens,
        ) = row
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
                "resource": resource,
                "own_tokens": own_tokens,
                "shared_tokens": shared_tokens,
            },
        )
    if not taken:
        return True, None
    items = tuple(
        HeldItem(pk, number, _plain(payload), subject, attempts, fence)
        for pk, number, payload, subject, attempts, fence in taken
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
