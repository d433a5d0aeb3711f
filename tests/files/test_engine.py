import io
import resource
from datetime import timedelta

import pytest
from django.utils import timezone
from PIL import Image

from apps.core.models import Event
from apps.files import engine, selectors, services, storage
from apps.files.models import File
from tests.files import samples
from tests.files.factories import upload

DOCX = "letter.docx"


def processed(file):
    engine.process_file(file_id=file.pk)
    file.refresh_from_db()
    return file


def picture_at(blob):
    return Image.open(io.BytesIO(storage.location(blob.path).read_bytes()))


def test_process_picture_makes_small_ones_turned_upright(owner, project):
    file = processed(upload(owner, project, samples.turned_image(3000, 1000), "photo.jpg"))

    assert (file.is_processed, file.state, file.width, file.height) == (True, "ready", 1000, 3000)
    assert picture_at(file.preview).size == (160, 480)
    assert picture_at(file.downsized).size == (523, 1568)
    assert not dict(picture_at(file.preview).getexif())
    assert Event.objects.get(type="files.file_processed").payload == {"file_id": str(file.pk), "text_state": "none"}


def test_process_picture_keeps_transparency(owner, project):
    content = samples.image(600, 600, mode="RGBA", colour=(0, 0, 0, 0))

    file = processed(upload(owner, project, content, "logo.png"))

    assert file.preview.media_type == "image/png"
    assert picture_at(file.preview).mode == "RGBA"


def test_process_broken_picture_fails_it(owner, project):
    content = samples.image(400, 400, kind="JPEG", quality=95)

    file = processed(upload(owner, project, content[: len(content) // 3], "broken.jpg"))

    assert (file.state, file.reason, file.is_inline_safe) == ("failed", "broken_image", False)
    assert Event.objects.get(type="files.file_failed").payload["reason"] == "broken_image"


def test_process_document_reads_its_words(owner, project):
    file = processed(upload(owner, project, samples.docx("Terms of the lease"), DOCX))

    assert (file.text_state, file.extracted_text) == ("ready", "Terms of the lease")


def test_process_pdf_reads_its_words(owner, project):
    file = processed(upload(owner, project, samples.pdf("Nine hundred euros"), "invoice.pdf"))

    assert (file.text_state, file.extracted_text) == ("ready", "Nine hundred euros")


@pytest.mark.parametrize(
    ("content", "name", "state", "text_state", "reason"),
    [
        (samples.pdf(encrypt=True), "secret.pdf", "ready", "failed", "encrypted"),
        (samples.pdf()[:200], "broken.pdf", "ready", "failed", "broken_document"),
        (samples.docx()[:-40], DOCX, "ready", "failed", "broken_document"),
        (samples.bomb(), DOCX, "failed", "failed", "archive_bomb"),
        (samples.docx(extra={f"word/x{n}": b"" for n in range(10_001)}), DOCX, "failed", "failed", "archive_bomb"),
        (samples.billion_laughs(), DOCX, "ready", "failed", "broken_document"),
    ],
    ids=["encrypted", "broken pdf", "broken docx", "zip bomb", "10,001 entries", "billion laughs"],
)
def test_process_document_that_fights_back_fails_with_a_reason(
    owner, project, content, name, state, text_state, reason
):
    largest = resource.getrusage(
        resource.RUSAGE_CHILDREN
    ).ru_maxrss  # another child of this process: who migrated the tests' database
    file = processed(upload(owner, project, content, name))

    assert (file.is_processed, file.state, file.text_state, file.text_reason) == (True, state, text_state, reason)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(largest + 1, 1 << 20)  # kB


def test_process_document_with_an_outside_entity_reads_no_file(owner, project, tmp_path):
    (tmp_path / "secret").write_text("canary-7f3a")
    document = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>before &e; after</w:t></w:r></w:p></w:body></w:document>"
    ).encode()

    file = processed(upload(owner, project, samples.docx(document=document), DOCX))

    assert "canary" not in file.extracted_text


def test_reader_past_its_memory_or_time_is_stopped(owner, project, monkeypatch):
    monkeypatch.setitem(engine.LIMITS, "memory_bytes", 60 << 20)
    hungry = processed(upload(owner, project, samples.pdf("a"), "a.pdf"))
    monkeypatch.setitem(engine.LIMITS, "memory_bytes", 1 << 30)
    monkeypatch.setattr(engine, "WALL_SECONDS", 0.05)
    slow = processed(upload(owner, project, samples.pdf("b"), "b.pdf"))

    assert hungry.text_state == "failed"
    assert (slow.text_state, slow.text_reason) == ("failed", "too_slow")


def test_process_without_the_parsers_says_so(owner, project):
    file = upload(owner, project, samples.docx(), DOCX)
    claimed = services.claim_processing(file_id=file.pk)

    services.finish_processing(
        file_id=file.pk,
        fence=claimed.fence,
        reading=engine.Reading(reason=engine.Reason.NO_PARSER),
        folder=storage.incoming(),
    )

    words = selectors.text_of([file.pk])[file.pk]
    assert (words.state, words.reason, words.text) == ("unavailable", "no_parser", "")


def test_claim_processing_is_exclusive_until_the_lease_lapses(owner, project):
    file = upload(owner, project, samples.image(), "a.png")

    first = services.claim_processing(file_id=file.pk)
    assert services.claim_processing(file_id=file.pk) is None
    File.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    second = services.claim_processing(file_id=file.pk)

    assert (first.fence, second.fence) == (1, 2)
    assert not services.finish_processing(
        file_id=file.pk, fence=first.fence, reading=engine.Reading(), folder=storage.incoming()
    )
    file.refresh_from_db()
    assert not file.is_processed


def test_claim_processing_gives_up_after_three_dead_readers(owner, project):
    file = upload(owner, project, samples.docx(), DOCX)
    for _attempt in range(3):
        assert services.claim_processing(file_id=file.pk) is not None
        File.objects.update(lease_until=None)

    assert services.claim_processing(file_id=file.pk) is None
    file.refresh_from_db()
    assert (file.is_processed, file.text_state, file.text_reason) == (True, "failed", "too_slow")


def test_list_unread_finds_what_lost_its_hint(owner, project):
    lost, fresh = upload(owner, project, samples.image(), "a.png"), upload(owner, project, samples.docx(), DOCX)
    File.objects.filter(pk=lost.pk).update(created_at=timezone.now() - timedelta(minutes=1))

    assert services.list_unread() == [{"file_id": lost.pk}]
    assert not fresh.is_processed


def test_image_for_model_of_a_small_picture_is_the_picture(owner, project):
    content = samples.image()

    assert engine.image_for_model(upload(owner, project, content, "a.png")) == ("image/png", content)


def test_large_picture_is_waited_for_until_the_job_has_been(owner, project):
    small = upload(owner, project, samples.image(), "small.png")
    large = upload(owner, project, samples.image(3200, 1600, kind="JPEG"), "a.jpg")

    assert engine.image_for_model(large) is None
    assert selectors.list_being_read([small.pk, large.pk]) == [large.pk]
    processed(large)
    assert selectors.list_being_read([small.pk, large.pk]) == []
    media_type, data = engine.image_for_model(selectors.find_file(file_id=large.pk))
    assert media_type == "image/jpeg"
    assert Image.open(io.BytesIO(data)).size == (1568, 784)


def test_image_for_model_after_the_job_is_what_it_made(owner, project):
    file = processed(upload(owner, project, samples.image(3200, 1600, kind="JPEG"), "a.jpg"))

    _media_type, data = engine.image_for_model(selectors.find_file(file_id=file.pk))

    assert data == storage.location(file.downsized.path).read_bytes()


def test_image_for_model_of_what_is_no_picture_is_none(owner, project):
    assert engine.image_for_model(upload(owner, project)) is None
