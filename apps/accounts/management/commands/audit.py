"""Checks the audit log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import audit


class Command(BaseCommand):
    help = "Verify the hash chains of the audit log against their rows and the signed heads, or write the heads now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["verify", "heads"])
        parser.add_argument("--organization", type=UUID)

    def handle(self, *args: Any, what: str, organization: UUID | None = None, **options: Any) -> None:
        if what == "heads":
            audit.write_heads()
            return
        count, broken = audit.verify(organization)
        for found in broken:
            self.stderr.write(f"organization {found.organization_id}: row {found.number} {found.reason}")
        if broken:
            message = f"{len(broken)} of the chains are broken; {count} rows were read."
            raise CommandError(message)
        self.stdout.write(f"All chains are whole; {count} rows were read.")
