"""Every shared read of files. Who sees a file: its owner, and whoever an attaching app lets see it (``core.doors.file_access``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Length, Now

from apps.accounts import selectors as accounts
from apps.accounts.policies import require_scope
from apps.accounts.types import Actor, ActorKind
from apps.core.doors.file_access import FileUses, file_access
from apps.core.errors import NotFound
from apps.files import policies
from apps.files.detection import INLINE_IMAGES
from apps.files.models import File, FileText, StorageUse
from apps.files.types import (
    MODEL_BYTES,
    MODEL_SIDE,
    Content,
    FileKind,
    FileNotReady,
    FileState,
    FileWords,
    Reason,
    TextState,
)

MAX_AT_ONCE = 100


def own_files(viewer: Actor) -> QuerySet[File]:
    """Files the viewer brought, in projects the viewer can still see."""
    return File.objects.filter(_own(viewer), deleted_at=None)


def _own(viewer: Actor) -> Q:
    return Q() if viewer.kind == ActorKind.SYSTEM else Q(accounts.project_filter(viewer), owner=viewer.user_id)


def list_files(
    viewer: Actor, *, project_id: UUID | None = None, name: str = "", kinds: Collection[str] = (), is_own: bool = False
) -> QuerySet[File]:
    """What ``get_file`` gives this viewer, one by one; each with its owner. ``name``: words that stand in it.

    ``ScopeMissing`` for a key made for something else.
    """
    if not policies.can_read_files(viewer):
        require_scope(viewer, policies.READ)
    rows = File.objects.filter(deleted_at=None).select_related("owner")
    if viewer.kind != ActorKind.SYSTEM:
        seen = _own(viewer)
        if not is_own:
            for access in file_access:
                seen |= access.shown(viewer)
        rows = rows.filter(seen)
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    elif viewer.kind != ActorKind.SYSTEM:
        rows = rows.filter(organization__in=accounts.list_organization_ids(viewer))
    for word in name.split():
        rows = rows.filter(name__icontains=word)
    return rows.filter(kind__in=kinds) if kinds else rows


def uses_of(viewer: Actor, file_ids: Collection[UUID], *, most: int) -> dict[UUID, FileUses]:
    """Of files that the viewer got from here: so many of the places that they see each in, and how many there are.

    A file that is used only where the viewer sees nothing has a count of 0; one that nothing refers to is left out.
    """
    found: dict[UUID, FileUses] = {}
    for access in file_access:
        for file_id, uses in access.uses(viewer, file_ids, most).items():
            before = found.get(file_id, FileUses([], 0))
            found[file_id] = FileUses([*before.named, *uses.named][:most], before.count + uses.count)
    if rest := set(file_ids) - found.keys():
        found |= {file_id: FileUses([], 0) for access in file_access for file_id in access.used(rest)}
    return found


def list_readable_of(viewer: Actor, *, project_id: UUID) -> QuerySet[File]:
    """The viewer's own in a project that have words, or are being read for some, the newest first."""
    rows = own_files(viewer).filter(project_id=project_id, state=FileState.READY)
    return rows.filter(text_state__in=[TextState.READY, TextState.PENDING]).order_by("-created_at", "-pk")


def visible_ids(viewer: Actor, file_ids: Collection[UUID]) -> set[UUID]:
    """Those of the ids that the viewer may read."""
    allowed = set(own_files(viewer).filter(pk__in=file_ids).values_list("pk", flat=True))
    for access in file_access:
        if missing := set(file_ids) - allowed:
            allowed |= access.allowed(viewer, missing) & missing
    return allowed


def get_file(file_id: UUID, viewer: Actor) -> File:
    """Raises ``NotFound`` for strangers and for what is deleted, ``ScopeMissing`` for a key made for something else."""
    if not policies.can_read_files(viewer):
        require_scope(viewer, policies.READ)
    file = File.objects.select_related("blob", "preview").filter(pk=file_id, deleted_at=None).first()
    if file is None or file_id not in visible_ids(viewer, [file_id]):
        raise NotFound
    return file


def get_usable_file(file_id: UUID, viewer: Actor) -> File:
    """As ``get_file``; raises ``FileNotReady`` for content that is held back."""
    file = get_file(file_id, viewer)
    if file.state in {FileState.QUARANTINED, FileState.UPLOADING}:
        raise FileNotReady
    return file


def lock_file(file_id: UUID, viewer: Actor) -> File:
    """As ``get_file``, and the row is locked until the end of the transaction."""
    get_file(file_id, viewer)
    file = File.objects.select_for_update().filter(pk=file_id, deleted_at=None).first()
    if file is None:
        raise NotFound
    return file


def find_file(file_id: UUID) -> File | None:
    """For engines that already decided who sees it: a usable file, or None when it is gone, failed or held back."""
    return (
        File.objects.select_related("blob", "downsized")
        .filter(pk=file_id, deleted_at=None, state=FileState.READY)
        .first()
    )


def list_existing(file_ids: Collection[UUID]) -> set[UUID]:
    """Those whose rows are there, also deleted ones; kept there until the end of the caller's transaction."""
    rows = File.objects.select_for_update(no_key=True).filter(pk__in=file_ids).order_by("pk")
    return set(rows.values_list("pk", flat=True))


def claim_own(*, actor: Actor, file_ids: Sequence[UUID], project_id: UUID | None = None) -> list[File]:
    """The actor's own files in the order asked for, locked until the end of the caller's transaction.

    One id that is not theirs (or, with ``project_id``, of another project) is ``NotFound`` for the whole request;
    one that failed or is held back is ``FileNotReady``.
    """
    if not file_ids:
        return []
    if len(set(file_ids)) > MAX_AT_ONCE:
        raise NotFound
    rows = own_files(actor).filter(pk__in=file_ids)
    if project_id is not None:
        rows = rows.filter(project=project_id)
    found = {file.pk: file for file in rows.select_for_update(of=("self",)).order_by("pk")}
    if any(pk not in found for pk in file_ids):
        raise NotFound
    files = [found[pk] for pk in dict.fromkeys(file_ids)]
    if any(file.state != FileState.READY for file in files):
        raise FileNotReady
    return files


def content_of(file: File) -> Content:
    return Content(
        path=file.blob.path, media_type=file.media_type, size=file.blob.size, etag=bytes(file.blob.sha256).hex()
    )


def content_of_preview(file: File) -> Content | None:
    """The small picture; the picture itself while the small one is not made yet; None for what is no picture."""
    if file.preview is not None:
        small = file.preview
        return Content(path=small.path, media_type=small.media_type, size=small.size, etag=bytes(small.sha256).hex())
    return content_of(file) if file.kind == "image" and file.is_inline_safe else None


def content_for_model(file: File) -> Content:
    if file.downsized is None:
        return content_of(file)
    made = file.downsized
    return Content(
        path=made.path,
        media_type=made.media_type,
        size=made.size,
        etag=bytes(made.sha256).hex(),
        is_made_for_models=True,
    )


def text_of(file_ids: Collection[UUID]) -> dict[UUID, FileWords]:
    """The words of each file that exists; for callers that already decided who sees them."""
    files = File.objects.filter(pk__in=file_ids, deleted_at=None).only("id", "state", "text_state", "text_reason")
    texts = {text.file_id: text for text in FileText.objects.filter(file__in=file_ids)}
    words = {}
    for file in files:
        text = texts.get(file.pk) if file.state == FileState.READY else None
        words[file.pk] = FileWords(
            text=text.content if text else "",
            state=TextState(file.text_state),
            reason=Reason(file.text_reason),
            is_truncated=bool(text and text.is_truncated),
        )
    return words


def count_characters(file_ids: Collection[UUID]) -> int:
    """Of all the words of these files together; for callers that already decided who sees them."""
    rows = FileText.objects.filter(file__in=file_ids, file__deleted_at=None)
    return rows.aggregate(total=Sum(Length("content")))["total"] or 0


def list_being_read(file_ids: Collection[UUID]) -> list[UUID]:
    """Documents whose words, and large pictures whose small copy, a worker is about to bring. After two minutes nobody waits any more."""
    too_large = Q(size__gt=MODEL_BYTES) | Q(width=None) | Q(width__gt=MODEL_SIDE) | Q(height__gt=MODEL_SIDE)
    picture = Q(kind=FileKind.IMAGE, state=FileState.READY, is_processed=False)
    waited_for = Q(text_state=TextState.PENDING) | picture & (too_large | ~Q(media_type__in=INLINE_IMAGES))
    rows = File.objects.filter(waited_for, pk__in=file_ids, deleted_at=None)
    return list(rows.filter(created_at__gt=Now() - timedelta(minutes=2)).values_list("pk", flat=True))


def room_left(organization_id: UUID) -> int:
    """Bytes an organization may still bring; a hint for refusing early, the charge itself is exact."""
    use = StorageUse.objects.filter(organization=organization_id).first()
    if use is None:
        return settings.PARLANCE_FILE_QUOTA_BYTES
    return quota_of(use) - use.used_bytes


def quota_of(use: StorageUse) -> int:
    return settings.PARLANCE_FILE_QUOTA_BYTES if use.quota_bytes is None else use.quota_bytes
