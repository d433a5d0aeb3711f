"""How files are told to their owner, and forgotten: those a person kept to themselves, all of an organization. The disk follows the commit."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import PersonExporter, person_exporters
from apps.files import storage
from apps.files.models import Blob, File, FileText, StorageUse
from apps.files.services import erase_unused


def _erase_person(user_id: UUID) -> int:
    return erase_unused(owner_id=user_id)


def _erase_organization(organization_id: UUID) -> int:
    paths = list(Blob.objects.filter(organization=organization_id).values_list("path", flat=True))
    count = 0
    for model in (FileText, File, Blob, StorageUse):
        count += model.objects.filter(organization_id=organization_id).delete()[0]
    for path in paths:
        transaction.on_commit(functools.partial(storage.discard, path), robust=True)
    return count


def _rows_of(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    rows = File.objects.filter(owner=user_id).order_by("created_at", "pk")
    return {"files": list(rows.values("id", "name", "media_type", "size", "created_at"))}


def register() -> None:
    person_exporters.register("files", PersonExporter("files", _rows_of))
    erasers.register("files", Eraser("files", _erase_person, _erase_organization))
