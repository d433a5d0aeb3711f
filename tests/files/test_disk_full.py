"""D13 for uploads: a full disk refuses with a reason, leaves nothing behind, and needs no restart."""

import subprocess

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.files.models import File, StorageUse
from tests.files.factories import upload

MEGABYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path, settings):
    """A file system of 1 MB for content."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("Mounting a small file system takes root; the drill runs where that is allowed.")
    settings.MEDIA_ROOT = place
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def files_in(place):
    return [path for path in place.rglob("*") if path.is_file()]


def test_full_disk_is_507_and_nothing_is_left(owner, project, small_disk):
    client = Client()
    client.force_login(owner)
    kept = upload(owner, project, b"k" * 700_000, "kept.txt")

    def send():
        content = SimpleUploadedFile("large.txt", b"x" * MEGABYTE)
        return client.post("/api/v1/attachments/", {"project": str(project.pk), "file": content})

    refused = send()

    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert len(files_in(small_disk)) == 1
    assert list(File.objects.values_list("pk", flat=True)) == [kept.pk]
    assert StorageUse.objects.get().used_bytes == 700_000
    assert len(b"".join(client.get(f"/files/{kept.pk}/"))) == 700_000

    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)

    assert send().status_code == 201
