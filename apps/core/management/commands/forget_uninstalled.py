from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.uninstalled import forget_leftovers


class Command(BaseCommand):
    help = "Remove what apps that were taken out left behind: cursors, deliveries, settings, content types."

    def handle(self, *args: Any, **options: Any) -> None:
        for kind, names in forget_leftovers().items():
            self.stdout.write(f"{kind}: {', '.join(names) or 'none'}")
