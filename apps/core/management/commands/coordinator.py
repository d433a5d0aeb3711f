from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from apps.core.coordinator import Coordinator


class Command(BaseCommand):
    help = "Number the event log, run its consumers and the sweeps. One process leads; more stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        coordinator = Coordinator()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: coordinator.stop())
        coordinator.run()
