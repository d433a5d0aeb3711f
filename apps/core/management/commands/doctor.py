from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError
from psycopg_pool import PoolTimeout
from redis import RedisError

from apps.core import installation
from apps.core.doors.invariants import invariants
from apps.core.installation import Note

MARKS = {"ok": "ok      ", "advice": "advice  ", "failure": "FAILURE "}


class Command(BaseCommand):
    help = "Check what must be true of the data and of the set-up, and say what to do. Exit code 1: something failed."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object for programs.")
        parser.add_argument("--data-only", action="store_true", help="Only what must be true of the data.")

    def handle(self, *args: Any, **options: Any) -> None:
        notes = list(_invariants() if options["data_only"] else chain(_set_up(), _invariants()))
        failed = sum(note.weight == "failure" for note in notes)
        if options["json"]:
            self.stdout.write(
                json.dumps({"failed": failed, "notes": [[n.weight, n.says, n.advice] for n in notes]}, indent=1)
            )
        else:
            for note in notes:
                self.stdout.write(MARKS[note.weight] + note.says)
                if note.advice:
                    self.stdout.write("        → " + note.advice)
            self.stdout.write(f"{failed} failures, {sum(n.weight == 'advice' for n in notes)} pieces of advice.")
        if failed:
            raise SystemExit(1)


def _set_up() -> Iterator[Note]:
    for check in installation.CHECKS:
        try:
            yield check()
        except (DatabaseError, InterfaceError, PoolTimeout, RedisError, OSError) as error:
            yield Note("failure", f"{check.__name__}: {type(error).__name__}.", "Does the service answer?")
    yield from installation.check_exposure()
    yield from installation.check_health()


def _invariants() -> Iterator[Note]:
    for invariant in invariants:
        try:
            violations = invariant.check()
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            yield Note(
                "failure", f"{invariant.promise} {invariant.name}: {type(error).__name__}.", "Does the database answer?"
            )
            continue
        if not violations:
            yield Note("ok", f"{invariant.promise} {invariant.says}")
        for violation in violations:
            yield Note("failure", f"{invariant.promise} {violation.detail}", violation.advice)
