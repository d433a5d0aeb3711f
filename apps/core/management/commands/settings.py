from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core import preferences
from apps.core.doors.settings import settings_door
from apps.core.errors import NotFound


class Command(BaseCommand):
    help = "Say which value a setting has, and which level decided it."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("list", help="All settings with their value for the platform.")
        commands.add_parser("flags", help="Feature flags with owner and date of removal.")
        explain = commands.add_parser("explain", help="Every level that says something about one setting.")
        explain.add_argument("key")
        for name in ("organization", "project", "user"):
            explain.add_argument(f"--{name}", type=UUID, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "list":
            for key in settings_door.names():
                self.stdout.write(f"{key} = {preferences.get(key)!r}")
        elif options["what"] == "flags":
            self._flags()
        else:
            self._explain(**options)

    def _flags(self) -> None:
        for setting in settings_door:
            if setting.is_flag and setting.remove_by:
                late = "  OVERDUE" if setting.remove_by < timezone.now().date() else ""
                self.stdout.write(f"{setting.key}  {setting.owner}  until {setting.remove_by}{late}")

    def _explain(self, *, key: str, **options: Any) -> None:
        try:
            layers = preferences.explain(
                key, organization=options["organization"], project=options["project"], user=options["user"]
            )
        except NotFound:
            message = f"No setting is called {key!r}. There are: {', '.join(settings_door.names())}."
            raise CommandError(message) from None
        for layer in layers:
            mark = "→" if layer.is_in_force else " "
            self.stdout.write(f"{mark} {layer.level.value:<12} {layer.value!r}  ({layer.source})")
