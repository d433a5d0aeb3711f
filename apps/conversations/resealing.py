"""Sealed words of messages anew, for ``manage.py rotate_keys``."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from apps.conversations.models import Message
from apps.conversations.models.words import is_sealed_with, laid_down, opened


def count_old(key: str) -> int:
    return _old(key).count()


@transaction.atomic
def reseal(key: str, limit: int) -> int:
    rows = list(_old(key).only("id", "sealed").select_for_update(skip_locked=True, no_key=True).order_by("pk")[:limit])
    for row in rows:
        row.sealed = laid_down(row.pk, opened(row.pk, row.sealed), is_sensitive=True).sealed
    Message.objects.bulk_update(rows, ["sealed"])
    return len(rows)


def _old(key: str) -> QuerySet[Message]:
    return Message.objects.filter(is_sensitive=True, sealed__gt="").exclude(sealed__startswith=is_sealed_with(key))
