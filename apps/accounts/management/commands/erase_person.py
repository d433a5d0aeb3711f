"""Counts first, asks for the address, erases, prints the receipt."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.management.erasing import print_receipt, require_typed
from apps.accounts.models import User
from apps.accounts.services import erasure
from apps.accounts.types import SYSTEM
from apps.core.errors import DomainError


class Command(BaseCommand):
    help = (
        "Forget a person for good: name, address, sessions, keys and rights. What they wrote keeps an anonymous author."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
        parser.add_argument("--confirm", metavar="EMAIL", help="the address once more, instead of typing it")

    def handle(self, *args: Any, email: str, dry_run: bool, confirm: str | None, **options: Any) -> None:
        found = User.objects.filter(email__iexact=email, anonymized_at=None).first()
        if found is None:
            message = f"Nobody here has the address {email}."
            raise CommandError(message)
        try:
            trial = erasure.erase_person(actor=SYSTEM, user_id=found.pk, is_trial=True)
            print_receipt(self.stdout, trial)
            if dry_run:
                return
            require_typed(found.email, confirm)
            print_receipt(self.stdout, erasure.erase_person(actor=SYSTEM, user_id=found.pk))
        except DomainError as error:
            raise CommandError(str(error.detail)) from error
