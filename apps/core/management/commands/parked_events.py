from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.models import EventDelivery


class Command(BaseCommand):
    help = "List events that a consumer failed at five times."

    def handle(self, *args: Any, **options: Any) -> None:
        rows = EventDelivery.objects.filter(state=EventDelivery.State.PARKED).order_by("consumer", "position")
        for row in rows.iterator():
            self.stdout.write(f"{row.consumer}  {row.position}  {row.event_id}  {row.attempts} attempts  {row.error}")
        if not rows:
            self.stdout.write("Nothing is parked.")
