"""Every write to files. Content is on disk before the row that names it, and leaves the disk after the row is gone."""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import selectors as accounts
from apps.accounts.models import Project
from apps.accounts.types import Actor
from apps.core import jobs, rules
from apps.core.db import database_now
from apps.core.doors.file_access import file_access
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.leases import is_free, scaled
from apps.core.types import SYSTEM, ActorRef
from apps.files import detection, images, policies, selectors, storage
from apps.files.events import FileDeleted, FileFailed, FileProcessed, FileReleased, FileStored
from apps.files.models import MAX_TEXT, Blob, File, FileText, StorageUse
from apps.files.types import (
    Claimed,
    Detected,
    Digested,
    FileKind,
    FileState,
    QuotaReached,
    Reading,
    Reason,
    TextState,
)

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
LEASE_SECONDS = 120
HINT_SECONDS = 10
KEEP_DELETED = timedelta(days=30)
KEEP_UNATTACHED = timedelta(days=7)
SWEEP_AT_ONCE = 200


def store_upload(
    *, actor: Actor, project_id: UUID, name: str, stream: storage.Readable, declared: str = "", expected_bytes: int = 0
) -> File:
    """Take a stream as a new file of the actor in a project they may write in.

    Streams first, in no transaction; then one transaction charges the quota and writes the rows. Raises ``FileTooLarge``,
    ``EmptyFile``, ``QuotaReached``, ``FileRefused``; nothing stays on disk or in the database then. ``expected_bytes`` lets a
    request that cannot fit be refused before its content is copied.
    """
    project = accounts.get_project(project_id, actor)
    policies.require(policies.can_upload(actor, accounts.role_in(actor, project)))
    if expected_bytes > selectors.room_left(project.organization_id):
        raise QuotaReached
    shown_name = rules.file_name(name)
    digested = storage.receive(stream, limit_bytes=settings.PARLANCE_MAX_FILE_BYTES)
    try:
        detected = detection.detect(Path(digested.path), name=shown_name, declared=declared)
        width, height = images.check_size(Path(digested.path), detected.media_type)
        return _write(
            actor=actor,
            project=project,
            name=shown_name,
            digested=digested,
            detected=detected,
            size=(width, height),
            words=_plain_words(Path(digested.path)) if detected.kind is FileKind.TEXT else None,
        )
    finally:
        storage.discard(digested.path)


@transaction.atomic
def _write(
    *,
    actor: Actor,
    project: Project,
    name: str,
    digested: Digested,
    detected: Detected,
    size: tuple[int | None, int | None],
    words: tuple[str, bool] | None,
) -> File:
    _charge(project.organization_id, digested.size)
    is_disguised = detected.is_program and detected.is_misnamed
    needs_reader = not is_disguised and (
        detected.kind is FileKind.IMAGE or detected.media_type in detection.READABLE_DOCUMENTS
    )
    file = File.objects.create(
        organization_id=project.organization_id,
        project=project,
        owner_id=actor.user_id,
        blob=_blob(project.organization_id, digested, detected.media_type),
        name=name,
        media_type=detected.media_type,
        kind=detected.kind,
        size=digested.size,
        state=FileState.QUARANTINED if is_disguised else FileState.READY,
        reason=Reason.DISGUISED_PROGRAM if is_disguised else Reason.NONE,
        is_inline_safe=detected.is_inline_safe and not is_disguised,
        is_misnamed=detected.is_misnamed,
        width=size[0],
        height=size[1],
        text_state=_first_text_state(detected, words),
        text_length=len(words[0]) if words else 0,
        is_processed=not needs_reader,
    )
    if words is not None:
        FileText.objects.create(
            organization_id=project.organization_id, file=file, content=words[0], is_truncated=words[1]
        )
    emit(
        FileStored(file_id=file.pk, kind=file.kind, media_type=file.media_type, size=file.size, state=file.state),
        actor=actor,
        scope=file.scope,
        subject=("file", file.pk),
    )
    if needs_reader:
        jobs.after_commit("files.process_file", file_id=file.pk)
    return file


def _first_text_state(detected: Detected, words: tuple[str, bool] | None) -> TextState:
    if words is not None:
        return TextState.READY
    return TextState.PENDING if detected.media_type in detection.READABLE_DOCUMENTS else TextState.NONE


def _plain_words(path: Path) -> tuple[str, bool]:
    encoding = detection.encoding_of(path) or "utf-8"
    with path.open(encoding=encoding, errors="replace", newline="") as source:
        text = source.read(MAX_TEXT + 1)
    return text[:MAX_TEXT].replace("\x00", ""), len(text) > MAX_TEXT


def _charge(organization_id: UUID, size: int) -> None:
    """One conditional UPDATE: parallel uploads at the edge of the quota queue at the row and never pass it together."""
    StorageUse.objects.bulk_create([StorageUse(organization_id=organization_id)], ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE files_storageuse SET used_bytes = used_bytes + %s, updated_at = now() WHERE organization_id = %s"
            " AND used_bytes + %s <= coalesce(quota_bytes, %s)",
            [size, organization_id, size, settings.PARLANCE_FILE_QUOTA_BYTES],
        )
        if cursor.rowcount:
            return
    use = StorageUse.objects.get(organization_id=organization_id)
    raise QuotaReached(quota_bytes=selectors.quota_of(use), used_bytes=use.used_bytes)


def _blob(organization_id: UUID, digested: Digested, media_type: str) -> Blob:
    """The organization's row for this content, made when it is new. Its lock keeps a parallel erasure away."""
    for _attempt in range(3):
        known = (
            Blob.objects.select_for_update(no_key=True)
            .filter(organization_id=organization_id, sha256=digested.sha256)
            .first()
        )
        if known is not None:
            return known
        blob_id = uuid7()
        blob = Blob(
            pk=blob_id,
            organization_id=organization_id,
            sha256=digested.sha256,
            size=digested.size,
            media_type=media_type,
            path=storage.path_for(blob_id),
        )
        Blob.objects.bulk_create([blob], ignore_conflicts=True)
        if Blob.objects.filter(pk=blob_id).exists():
            storage.place(digested, blob.path)
            return blob
    message = "The content came and went three times while it was being stored."
    raise RuntimeError(message)


def attach_files(*, actor: Actor, file_ids: Sequence[UUID], project_id: UUID | None = None) -> list[File]:
    """Claim the actor's own files for something they are writing, in the caller's transaction; see ``selectors.claim_own``.

    What is attached is kept when its owner deletes it (30 days) and never swept as left over.
    """
    files = selectors.claim_own(actor=actor, file_ids=file_ids, project_id=project_id)
    for file in files:
        policies.require(policies.is_owner(actor, file))
    File.objects.filter(pk__in=[file.pk for file in files], attached_at=None).update(attached_at=database_now())
    return files


def detach_files(*, file_ids: Collection[UUID]) -> None:
    """For an app that has removed what used them, in its transaction: files that nothing uses any more are left over from now on.

    A use that another transaction is about to write is found by the sweep, which asks the doors again.
    """
    left = set(file_ids)
    for access in file_access:
        left -= access.used(left)
    rows = File.objects.select_for_update(no_key=True).filter(pk__in=left).order_by("pk")
    File.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(attached_at=None)


@transaction.atomic
def delete_file(*, actor: Actor, file_id: UUID) -> None:
    """The owner's file is gone for everybody. One that nothing uses is erased at once, which frees its room."""
    file = selectors.lock_file(file_id, actor)
    policies.require(policies.can_delete(actor, file))
    is_needed = any(access.used([file.pk]) for access in file_access)
    if is_needed:
        File.objects.filter(pk=file.pk).update(deleted_at=database_now())
    else:
        _erase(file)
    # Last, because an upload too takes the organization's row before the topic's.
    emit(
        FileDeleted(file_id=file.pk, is_erased=not is_needed),
        actor=actor,
        scope=file.scope,
        subject=("file", file.pk),
    )


def _erase(file: File) -> None:
    """Row, text and charge go; content goes with the last row that names it, from disk only after the commit."""
    blob_ids = [pk for pk in (file.blob_id, file.preview_id, file.downsized_id) if pk is not None]
    FileText.objects.filter(file=file).delete()
    File.objects.filter(pk=file.pk).delete()
    StorageUse.objects.filter(organization=file.organization_id).update(used_bytes=F("used_bytes") - file.size)
    for blob in Blob.objects.select_for_update().filter(pk__in=blob_ids).order_by("pk"):
        if not _is_referred(blob):
            blob.delete()
            transaction.on_commit(functools.partial(storage.discard, blob.path), robust=True)


@transaction.atomic
def erase_unused(*, owner_id: UUID) -> int:
    """What a person kept to themselves, when the person is erased. Files that something shows stay, as what was written there does."""
    owned = {file.pk: file for file in File.objects.select_for_update().filter(owner=owner_id).order_by("pk")}
    used = {pk for access in file_access for pk in access.used(owned)}
    for pk in owned.keys() - used:
        _erase(owned[pk])
    return len(owned.keys() - used)


def _is_referred(blob: Blob) -> bool:
    return any(File.objects.filter(**{column: blob}).exists() for column in ("blob", "preview", "downsized"))


@transaction.atomic
def release_file(*, actor: Actor, file_id: UUID) -> None:
    """An operator has looked at a quarantined file: it becomes a download like any other."""
    file = File.objects.select_for_update().get(pk=file_id)
    policies.require(policies.can_release(actor, file))
    File.objects.filter(pk=file.pk, state=FileState.QUARANTINED).update(state=FileState.READY, reason="")
    emit(FileReleased(file_id=file.pk), actor=actor, scope=file.scope, subject=("file", file.pk))


@transaction.atomic
def read_again(*, actor: Actor, file_id: UUID) -> None:
    """A document that gave no text is read once more: there may be a parser now, or more time. Others are left as they are."""
    file = selectors.lock_file(file_id, actor)
    policies.require(policies.can_delete(actor, file))
    if file.text_state in {TextState.FAILED, TextState.UNAVAILABLE} and file.is_processed:
        File.objects.filter(pk=file.pk).update(
            text_state=TextState.PENDING, text_reason="", is_processed=False, attempts=0, lease_until=None
        )
        jobs.after_commit("files.process_file", file_id=file.pk)


@transaction.atomic
def claim_processing(*, file_id: UUID) -> Claimed | None:
    """Take the lease of a file's reading, or None when somebody holds it, it is done, or it has killed its reader too often."""
    now = database_now()
    file = (
        File.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("blob")
        .filter(pk=file_id, is_processed=False, deleted_at=None)
        .first()
    )
    if file is None or (file.lease_until is not None and file.lease_until > now):
        return None
    if file.attempts >= MAX_ATTEMPTS:
        _fail(file, Reason.TOO_SLOW, actor=SYSTEM)
        return None
    file.attempts += 1
    file.fence += 1
    file.lease_until = now + timedelta(seconds=scaled(LEASE_SECONDS))
    file.save(update_fields=["attempts", "fence", "lease_until", "updated_at"])
    return Claimed(fence=file.fence, path=file.blob.path, kind=file.kind, media_type=file.media_type)


@transaction.atomic
def finish_processing(*, file_id: UUID, fence: int, reading: Reading, folder: Path) -> bool:
    """Keep what the reader found. False when the lease was lost, and nothing is written then."""
    file = File.objects.select_for_update().filter(pk=file_id, fence=fence, is_processed=False, deleted_at=None).first()
    if file is None:
        return False
    if reading.reason:
        _fail(file, reading.reason, actor=SYSTEM)
        return True
    for output in ("preview", "downsized"):
        if media_type := reading.outputs.get(output):
            with (folder / output).open("rb") as source:
                digested = storage.receive(source, limit_bytes=settings.PARLANCE_MAX_FILE_BYTES)
            try:
                setattr(file, output, _blob(file.organization_id, digested, media_type))
            finally:
                storage.discard(digested.path)
    if "text" in reading.outputs:
        text = (folder / "text").read_text(encoding="utf-8")
        FileText.objects.update_or_create(
            file=file,
            defaults={
                "organization_id": file.organization_id,
                "content": text,
                "is_truncated": reading.is_truncated,
            },
        )
        file.text_state, file.text_length = TextState.READY, len(text)
    file.width, file.height = reading.width or file.width, reading.height or file.height
    file.is_processed, file.lease_until = True, None
    file.save()
    emit(
        FileProcessed(file_id=file.pk, text_state=file.text_state),
        actor=SYSTEM,
        scope=file.scope,
        subject=("file", file.pk),
    )
    return True


DANGEROUS = frozenset({Reason.ARCHIVE_BOMB, Reason.TOO_MANY_PIXELS, Reason.BROKEN_IMAGE})


def _fail(file: File, reason: Reason, *, actor: ActorRef) -> None:
    """A document that gives no text is still a download; a bomb or a broken picture is not used any more."""
    if reason in DANGEROUS:
        file.state, file.reason, file.is_inline_safe = FileState.FAILED, reason, False
    if file.kind == FileKind.DOCUMENT:
        file.text_state = TextState.UNAVAILABLE if reason is Reason.NO_PARSER else TextState.FAILED
        file.text_reason = reason
    file.is_processed, file.lease_until = True, None
    file.save()
    emit(FileFailed(file_id=file.pk, reason=reason.value), actor=actor, scope=file.scope, subject=("file", file.pk))


def list_unread() -> list[dict[str, UUID]]:
    """Files whose reading nobody holds: their hint was lost or their reader died."""
    rows = File.objects.filter(is_free(), is_processed=False, deleted_at=None)
    rows = rows.filter(created_at__lt=Now() - timedelta(seconds=scaled(HINT_SECONDS))).order_by("created_at")
    return [{"file_id": pk} for pk in rows.values_list("pk", flat=True)[:SWEEP_AT_ONCE]]


def _sweep_one(file_id: UUID, *, is_let_go: bool) -> None:
    """One that cannot go, because a message has just taken it or an app forgot to register, holds up no other."""
    try:
        with transaction.atomic():
            if is_let_go:
                for access in file_access:
                    access.let_go([file_id])
            if file := File.objects.select_for_update(skip_locked=True).filter(pk=file_id).first():
                _erase(file)
    except IntegrityError as error:
        logger.warning("file_not_erased", extra={"file": str(file_id), "reason": type(error).__name__})


def sweep() -> None:
    """Erase what was deleted 30 days ago and what nobody attached or used within 7, then what no row names. Safe to repeat."""
    now = timezone.now()
    gone = File.objects.filter(deleted_at__lt=now - KEEP_DELETED).order_by("deleted_at").values_list("pk", flat=True)
    kept, edge = File.objects.filter(deleted_at=None), now - KEEP_UNATTACHED
    # Attached ones are asked for as well: a use may have ended without ``detach_files``. Those asked longest ago come first, and
    # all that were asked have their turn again after the others, also one that cannot go.
    for rows in (
        kept.filter(attached_at=None, created_at__lt=edge).order_by("created_at"),
        kept.filter(attached_at__lt=edge).order_by("attached_at"),
    ):
        ids = list(rows.values_list("pk", flat=True)[:SWEEP_AT_ONCE])
        used = {pk for access in file_access for pk in access.used(ids)}
        File.objects.filter(pk__in=ids).update(attached_at=now)
        for pk in ids:
            if pk not in used:
                _sweep_one(pk, is_let_go=False)
    for pk in gone[:SWEEP_AT_ONCE]:
        _sweep_one(pk, is_let_go=True)
    for path in storage.stale_incoming():
        storage.discard(str(path))
    for name, path in storage.stale_content():
        if not Blob.objects.filter(path=name).exists():
            logger.warning("content_without_row", extra={"content": name})
            path.unlink(missing_ok=True)
