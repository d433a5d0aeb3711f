import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from apps.core.doors.file_access import FileAccess, file_access
from apps.core.errors import Forbidden, NotFound
from apps.core.models import Event
from apps.files import selectors, services, storage
from apps.files.models import Blob, File, StorageUse
from apps.files.types import EmptyFile, FileNotReady, FileRefused, FileTooLarge, QuotaReached
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, member_of, reader_of
from tests.files import samples
from tests.files.factories import upload


def on_disk(settings) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@pytest.fixture
def shared():
    """Lets a test say who sees and who uses files, the way an attaching app does."""
    seen, used = {}, set()
    access = FileAccess(
        allowed=lambda viewer, ids: {pk for pk in ids if viewer.user_id in seen.get(pk, ())},
        used=lambda ids: used & set(ids),
        let_go=used.difference_update,
    )
    file_access._items["test"] = access
    yield seen, used
    del file_access._items["test"]


def test_store_upload_keeps_content_under_a_generated_name(owner, project, settings):
    file = upload(owner, project, b"Hello, file.\n", "../../etc/passwd")

    assert file.name == "passwd"
    assert (file.media_type, file.kind, file.size, file.state) == ("text/plain", "text", 13, "ready")
    assert (file.text_state, file.extracted_text) == ("ready", "Hello, file.\n")
    (path,) = on_disk(settings)
    assert path.read_bytes() == b"Hello, file.\n"
    assert path.name == file.blob_id.hex
    assert path.stat().st_mode & 0o077 == 0
    event = Event.objects.get(type="files.file_stored")
    assert event.payload == {
        "file_id": str(file.pk),
        "kind": "text",
        "media_type": "text/plain",
        "size": 13,
        "state": "ready",
    }


def test_store_upload_keeps_the_same_content_once(owner, project, settings):
    first = upload(owner, project, b"same", "a.txt")
    second = upload(owner, project, b"same", "b.txt")

    assert first.blob_id == second.blob_id
    assert len(on_disk(settings)) == 1
    assert StorageUse.objects.get().used_bytes == 8


def test_store_upload_never_shares_content_between_organizations(owner, project, settings):
    other = UserFactory()
    first = upload(owner, project, b"same")
    second = upload(other, ProjectFactory(owner=other), b"same")

    assert first.blob_id != second.blob_id
    assert len(on_disk(settings)) == 2


@pytest.mark.parametrize(
    ("content", "name", "error", "code"),
    [
        (b"", "a.txt", EmptyFile, "file_empty"),
        (b"x" * 2001, "a.txt", FileTooLarge, "file_too_large"),
        (samples.pixel_flood(), "a.png", FileRefused, "file_refused"),
        (samples.image()[:20], "a.png", FileRefused, "file_refused"),
    ],
)
def test_store_upload_refuses_and_leaves_nothing(owner, project, settings, content, name, error, code):
    settings.PARLANCE_MAX_FILE_BYTES = 2000

    with pytest.raises(error) as refused:
        upload(owner, project, content, name)

    assert refused.value.code == code
    assert on_disk(settings) == []
    assert not File.objects.exists()
    assert not Blob.objects.exists()


def test_store_upload_when_the_stream_breaks_leaves_nothing(owner, project, settings):
    class Broken:
        pieces = [b"some", b"thing"]

        def read(self, size=-1):
            if self.pieces:
                return self.pieces.pop()
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        services.store_upload(actor=actor_of(owner), project_id=project.pk, name="x", stream=Broken())

    assert on_disk(settings) == []
    assert not File.objects.exists()


def test_store_upload_by_a_stranger_is_not_found_and_by_a_reader_forbidden(owner, project, settings):
    stranger, reader = UserFactory(), reader_of(project)

    with pytest.raises(NotFound):
        upload(stranger, project)
    with pytest.raises(Forbidden):
        upload(reader, project)

    assert on_disk(settings) == []
    assert not File.objects.exists()


def test_store_upload_of_a_disguised_program_is_quarantined(owner, project):
    file = upload(owner, project, samples.PROGRAM, "holiday.jpg")

    assert (file.state, file.reason, file.is_misnamed) == ("quarantined", "disguised_program", True)
    with pytest.raises(FileNotReady):
        selectors.get_usable_file(file.pk, actor_of(owner))
    with pytest.raises(FileNotReady):
        selectors.claim_own(actor=actor_of(owner), file_ids=[file.pk])


def test_release_file_takes_an_operator(owner, project):
    file = upload(owner, project, samples.PROGRAM, "holiday.jpg")
    operator = UserFactory(is_staff=True)

    with pytest.raises(Forbidden):
        services.release_file(actor=actor_of(owner), file_id=file.pk)
    services.release_file(actor=actor_of(operator), file_id=file.pk)

    file.refresh_from_db()
    assert (file.state, file.reason, file.is_inline_safe) == ("ready", "", False)


def test_quota_is_charged_and_freed(owner, project, settings):
    settings.PARLANCE_FILE_QUOTA_BYTES = 10
    file = upload(owner, project, b"12345678")

    with pytest.raises(QuotaReached) as refused:
        upload(owner, project, b"123")
    assert refused.value.extra == {"quota_bytes": 10, "used_bytes": 8}
    services.delete_file(actor=actor_of(owner), file_id=file.pk)
    upload(owner, project, b"1234567890")

    assert StorageUse.objects.get().used_bytes == 10


@pytest.mark.django_db(transaction=True)
def test_quota_holds_under_20_parallel_uploads(settings):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    settings.PARLANCE_FILE_QUOTA_BYTES = 10 * 1000

    def one(n):
        try:
            upload(owner, project, b"%04d" % n * 250, f"{n}.txt")
        except QuotaReached:
            return "refused"
        finally:
            connections.close_all()
        return "stored"

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(one, range(20)))

    assert sorted(outcomes) == ["refused"] * 10 + ["stored"] * 10
    assert StorageUse.objects.get().used_bytes == 10_000
    assert File.objects.count() == 10
    assert len(on_disk(settings)) == 10


@pytest.mark.django_db(transaction=True)
def test_the_same_content_uploaded_and_deleted_in_parallel_never_loses_bytes(settings):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)

    def one(n):
        try:
            file = upload(owner, project, b"shared content", f"{n}.txt")
            if n % 2:
                services.delete_file(actor=actor_of(owner), file_id=file.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))

    assert File.objects.count() == 12
    for file in File.objects.select_related("blob"):
        assert storage.location(file.blob.path).read_bytes() == b"shared content"
    assert len(on_disk(settings)) == 1
    assert StorageUse.objects.get().used_bytes == 12 * 14


def test_get_file_is_found_by_its_owner_alone(owner, project):
    file = upload(owner, project)

    assert selectors.get_file(file.pk, actor_of(owner)).pk == file.pk
    for other in (member_of(project), UserFactory()):
        with pytest.raises(NotFound):
            selectors.get_file(file.pk, actor_of(other))
    with pytest.raises(NotFound):
        selectors.get_file(uuid4(), actor_of(owner))


def test_get_file_through_the_door(owner, project, shared):
    seen, _used = shared
    file, guest = upload(owner, project), UserFactory()
    seen[file.pk] = {guest.pk}

    assert selectors.get_file(file.pk, actor_of(guest)).pk == file.pk


def test_get_file_of_somebody_who_left_is_not_found(owner, project):
    from apps.accounts.models import OrganizationMember

    member = member_of(project)
    file = upload(member, project)
    OrganizationMember.objects.filter(user=member).delete()

    with pytest.raises(NotFound):
        selectors.get_file(file.pk, actor_of(member))


def test_claim_own_keeps_the_order(owner, project):
    files = [upload(owner, project, b"%d" % n) for n in range(3)]
    wanted = [files[2].pk, files[0].pk, files[1].pk]

    assert [file.pk for file in selectors.claim_own(actor=actor_of(owner), file_ids=wanted)] == wanted


def test_claim_own_with_one_foreign_id_is_not_found_for_all(owner, project):
    own = [upload(owner, project, b"%d" % n).pk for n in range(9)]
    foreign = upload(member_of(project), project, b"foreign").pk

    with pytest.raises(NotFound):
        services.attach_files(actor=actor_of(owner), file_ids=[*own, foreign])

    assert not File.objects.exclude(attached_at=None).exists()


def test_claim_own_of_another_project_is_not_found(owner, project):
    file = upload(owner, project)
    other = ProjectFactory(owner=owner)

    with pytest.raises(NotFound):
        selectors.claim_own(actor=actor_of(owner), file_ids=[file.pk], project_id=other.pk)


def test_delete_file_of_another_that_one_sees_is_forbidden(owner, project, shared):
    seen, _used = shared
    file, reader = upload(owner, project), member_of(project)
    seen[file.pk] = {reader.pk}

    with pytest.raises(Forbidden):
        services.delete_file(actor=actor_of(reader), file_id=file.pk)

    assert File.objects.get().deleted_at is None


def test_delete_file_that_is_used_keeps_it_for_30_days(owner, project, shared, settings):
    _seen, used = shared
    file = upload(owner, project)
    used.add(file.pk)

    services.delete_file(actor=actor_of(owner), file_id=file.pk)

    with pytest.raises(NotFound):
        selectors.get_file(file.pk, actor_of(owner))
    assert File.objects.get().deleted_at is not None
    services.sweep()
    assert File.objects.exists()
    File.objects.update(deleted_at=timezone.now() - timedelta(days=31))
    services.sweep()
    assert not File.objects.exists()
    assert used == set()


def test_delete_file_that_nothing_uses_removes_content_and_row(
    owner, project, settings, django_capture_on_commit_callbacks
):
    file = upload(owner, project)

    with django_capture_on_commit_callbacks(execute=True):
        services.delete_file(actor=actor_of(owner), file_id=file.pk)

    assert not File.objects.exists()
    assert not Blob.objects.exists()
    assert on_disk(settings) == []


def test_sweep_erases_what_nobody_attached_and_keeps_what_is_used(owner, project, shared):
    _seen, used = shared
    left, kept = upload(owner, project, b"left"), upload(owner, project, b"kept")
    used.add(kept.pk)
    File.objects.update(created_at=timezone.now() - timedelta(days=8))

    services.sweep()

    assert list(File.objects.values_list("pk", flat=True)) == [kept.pk]
    assert not File.objects.filter(pk=left.pk).exists()


def test_sweep_erases_what_was_attached_and_nothing_uses_any_more(owner, project, shared, settings):
    """A use that ended before, or without, ``detach_files``: rows of an app that were deleted by hand, or by an earlier release."""
    _seen, used = shared
    left, kept, fresh = (upload(owner, project, content) for content in (b"left", b"kept", b"fresh"))
    services.attach_files(actor=actor_of(owner), file_ids=[left.pk, kept.pk, fresh.pk])
    File.objects.exclude(pk=fresh.pk).update(attached_at=timezone.now() - timedelta(days=8))
    used.add(kept.pk)

    services.sweep()

    assert set(File.objects.values_list("pk", flat=True)) == {kept.pk, fresh.pk}
    assert File.objects.get(pk=kept.pk).attached_at > timezone.now() - timedelta(minutes=1)
    assert StorageUse.objects.get().used_bytes == len(b"kept" + b"fresh")


def test_sweep_asks_about_every_attached_file_in_turn(owner, project, shared, monkeypatch):
    _seen, used = shared
    monkeypatch.setattr(services, "SWEEP_AT_ONCE", 2)
    files = [upload(owner, project, f"{number}".encode()) for number in range(5)]
    used.update(file.pk for file in files[:4])
    for number, file in enumerate(files):
        File.objects.filter(pk=file.pk).update(attached_at=timezone.now() - timedelta(days=20 - number))

    for _round in range(3):
        services.sweep()

    assert set(File.objects.values_list("pk", flat=True)) == used


def test_sweep_removes_content_that_no_row_names(owner, project, settings):
    import os

    file = upload(owner, project)
    orphan = Path(settings.MEDIA_ROOT) / "ab" / "cd" / ("0" * 32)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x")
    half = storage.incoming() / "half"
    half.write_bytes(b"x")
    for path in (orphan, half, storage.location(file.blob.path)):
        os.utime(path, (0, 0))

    services.sweep()

    assert on_disk(settings) == [storage.location(file.blob.path)]


def test_long_text_is_cut_and_says_so(owner, project):
    file = upload(owner, project, b"ab" * 600_000, "long.txt")

    words = selectors.text_of([file.pk])[file.pk]
    assert len(words.text) == 1_000_000
    assert words.is_truncated


def test_text_without_nul_and_in_another_code(owner, project):
    file = upload(owner, project, "Viele Grüße".encode("cp1252"), "old.txt")

    assert selectors.text_of([file.pk])[file.pk].text == "Viele Grüße"


def test_stream_of_bytes_only_is_enough(owner, project):
    class Only:
        source = io.BytesIO(b"abc")

        def read(self, size=-1):
            return self.source.read(size)

    file = services.store_upload(actor=actor_of(owner), project_id=project.pk, name="x.txt", stream=Only())

    assert file.size == 3
