"""Bulk kinds for tests: items that write one row each, fail, wait, take long, or kill their worker, as the parameters say."""

import asyncio
import os
import signal
import time
from decimal import Decimal

from django.db import OperationalError

from apps.core.doors.bulk_kinds import BulkKind, Done, Estimate, PlannedItem, Preview, Resource, TryLater
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.ids import uuid7

_MET = set()  # what lost the database once


def check(scope):
    count = scope.params.get("count")
    if not isinstance(count, int) or count < 0:
        raise Invalid(fields=[FieldError("params.count", "invalid", "A number of items.")])
    return scope.params


def plan(scope):
    if scope.params.get("refuses"):
        raise NotFound
    if scope.params.get("breaks"):
        message = "the kind has a fault"
        raise RuntimeError(message)
    for number in range(1, scope.params["count"] + 1):
        yield PlannedItem({"number": number}, subject_id=uuid7() if scope.params.get("subjects") else None)


def made(write):
    def apply(work, found):
        params, number = work.scope.params, work.payload["number"]
        if number == params.get("poison") and work.attempt <= params.get("poison_attempts", 99):
            os.kill(os.getpid(), signal.SIGKILL)
        if params.get("seconds") and found is None:
            time.sleep(params["seconds"])
        write(work)
        if params.get("fail_every") and number % params["fail_every"] == 0:
            raise NotFound  # after the write: its savepoint takes the row away
        if number == params.get("bug"):
            return {}["missing"]
        if params.get("later") == number and work.attempt <= params.get("later_times", 1):
            raise TryLater(params.get("later_seconds", 60))
        if params.get("skip_every") and number % params["skip_every"] == 0:
            return Done(skipped="there already")
        return Done({"number": number, "found": found}, cost=Decimal(params.get("cost", "0")))

    return apply


async def call(work):
    await asyncio.sleep(work.scope.params.get("seconds", 0))
    if work.payload["number"] == work.scope.params.get("call_fails"):
        raise NotFound
    if work.payload["number"] == work.scope.params.get("loses_database") and work.effect_key not in _MET:
        _MET.add(work.effect_key)
        message = "server closed the connection unexpectedly"
        raise OperationalError(message)
    return f"answer to {work.effect_key}"


def resource(scope):
    name = scope.params.get("resource")
    return Resource(name, scope.params.get("at_once"), scope.params.get("per_second")) if name else None


def estimate(scope, total):
    return Estimate(cost=total * Decimal(scope.params.get("cost", "0")), currency="EUR", basis="The price of a note.")


def sample_kinds(write, remove, *, prefix):
    inside = BulkKind(
        f"{prefix}.notes",
        "Notes",
        plan,
        made(write),
        check=check,
        undo=remove,
        estimate=estimate,
        preview=lambda scope, item: Preview({"text": f"note {item.payload['number']}"}),
        resource=resource,
    )
    outside = BulkKind(f"{prefix}.calls", "Calls", plan, made(write), check=check, call=call, resource=resource)
    nothing = BulkKind(f"{prefix}.nothing", "Nothing", plan, lambda work, found: Done(), check=check)
    alone = BulkKind(f"{prefix}.alone", "Alone", plan, lambda work, found: Done(), check=check, is_exclusive=True)
    return [inside, outside, nothing, alone]
