from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError

from apps.accounts.management.erasing import EraseCommand
from apps.accounts.models import User
from apps.accounts.services import erasure
from apps.accounts.types import SYSTEM


class Command(EraseCommand):
    help = (
        "Forget a person for good: name, address, sessions, keys and rights. What they wrote keeps an anonymous author."
    )
    name = "email"
    confirm_help = "the address once more, instead of typing it"

    def find(self, given: str) -> tuple[UUID, str]:
        found = User.objects.filter(email__iexact=given, anonymized_at=None).first()
        if found is None:
            message = f"Nobody here has the address {given}."
            raise CommandError(message)
        return found.pk, found.email

    def erase(self, subject_id: UUID, *, is_trial: bool) -> erasure.Receipt:
        return erasure.erase_person(actor=SYSTEM, user_id=subject_id, is_trial=is_trial)
