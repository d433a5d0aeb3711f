"""What ended badly waits anew: at once where it is little, else a piece at a time by a job, so that nobody's request lasts for a million."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.bulk import policies
from apps.bulk.models import Operation
from apps.bulk.services import planning
from apps.bulk.services.ends import count
from apps.bulk.services.finishing import finish_when_done, hint_work

_PUT_BACK = """
WITH again AS (
  UPDATE bulk_item AS item SET status = 'pending', attempts = 0, put_off = 0, error_code = '', error_detail = '', finished_at = NULL, due_at = NULL
  FROM (
    SELECT id, status, error_code FROM bulk_item WHERE operation_id = %(operation)s AND number > %(after)s AND number <= %(to)s
      AND status = ANY(%(statuses)s) AND finished_at <= %(at)s FOR UPDATE
  ) AS was
  WHERE item.id = was.id
  RETURNING item.number, was.status, was.error_code)
SELECT status, error_code, count(*), min(number) FROM again GROUP BY status, error_code
"""


@transaction.atomic
def retry_some(*, actor: Actor, operation_id: UUID) -> bool:
    """The next piece of what is tried again; whether there is more."""
    policies.require(policies.is_system(actor))
    operation = Operation.objects.select_for_update().filter(pk=operation_id).exclude(retry_at=None).first()
    if operation is None:
        return False
    put_back(operation, actor)
    hint_work(operation.lane)
    return operation.retry_at is not None


def put_back(operation: Operation, actor: Actor) -> None:
    """A piece of a locked operation, whose counters are those of the row. Afterwards it may be done: all of them were closed meanwhile."""
    to, ended = operation.retry_after + planning.COPIED_AT_ONCE, operation.ended
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT_BACK,
            {
                "operation": operation.pk,
                "after": operation.retry_after,
                "to": to,
                "at": operation.retry_at,
                "statuses": ["failed", "expired", *(["cancelled"] if operation.retry_cancelled else [])],
            },
        )
        for status, code, number, first in cursor.fetchall():
            causes = {code: -number} if status == "failed" else {}
            count(operation, {"pending": number}, taken_from=status, cursor=first - 1, causes=causes)
    operation.retry_after = to
    if to >= operation.total:
        operation.retry_at = None
    Operation.objects.filter(pk=operation.pk).update(
        retry_at=operation.retry_at,
        retry_after=operation.retry_after,
        pace_ended=F("pace_ended") + operation.ended - ended,
        updated_at=Now(),
    )
    if operation.retry_at is None:
        finish_when_done(operation, actor)
