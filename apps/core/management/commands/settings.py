from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core import preferences
from apps.core.doors.settings import Level, settings_door
from apps.core.errors import DomainError, NotFound
from apps.core.types import SYSTEM


def _value(said: str) -> Any:
    try:
        return json.loads(said)
    except json.JSONDecodeError:
        return said


class Command(BaseCommand):
    help = "Say which value a setting has and which level decided it; set or reset it for the platform."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("list", help="All settings with their value for the platform.")
        commands.add_parser("flags", help="Feature flags with owner and date of removal.")
        explain = commands.add_parser("explain", help="Every level that says something about one setting.")
        explain.add_argument("key")
        for name in ("organization", "project", "user"):
            explain.add_argument(f"--{name}", type=UUID, metavar="ID")
        change = commands.add_parser("set", help="Choose a value for the whole platform.")
        change.add_argument("key")
        change.add_argument("value", type=_value, help="As JSON; what is none is taken as text.")
        commands.add_parser("reset", help="Let the environment or the default decide again.").add_argument("key")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "list":
            for key in settings_door.names():
                self.stdout.write(f"{key} = {preferences.get(key)!r}")
        elif options["what"] == "flags":
            self._flags()
        elif options["what"] == "explain":
            self._explain(**options)
        else:
            self._change(options["what"], options["key"], options.get("value"))

    def _change(self, what: str, key: str, value: Any) -> None:
        try:
            if what == "set":
                preferences.change_setting(actor=SYSTEM, key=key, level=Level.PLATFORM, target_id=None, value=value)
            else:
                preferences.reset_setting(actor=SYSTEM, key=key, level=Level.PLATFORM, target_id=None)
        except DomainError as error:
            message = "; ".join(field.detail for field in error.fields) or str(error.detail)
            raise CommandError(message) from None
        self.stdout.write(f"{key} = {preferences.get(key)!r}")

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
