"""What core keeps about people and places, told and forgotten: settings, kept answers, mail. Callers decide who may ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from apps.core.models import IdempotencyKey, MailMessage, StoredSetting


def forget_person(*, user_id: UUID, callers: Sequence[str], addresses: Sequence[str]) -> int:
    """How many rows. Inside the caller's transaction."""
    count = StoredSetting.objects.filter(level=StoredSetting.Level.USER, target_id=user_id).delete()[0]
    count += StoredSetting.objects.filter(changed_by_id=user_id).update(changed_by_id=None)
    for address in addresses:
        count += MailMessage.objects.filter(recipient__iexact=address).delete()[0]
    return count + IdempotencyKey.objects.filter(caller__in=callers).delete()[0]


def forget_places(*, targets: Sequence[UUID], callers: Sequence[str]) -> int:
    """``targets``: an organization and its projects."""
    count = StoredSetting.objects.filter(target_id__in=targets).delete()[0]
    return count + IdempotencyKey.objects.filter(caller__in=callers).delete()[0]


def list_person(*, user_id: UUID, addresses: Sequence[str]) -> dict[str, list[Mapping[str, object]]]:
    """What a person chose, and the mails to them that are still here; their text may hold links, so that stays."""
    settings = StoredSetting.objects.filter(level=StoredSetting.Level.USER, target_id=user_id)
    mails = MailMessage.objects.filter(recipient__in=addresses)
    return {
        "settings": list(settings.order_by("key").values("key", "value", "changed_at")),
        "mails": list(mails.order_by("pk").values("recipient", "subject", "created_at", "sent_at")),
    }
