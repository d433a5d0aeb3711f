"""How files are forgotten: those a person kept to themselves, all of an organization. The disk follows the commit."""

from __future__ import annotations

import functools
from uuid import UUID

from django.db import transaction

from apps.core.doors.erasers import Eraser, erasers
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


def register() -> None:
    erasers.register("files", Eraser("files", _erase_person, _erase_organization))
