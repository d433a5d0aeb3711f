"""How installed packs are forgotten: with their organization. Whoever installed one is anonymized with the person."""

from __future__ import annotations

from uuid import UUID

from apps.core.doors.erasers import Eraser, erasers
from apps.packs.models import InstalledObject, PackInstallation


def _erase_person(_user_id: UUID) -> int:
    return 0


def _erase_organization(organization_id: UUID) -> int:
    of_it = [model.objects.filter(organization=organization_id) for model in (InstalledObject, PackInstallation)]
    return sum(rows.delete()[0] for rows in of_it)


def register() -> None:
    erasers.register("packs", Eraser("packs", _erase_person, _erase_organization))
