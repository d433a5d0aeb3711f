from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import maintenance
from apps.core.doors.consumers import consumers
from apps.core.errors import NotFound
from apps.core.eventlog.consumers import replay, retry_parked


class Command(BaseCommand):
    help = "Bring events to a consumer again. Consumers are idempotent by event id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("consumer", help=f"One of: {', '.join(consumers.names()) or 'none is registered'}.")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--after", type=int, metavar="POSITION", help="Everything after this position (0: all).")
        which.add_argument("--parked", action="store_true", help="What was parked for this consumer, now.")
        which.add_argument("--event", type=UUID, metavar="ID", help="One parked event, now.")

    def handle(self, *args: Any, **options: Any) -> None:
        consumer = consumers.get(options["consumer"])
        if consumer is None:
            message = f"No consumer is called {options['consumer']!r}. There are: {', '.join(consumers.names())}."
            raise CommandError(message)
        if options["after"] is not None:
            count = replay(consumer, after=options["after"])
            maintenance.note("events_replayed", on=consumer.name, count=count)
            self.stdout.write(f"{count} positions lie ahead of {consumer.name}; the coordinator brings them.")
            return
        try:
            handled, left = retry_parked(consumer, event_id=options["event"])
        except NotFound:
            message = "This event is not parked for this consumer."
            raise CommandError(message) from None
        maintenance.note("parked_events_retried", on=consumer.name, count=handled + left)
        self.stdout.write(f"{handled} handled, {left} still parked.")
        if left:
            raise SystemExit(1)
