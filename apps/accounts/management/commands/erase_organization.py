from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError

from apps.accounts import erasing
from apps.accounts.management.erasing import EraseCommand
from apps.accounts.models import Organization
from apps.accounts.services import erasure
from apps.accounts.types import SYSTEM


class Command(EraseCommand):
    help = "Forget an organization for good, with every conversation, file, provider and ledger row. Interrupted, it goes on by itself, or with the same command."
    name = "slug"
    confirm_help = "the short name once more, instead of typing it"

    def find(self, given: str) -> tuple[UUID, str]:
        found = Organization.objects.filter(slug=given).first()
        if found is None:
            message = f"There is no organization {given}: the admin site lists the short names."
            raise CommandError(message)
        return found.pk, found.slug

    def erase(self, subject_id: UUID, *, is_trial: bool) -> erasure.Receipt:
        if is_trial:
            return erasure.count_organization(actor=SYSTEM, organization_id=subject_id)
        return erasing.erase_organization(actor=SYSTEM, organization_id=subject_id)
