"""What apps that were taken out left in core's tables. Their own tables go by ``migrate <app> zero`` before."""

from __future__ import annotations

from django.core.management import call_command
from django.db import transaction

from apps.core import maintenance
from apps.core.doors.consumers import consumers
from apps.core.doors.settings import settings_door
from apps.core.models import ConsumerCursor, EventDelivery, StoredSetting


def find_leftovers() -> dict[str, list[str]]:
    """Consumers and settings that nobody registers any more."""
    names = set(consumers.names())
    cursors = ConsumerCursor.objects.exclude(consumer__in=names).values_list("consumer", flat=True)
    keys = StoredSetting.objects.exclude(key__in=settings_door.names()).values_list("key", flat=True)
    return {"consumers": sorted(cursors), "settings": sorted(set(keys))}


def forget_leftovers() -> dict[str, list[str]]:
    """Remove them, and the content types of models that are gone. An app that comes back starts anew."""
    found = find_leftovers()
    with transaction.atomic():
        ConsumerCursor.objects.filter(consumer__in=found["consumers"]).delete()
        EventDelivery.objects.exclude(consumer__in=consumers.names()).delete()
        StoredSetting.objects.filter(key__in=found["settings"]).delete()
        maintenance.note("leftovers_removed", count=sum(map(len, found.values())))
    call_command("remove_stale_contenttypes", include_stale_apps=True, interactive=False, verbosity=0)
    return found
