"""What both commands that erase have in common: count first, ask for the name, erase, print the receipt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.services.erasure import Receipt
from apps.core.errors import DomainError


class EraseCommand(BaseCommand, ABC):
    """``name`` is the argument that says what to erase; whoever erases types it once more."""

    name: str
    confirm_help: str

    @abstractmethod
    def find(self, given: str) -> tuple[UUID, str]:
        """The id and the name as it is written; raises ``CommandError`` when there is nothing of that name."""

    @abstractmethod
    def erase(self, subject_id: UUID, *, is_trial: bool) -> Receipt: ...

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(self.name)
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
        parser.add_argument("--confirm", metavar=self.name.upper(), help=self.confirm_help)

    def handle(self, *args: Any, dry_run: bool, confirm: str | None, **options: Any) -> None:
        subject_id, written = self.find(options[self.name])
        try:
            self._print(self.erase(subject_id, is_trial=True))
            if dry_run:
                return
            _require_typed(written, confirm)
            self._print(self.erase(subject_id, is_trial=False))
        except DomainError as error:
            raise CommandError(str(error.detail)) from error

    def _print(self, receipt: Receipt) -> None:
        """``would erase`` for a trial, ``erased`` with the number of the receipt that is kept."""
        head = f"erased {receipt.kind}" if receipt.id else f"would erase {receipt.kind}"
        self.stdout.write(f"{head} {receipt.subject_id}")
        for name, count in receipt.rows.items():
            self.stdout.write(f"  {name}: {count} rows")
        if receipt.id:
            self.stdout.write(f"receipt: {receipt.id}")


def _require_typed(expected: str, confirm: str | None) -> None:
    typed = confirm if confirm is not None else input(f"This cannot be undone. Type {expected} to erase it for good: ")
    if typed.strip() != expected:
        message = "That is not what was asked for. Nothing was changed."
        raise CommandError(message)
