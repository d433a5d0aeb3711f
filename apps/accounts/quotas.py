"""How many answers of models a person may ask for in an organization: so many an hour, so many a day.

Both are token buckets of the limiter: as many at once as the number says, and as many come back in an hour or a day. They do not give
way under load, and they are closed without Redis: then, and when Redis has forgotten, rows are counted under a lock for the person,
and what was asked for within the hour or the day counts in full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.types import Actor, AnswerQuotaReached
from apps.core import limits, preferences
from apps.core.doors.answers import asked_answers
from apps.core.doors.settings import Level, Setting
from apps.core.errors import LimitReached, Unavailable
from apps.core.types import Priority

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('answers:' || %s, 11))"


@dataclass(frozen=True, slots=True)
class Quota:
    name: str
    window: timedelta
    setting: Setting

    def most(self, organization_id: UUID) -> int:
        return preferences.get(self.setting.key, organization=organization_id)


@dataclass(frozen=True, slots=True)
class Remainder:
    """``next_seconds``: when there is one more than now."""

    quota: Quota
    most: int
    remaining: int
    next_seconds: int


def _quota(name: str, window: timedelta, default: int, title: Promise) -> Quota:
    setting = Setting(
        f"accounts.{name}",
        int,
        default,
        title,
        levels=(Level.PLATFORM, Level.ORGANIZATION),
        minimum=1,
        maximum=1_000_000,
        environment=f"PARLANCE_{name.upper()}",
    )
    return Quota(name, window, setting)


HOUR = _quota(
    "answers_an_hour", timedelta(hours=1), 100, gettext_lazy("Answers of models that a person may ask for in an hour")
)
DAY = _quota(
    "answers_a_day", timedelta(days=1), 1000, gettext_lazy("Answers of models that a person may ask for in a day")
)
QUOTAS = (HOUR, DAY)


def register() -> None:
    for quota in QUOTAS:
        preferences.register(quota.setting)


def take_answer(*, actor: Actor, organization_id: UUID) -> None:
    """One answer of a model, before it is asked for. Raises ``AnswerQuotaReached``, or ``LimitReached`` for the organization's bucket.

    Without Redis it needs the caller's transaction, whose end gives the lock back; outside of one it raises ``Unavailable``.
    """
    if not limits.are_on() or actor.user_id is None:
        return
    buckets = {_bucket(quota, actor.user_id, organization_id): quota for quota in QUOTAS}
    together = [*buckets]
    shared = limits.limit_from_setting("organization")
    if shared is not None and actor.key_id is None:  # a call with a key took from it at the door
        together.append(limits.Bucket("organization", organization_id, shared))
    try:
        left = limits.take_from(together, priority=_priority(actor), without_redis="closed")
    except Unavailable:
        if not connection.in_atomic_block:
            raise
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [str(actor.user_id)])
        _require_rows_left(actor.user_id, organization_id)
    except LimitReached as refusal:
        quota = next((each for bucket, each in buckets.items() if bucket.name == refusal.extra["limit"]), None)
        if quota is None:
            raise
        raise _reached(quota, quota.most(organization_id), refusal.retry_after_seconds) from None
    else:
        if left.is_new:
            _make_up(list(buckets), actor.user_id, organization_id)


def _priority(actor: Actor) -> Priority:
    return Priority.LOW if actor.key_id else Priority.NORMAL


def _bucket(quota: Quota, user_id: UUID, organization_id: UUID) -> limits.Bucket:
    """Another number is another bucket, for both quotas: it holds at once, and rows say what was asked for by then."""
    most = quota.most(organization_id)
    limit = limits.Limit(most / quota.window.total_seconds(), most)
    numbers = ":".join(str(each.most(organization_id)) for each in QUOTAS)
    return limits.Bucket(quota.name, f"{organization_id}:{user_id}:{numbers}", limit, gives_way=False)


def _counted(quota: Quota, user_id: UUID, organization_id: UUID) -> int:
    return sum(each.count(user_id, organization_id, quota.window) for each in asked_answers)


def _require_rows_left(user_id: UUID, organization_id: UUID) -> None:
    for quota in QUOTAS:
        most = quota.most(organization_id)
        if _counted(quota, user_id, organization_id) >= most:
            raise _reached(quota, most, math.ceil(quota.window.total_seconds() / most))


def _make_up(buckets: list[limits.Bucket], user_id: UUID, organization_id: UUID) -> None:
    """All buckets were made just now: the first answer of a day, or Redis has forgotten. Then what rows say is taken out as well."""
    for bucket, quota in zip(buckets, QUOTAS, strict=True):
        asked = _counted(quota, user_id, organization_id)
        if asked >= bucket.limit.burst:
            limits.take_up_to(bucket, asked)
            raise _reached(quota, int(bucket.limit.burst), math.ceil(1 / bucket.limit.rate))
        if asked:
            limits.take_up_to(bucket, asked)


def _reached(quota: Quota, most: int, retry_after_seconds: int) -> AnswerQuotaReached:
    sentence = (
        _(
            "You have asked for %(most)d answers within an hour, which is what your organization allows. Try again later."
        )
        if quota is HOUR
        else _(
            "You have asked for %(most)d answers within a day, which is what your organization allows. Try again later."
        )
    )
    return AnswerQuotaReached(
        sentence % {"most": most}, retry_after_seconds=retry_after_seconds, limit=quota.name, most=most
    )


def list_remainders(*, viewer: Actor, organization_id: UUID) -> list[Remainder]:
    """What the viewer has left; from rows where Redis cannot say it. With limits off everything is left."""
    assert viewer.user_id is not None
    found = []
    for quota in QUOTAS:
        bucket = _bucket(quota, viewer.user_id, organization_id)
        most = int(bucket.limit.burst)
        left = limits.look_at(bucket) if limits.are_on() else limits.Left(most, most, 0)
        remaining = left.remaining
        if limits.are_on() and (not left.is_known or left.is_new):
            remaining = max(0, most - _counted(quota, viewer.user_id, organization_id))
        found.append(Remainder(quota, most, remaining, math.ceil(1 / bucket.limit.rate) if remaining < most else 0))
    return found
