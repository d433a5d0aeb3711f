"""Facts about files: ids, sizes, enums; never a name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("files.file_stored.v1", public="document.uploaded")
@dataclass(frozen=True, slots=True)
class FileStored:
    file_id: UUID
    kind: str
    media_type: str
    size: int
    state: str


@event("files.file_processed.v1", public="document.processed")
@dataclass(frozen=True, slots=True)
class FileProcessed:
    file_id: UUID
    text_state: str


@event("files.file_failed.v1", public="document.failed")
@dataclass(frozen=True, slots=True)
class FileFailed:
    file_id: UUID
    reason: str


@event("files.file_deleted.v1", label=_("Deleted a file"))
@dataclass(frozen=True, slots=True)
class FileDeleted:
    file_id: UUID
    is_erased: bool


@event("files.file_released.v1", label=_("Released a file"))
@dataclass(frozen=True, slots=True)
class FileReleased:
    file_id: UUID
