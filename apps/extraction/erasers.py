"""How records are forgotten. What a person made stays, without their name: authors are anonymized with the person."""

from __future__ import annotations

from uuid import UUID

from apps.core.doors.erasers import Eraser, erasers
from apps.extraction.models import Collection, ExtractionRun, FieldSource, Proposal, Record, RecordLink


def _erase_person(_user_id: UUID) -> int:
    return 0


def _erase_organization(organization_id: UUID) -> int:
    runs = Proposal.objects.filter(organization_id=organization_id).delete()[0]
    runs += FieldSource.objects.filter(organization_id=organization_id).delete()[0]
    runs += ExtractionRun.objects.filter(organization_id=organization_id).delete()[0]
    links = RecordLink.objects.filter(organization_id=organization_id).delete()[0]
    records = Record.objects.filter(organization_id=organization_id).delete()[0]
    return runs + links + records + Collection.objects.filter(organization_id=organization_id).delete()[0]


def register() -> None:
    erasers.register("extraction", Eraser("extraction", _erase_person, _erase_organization))
