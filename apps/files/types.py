"""What a file can be, what is found out about its content, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, DomainError, Invalid, TooLarge

# What models take of a picture: pixels of the longer side, and bytes.
MODEL_SIDE = 1568
MODEL_BYTES = 4 * 1024 * 1024


class FileState(models.TextChoices):
    """``uploading`` while the content is on its way to its place; ``failed`` files have a reason and are never used."""

    UPLOADING = "uploading", _("Uploading")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    QUARANTINED = "quarantined", _("Quarantined")


class FileKind(models.TextChoices):
    IMAGE = "image", _("Image")
    TEXT = "text", _("Text")
    DOCUMENT = "document", _("Document")
    AUDIO = "audio", _("Audio")
    VIDEO = "video", _("Video")
    OTHER = "other", _("Other")


class TextState(models.TextChoices):
    """``none``: there is no text in such a file. ``unavailable``: this installation has no parser for it."""

    NONE = "none", _("No text")
    PENDING = "pending", _("Being read")
    READY = "ready", _("Read")
    FAILED = "failed", _("Could not be read")
    UNAVAILABLE = "unavailable", _("No parser installed")


class Reason(models.TextChoices):
    """Why a file failed, was quarantined, or gave no text. Part of the API."""

    NONE = "", ""
    DISGUISED_PROGRAM = "disguised_program", _("A program under the name of another type.")
    BROKEN_IMAGE = "broken_image", _("The picture could not be read.")
    BROKEN_DOCUMENT = "broken_document", _("The document could not be read.")
    TOO_MANY_PIXELS = "too_many_pixels", _("The picture has too many pixels.")
    ARCHIVE_BOMB = "archive_bomb", _("The document unpacks to far more than it should.")
    ENCRYPTED = "encrypted", _("The document is protected by a password.")
    TOO_SLOW = "too_slow", _("Reading the document took too long.")
    TOO_MUCH_MEMORY = "too_much_memory", _("Reading the document took too much memory.")
    NO_PARSER = "no_parser", _("The parsers for documents are not installed here.")


@dataclass(frozen=True, slots=True)
class Detected:
    """What the content says it is. ``is_misnamed``: the name or the sender said something else."""

    media_type: str
    kind: FileKind
    is_inline_safe: bool = False
    is_misnamed: bool = False
    is_program: bool = False


@dataclass(frozen=True, slots=True)
class Digested:
    """Content that is complete on disk, not yet part of any row."""

    path: str
    sha256: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A file whose reading this process holds the lease of."""

    fence: int
    path: str
    kind: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader found. ``outputs`` are its files by name (``preview``, ``downsized``, ``text``) with their types."""

    reason: Reason = Reason.NONE
    width: int | None = None
    height: int | None = None
    is_truncated: bool = False
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """Where bytes lie and what they are."""

    path: str
    media_type: str
    size: int
    etag: str
    is_made_for_models: bool = False


@dataclass(frozen=True, slots=True)
class FileWords:
    """The text of a file for a context: empty with a state that says why."""

    text: str
    state: TextState
    reason: Reason
    is_truncated: bool


class FileTooLarge(TooLarge):
    code = "file_too_large"
    default_detail = _("The file is larger than one file may be.")


class QuotaReached(TooLarge):
    """``quota_bytes`` and ``used_bytes`` tell what there is."""

    code = "quota_reached"
    title = _("No room left")
    default_detail = _("Your organization has used all the room it has for files. Delete some, or ask for more room.")


class EmptyFile(Invalid):
    code = "file_empty"
    default_detail = _("The file is empty.")


class FileRefused(Invalid):
    """``reason`` is one of ``Reason``."""

    code = "file_refused"
    default_detail = _("This file cannot be used.")

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason.label), reason=reason.value)


class FileNotReady(Conflict):
    code = "file_not_ready"
    default_detail = _("This file failed or is held back, so it cannot be attached.")


class RangeNotSatisfiable(DomainError):
    code: ClassVar[str] = "range_not_satisfiable"
    status: ClassVar[int] = 416
    title = _("No such part")
    default_detail = _("The file has no such part.")
