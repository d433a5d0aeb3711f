"""Files in exports and imports: as base64 in a document, or beside it in an archive that is written and read in pieces."""

from __future__ import annotations

import base64
import io
import os
import tracemalloc
import zipfile

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.conversations import services
from apps.conversations.models import Attachment, Conversation, Message
from apps.conversations.services import imports, transfer
from apps.conversations.transfer_archive import opened
from apps.conversations.types import GONE, MAX_ATTACHMENTS
from apps.core import bodies
from apps.files.models import Blob, File
from apps.files.services import store_upload
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import answer, say, someone, start
from tests.conversations.test_transfer import moved

pytestmark = pytest.mark.django_db


@pytest.fixture
def with_files(ines, project):
    """A conversation that shows one file twice and another once."""
    conversation = start(ines, project)
    one, other = (
        store_upload(actor=ines, project_id=project.pk, name=name, stream=io.BytesIO(content))
        for name, content in (("short.txt", b"short"), ("long.txt", b"much longer than the first"))
    )
    answer(say(ines, conversation, "Both", attachments=[one.pk, other.pk]))
    say(ines, conversation, "The first again", attachments=[one.pk])
    return conversation


@pytest.mark.parametrize("form", ["json", "zip"])
def test_files_come_along_and_are_stored_once(ines, with_files, form):
    exported, again, imported = moved(ines, with_files, form)

    assert [base64.b64decode(content) for content in exported["files"].values()] == [
        b"short",
        b"much longer than the first",
    ]
    assert again == exported
    assert File.objects.filter(organization=imported.organization_id).count() == 2
    found = [
        part["file"]
        for row in Message.objects.filter(conversation=imported).order_by("number")
        for part in row.parts
        if part["type"] == "file"
    ]
    assert found[0] == found[2] != found[1]
    assert {str(pk) for pk in Attachment.objects.filter(conversation=imported).values_list("file", flat=True)} == {
        *found
    }


def test_page_says_that_the_json_is_too_large_and_offers_the_archive(ines, with_files, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_EXPORTED_FILES_BYTES", 12)
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))
    address = f"/c/{with_files.pk}/save/"

    refused, packed = client.get(f"{address}?format=json"), client.get(f"{address}?format=zip")

    assert (refused.status_code, refused["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert '<a class="button primary" href="?format=zip">' in refused.content.decode()
    assert (packed.status_code, packed["Content-Type"]) == (200, "application/zip")
    assert client.get(f"{address}?format=exe").status_code == 404


def test_json_that_would_be_too_large_is_refused_and_the_archive_is_not(ines, with_files, api, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_EXPORTED_FILES_BYTES", 12)
    address = f"/api/v1/conversations/{with_files.pk}/export/"

    refused, packed = api.get(f"{address}?format=json"), api.get(f"{address}?format=zip")

    assert (refused.status_code, refused.json()["code"]) == (413, "export_too_large")
    assert (packed.status_code, packed["Content-Type"]) == (200, "application/zip")
    assert (
        packed["Content-Disposition"] == "attachment; filename=\"conversation.zip\"; filename*=UTF-8''conversation.zip"
    )
    with zipfile.ZipFile(io.BytesIO(b"".join(packed.streaming_content))) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3


def test_file_that_an_earlier_export_left_out_is_imported_as_gone(ines, with_files):
    document = services.export_json(conversation=with_files, viewer=ines, has_files=False)

    imported = services.import_conversation(actor=ines, project_id=with_files.project_id, document=document)

    assert [(each["name"], each["size"]) for each in document["left_out"]] == [("short.txt", 5), ("long.txt", 26)]
    parts = Message.objects.get(conversation=imported, number=1).parts
    assert {part["file"] for part in parts if part["type"] == "file"} == {GONE}


@pytest.mark.parametrize("name", ["conversation.zip", "conversation.json"])
def test_either_form_is_imported_from_a_form(ines, with_files, project, api, name):
    form = name.rpartition(".")[2]
    exported = api.get(f"/api/v1/conversations/{with_files.pk}/export/?format={form}")
    content = b"".join(exported.streaming_content) if exported.streaming else exported.content

    answered = api.post(
        "/api/v1/conversations/import/", {"project": str(project.pk), "file": SimpleUploadedFile(name, content)}
    )

    assert answered.status_code == 201, answered.content
    imported = Conversation.objects.get(pk=answered.json()["id"])
    assert imported.imported_digest == services.export_json(conversation=with_files, viewer=ines)["digest"]


def test_archive_is_imported_on_the_page(ines, with_files, client):
    client.force_login(User.objects.get(pk=ines.user_id))
    packed = b"".join(services.export_archive(conversation=with_files, viewer=ines))

    answered = client.post(reverse("conversations:import"), {"file": SimpleUploadedFile("it.zip", packed)})

    imported = Conversation.objects.exclude(pk=with_files.pk).get()
    assert answered["Location"] == f"/c/{imported.pk}/"
    assert client.get(f"/c/{imported.pk}/").status_code == 200


def test_import_that_fails_after_its_files_were_stored_leaves_nothing(ines, with_files, monkeypatch):
    exported = services.export_json(conversation=with_files, viewer=ines)
    rows, contents = File.objects.count(), Blob.objects.count()
    elsewhere = ProjectFactory()
    daniel = someone(elsewhere)

    def fail(*_arguments):
        raise RuntimeError

    monkeypatch.setattr(imports, "record_attachments", fail)
    with pytest.raises(RuntimeError):
        services.import_conversation(actor=daniel, project_id=elsewhere.pk, document=exported)

    assert (File.objects.count(), Blob.objects.count()) == (rows, contents)
    assert not Conversation.objects.filter(project=elsewhere).exists()


def test_import_addresses_take_what_may_be_attached(settings):
    for address in ("/api/v1/conversations/import/", reverse("conversations:import")):
        assert bodies.limit_for(address) > settings.PARLANCE_MAX_IMPORT_BYTES > MAX_ATTACHMENTS * 50 * 1024 * 1024
    assert bodies.limit_for("/api/v1/conversations/") < transfer.MAX_EXPORTED_FILES_BYTES


MEGABYTE = 1 << 20


def test_archive_is_written_and_read_in_pieces(ines, project, tmp_path):
    """Twelve megabytes of files and a thousand long messages pass through a few megabytes of memory."""
    conversation = start(ines, project)
    files = [
        store_upload(
            actor=ines, project_id=project.pk, name=f"{number}.bin", stream=io.BytesIO(os.urandom(6 * MEGABYTE))
        )
        for number in range(2)
    ]
    first = say(ines, conversation, "Both", attachments=[file.pk for file in files])
    answer(first)
    rows = [
        Message(
            organization_id=conversation.organization_id,
            conversation=conversation,
            number=number,
            role="user",
            parts=[{"type": "text", "text": text}],
            content=text,
        )
        for number in range(3, 1003)
        if (text := f"{number} " + "word " * 2000)
    ]
    Message.objects.bulk_create(rows)
    Conversation.objects.filter(pk=conversation.pk).update(last_number=1002)
    conversation.refresh_from_db()
    path = tmp_path / "export.zip"

    tracemalloc.start()
    with path.open("wb") as target:
        for piece in services.export_archive(conversation=conversation, viewer=ines):
            assert len(piece) < MEGABYTE
            target.write(piece)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert path.stat().st_size > 12 * MEGABYTE
    assert peak < 8 * MEGABYTE
    with path.open("rb") as source, opened(source) as package:
        tracemalloc.start()
        for key, size in package.contents.sizes().items():
            with package.contents.open(key) as stream:
                assert size == sum(len(piece) for piece in iter(lambda: stream.read(65536), b""))
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(package.document["conversation"]["messages"]) == 1002
    assert peak < 2 * MEGABYTE


def test_archive_in_zip64_is_read(ines, with_files, monkeypatch):
    """The form of archives beyond 4 GB or 65,535 entries, forced on a small one."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    packed = b"".join(services.export_archive(conversation=with_files, viewer=ines))
    monkeypatch.undo()

    assert b"PK\x06\x06" in packed
    with opened(io.BytesIO(packed)) as package:
        assert len(package.contents.sizes()) == 2


@pytest.mark.django_db(transaction=True)
async def test_archive_is_streamed_by_the_loop(async_client):
    @sync_to_async
    def prepare():
        project = ProjectFactory()
        ines = someone(project)
        conversation = start(ines, project, title="Port")
        file = store_upload(actor=ines, project_id=project.pk, name="a.bin", stream=io.BytesIO(os.urandom(MEGABYTE)))
        say(ines, conversation, "Look", attachments=[file.pk])
        async_client.force_login(User.objects.get(pk=ines.user_id))
        return conversation

    conversation = await prepare()

    answered = await async_client.get(f"/api/v1/conversations/{conversation.pk}/export/?format=zip")

    assert answered.is_async
    pieces = [piece async for piece in answered.streaming_content]
    await sync_to_async(connections.close_all)()
    assert len(pieces) > 3
    with opened(io.BytesIO(b"".join(pieces))) as package:
        assert list(package.contents.sizes().values()) == [MEGABYTE]
