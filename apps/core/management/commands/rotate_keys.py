from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core import key_rotation, maintenance


class Command(BaseCommand):
    help = "Put a new encryption key in force and seal every stored secret with it, while the installation serves."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--resume", action="store_true", help="Go on after an interrupted rotation; no new key.")
        parser.add_argument(
            "--retire", action="store_true", help="Forget keys that seal nothing any more (older backups need them)."
        )

        parser.add_argument(
            "--accept-loss",
            action="store_true",
            help="Go on without a key file that is lost: what was sealed with it opens no more, and is entered anew.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["retire"]:
            gone = key_rotation.retire()
            maintenance.note("keys_retired", on=" ".join(sorted(gone))[:200], count=len(gone))
            self.stdout.write(f"Forgotten: {', '.join(sorted(gone)) or 'none'}.")
        elif options["accept_loss"]:
            lost = key_rotation.accept_loss()
            maintenance.note("keys_lost", on=" ".join(lost)[:200], count=len(lost))
            self.stdout.write(f"Gone on without: {', '.join(lost) or 'none, all that is there fits'}.")
        elif options["resume"]:
            done = key_rotation.resume()
            maintenance.note("keys_rotated", count=done)
            self.stdout.write(f"{done} values sealed again.")
        else:
            key_id, done = key_rotation.rotate()
            maintenance.note("keys_rotated", on=key_id, count=done)
            self.stdout.write(f"Key {key_id} is in force; {done} values sealed again.")
