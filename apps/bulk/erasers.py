"""How operations are forgotten. What a person asked for stays with the project, under their pseudonym, as messages do."""

from __future__ import annotations

from uuid import UUID

from apps.bulk.models import Item, Operation, Share
from apps.core.doors.erasers import Eraser, erasers


def _erase_person(_user_id: UUID) -> int:
    return 0


def _erase_organization(organization_id: UUID) -> int:
    count = Item.objects.filter(organization_id=organization_id).delete()[0]
    # Those that take others back first: they protect them.
    count += Operation.objects.filter(organization_id=organization_id, undoes__isnull=False).delete()[0]
    count += Operation.objects.filter(organization_id=organization_id).delete()[0]
    return count + Share.objects.filter(organization_id=organization_id).delete()[0]


def register() -> None:
    erasers.register("bulk", Eraser("bulk", _erase_person, _erase_organization))
