"""Loads a list of networks that are known for attacks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.services import networks
from apps.accounts.types import SYSTEM, NetworkListRefused
from apps.core.db import database_now


class Command(BaseCommand):
    help = "Load a file with one network or address a line (what follows ; or # is the reason). All of it or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="networks that the file does not hold go")
        parser.add_argument("--days", type=int, help="for how long; without it until they are taken off")

    def handle(self, *args: Any, file: Path, replace: bool, days: int | None = None, **options: Any) -> None:
        try:
            with file.open(encoding="utf-8") as lines:
                found = networks.read_list(lines)
        except (OSError, UnicodeDecodeError) as error:
            message = f"{file} could not be read: {error}"
            raise CommandError(message) from error
        except NetworkListRefused as error:
            for each in error.fields:
                self.stderr.write(f"{each.field}: {each.detail} ({each.code})")
            message = "Nothing was changed."
            raise CommandError(message) from error
        done = networks.block_networks(
            actor=SYSTEM,
            networks=found,
            expires_at=database_now() + timedelta(days=days) if days else None,
            replaces=replace,
        )
        self.stdout.write(f"added {done.added}, changed {done.changed}, kept {done.kept}, removed {done.removed}")
