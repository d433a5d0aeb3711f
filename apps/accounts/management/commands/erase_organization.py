"""Counts first, asks for the short name, erases, prints the receipt."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.management.erasing import print_receipt, require_typed
from apps.accounts.models import Organization
from apps.accounts.services import erasure
from apps.accounts.types import SYSTEM
from apps.core.errors import DomainError


class Command(BaseCommand):
    help = "Forget an organization for good, with every conversation, file, provider and ledger row."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
        parser.add_argument("--confirm", metavar="SLUG", help="the short name once more, instead of typing it")

    def handle(self, *args: Any, slug: str, dry_run: bool, confirm: str | None, **options: Any) -> None:
        found = Organization.objects.filter(slug=slug).first()
        if found is None:
            message = f"There is no organization {slug}: the admin site lists the short names."
            raise CommandError(message)
        try:
            trial = erasure.erase_organization(actor=SYSTEM, organization_id=found.pk, is_trial=True)
            print_receipt(self.stdout, trial)
            if dry_run:
                return
            require_typed(found.slug, confirm)
            print_receipt(self.stdout, erasure.erase_organization(actor=SYSTEM, organization_id=found.pk))
        except DomainError as error:
            raise CommandError(str(error.detail)) from error
