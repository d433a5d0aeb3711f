import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import AsyncClient, Client
from django.test.client import encode_multipart

from apps.files import engine
from apps.files.models import File
from tests.accounts.factories import UserFactory, bearer, key_of, member_of, reader_of
from tests.files import samples
from tests.files.factories import upload

URL = "/api/v1/attachments/"


@pytest.fixture
def client(owner):
    client = Client()
    client.force_login(owner)
    return client


def as_key(user, project, **options):
    return Client(headers=bearer(key_of(user, project.organization, **options)))


def post(client, project, content=b"Hello\n", name="notes.txt", media_type="text/plain"):
    return client.post(URL, {"project": str(project.pk), "file": SimpleUploadedFile(name, content, media_type)})


def test_upload_answers_with_what_the_content_is(client, project, owner):
    answer = post(client, project, samples.image(), "picture.txt")

    assert answer.status_code == 201
    body = answer.json()
    file = File.objects.get()
    assert body == {
        "id": str(file.pk),
        "project": str(project.pk),
        "owner": str(owner.pk),
        "name": "picture.txt",
        "media_type": "image/png",
        "kind": "image",
        "size": file.size,
        "state": "ready",
        "reason": "",
        "detail": "",
        "is_inline_safe": True,
        "is_misnamed": True,
        "width": 40,
        "height": 30,
        "text": {"state": "none", "reason": "", "detail": "", "length": 0},
        "url": f"/files/{file.pk}/",
        "preview_url": f"/files/{file.pk}/preview/",
        "created_at": body["created_at"],
    }
    assert client.get(f"{URL}{file.pk}/").json() == body


def post_again(client, project, content, **options):
    return client.post(
        URL,
        {"project": str(project.pk), "file": SimpleUploadedFile("notes.txt", content, "text/plain")},
        headers={"Idempotency-Key": "k1"},
        **options,
    )


def test_upload_repeated_with_its_key_is_stored_once(client, project):
    first = post_again(client, project, b"Seven crates\n")
    # The same form with another boundary, as a client sends it that builds it anew.
    form = {"project": str(project.pk), "file": SimpleUploadedFile("notes.txt", b"Seven crates\n", "text/plain")}
    body = encode_multipart("another", form)
    again = client.post(
        URL, body, content_type="multipart/form-data; boundary=another", headers={"Idempotency-Key": "k1"}
    )

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    kept = File.objects.get()
    assert client.get(f"{URL}{kept.pk}/download/").getvalue() == b"Seven crates\n"


def test_upload_of_another_file_of_equal_length_with_the_same_key_is_refused(client, project):
    post_again(client, project, b"Seven crates\n")

    refused = post_again(client, project, b"Eight crates\n")

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert File.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"project": "x", "file": SimpleUploadedFile("a.txt", b"a")}, "project", "invalid"),
        ({"file": SimpleUploadedFile("a.txt", b"a")}, "project", "required"),
        ({"project": "00000000-0000-7000-8000-000000000000"}, "file", "required"),
        ({"project": "00000000-0000-7000-8000-000000000000", "file": "text"}, "file", "invalid"),
        ({"path": "/etc/passwd", "url": "http://localhost/"}, "path", "unknown_field"),
    ],
)
def test_upload_names_the_wrong_field(client, fields, field, code):
    answer = client.post(URL, fields)

    assert answer.status_code == 400
    assert (field, code) in {(error["field"], error["code"]) for error in answer.json()["errors"]}
    assert not File.objects.exists()


def test_upload_of_nothing_is_refused(client, project):
    answer = post(client, project, b"")

    assert (answer.status_code, answer.json()["code"]) == (400, "file_empty")


def test_upload_larger_than_allowed_is_413(client, project, settings):
    settings.PARLANCE_MAX_FILE_BYTES = 1000

    answer = post(client, project, b"x" * 1001)

    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    assert not File.objects.exists()


def test_upload_by_a_reader_is_forbidden_and_by_a_stranger_not_found(project, owner):
    for user, status in ((reader_of(project), 403), (UserFactory(), 404)):
        client = Client()
        client.force_login(user)
        assert post(client, project).status_code == status
    assert post(Client(), project).status_code == 401
    assert not File.objects.exists()


def test_upload_without_csrf_token_is_refused(owner, project):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    answer = post(client, project)

    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


def test_delete_removes_and_hides(client, owner, project):
    file = upload(owner, project)

    assert client.delete(f"{URL}{file.pk}/").status_code == 204
    for path in ("", "download/", "preview/"):
        assert client.get(f"{URL}{file.pk}/{path}").status_code == 404


def test_download_is_an_attachment_with_the_whole_content(client, owner, project):
    file = upload(owner, project, b"Hello", "Grüße.txt")

    answer = client.get(f"{URL}{file.pk}/download/")

    assert b"".join(answer) == b"Hello"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"Grue.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


def test_file_page_shows_pictures_and_plain_text_inline(client, owner, project):
    picture, text = upload(owner, project, samples.image(), "a.png"), upload(owner, project, b"# Hi", "a.md")

    shown, read = client.get(f"/files/{picture.pk}/"), client.get(f"/files/{text.pk}/")

    assert shown.headers["Content-Type"] == "image/png"
    assert shown.headers["Content-Disposition"].startswith("inline; ")
    assert read.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert read.headers["Content-Disposition"].startswith("inline; ")
    assert client.get(f"/files/{text.pk}/?download").headers["Content-Disposition"].startswith("attachment; ")


def test_preview_is_the_small_picture(client, owner, project):
    file = upload(owner, project, samples.image(2000, 1000, kind="BMP"), "a.bmp")
    assert client.get(f"/files/{file.pk}/preview/").status_code == 404

    engine.process_file(file_id=file.pk)
    answer = client.get(f"/files/{file.pk}/preview/")

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert int(answer.headers["Content-Length"]) < 20_000


def test_range_requests(client, owner, project):
    url = f"/files/{upload(owner, project, bytes(range(100)) * 10, 'data.bin').pk}/"

    def ask(value, **headers):
        answer = client.get(url, headers={"Range": value, **headers})
        body = b"".join(answer) if answer.streaming else b""
        return answer.status_code, answer.headers.get("Content-Range"), len(body), body[:2]

    assert ask("bytes=0-9") == (206, "bytes 0-9/1000", 10, b"\x00\x01")
    assert ask("bytes=990-") == (206, "bytes 990-999/1000", 10, b"\x5a\x5b")
    assert ask("bytes=-5") == (206, "bytes 995-999/1000", 5, b"\x5f\x60")
    assert ask("bytes=500-5000") == (206, "bytes 500-999/1000", 500, b"\x00\x01")
    assert ask("bytes=1000-") == (416, "bytes */1000", 0, b"")
    assert ask("bytes=9-3")[0] == 200
    assert ask("bytes=0-1,4-5")[0] == 200
    assert ask("lines=0-1")[0] == 200
    etag = client.get(url).headers["ETag"]
    assert ask("bytes=0-1", **{"If-Range": etag})[0] == 206
    assert ask("bytes=0-1", **{"If-Range": '"old"'})[0] == 200
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    head = client.head(url)
    assert (head.headers["Content-Length"], head.headers["Accept-Ranges"]) == ("1000", "bytes")


@pytest.mark.django_db(transaction=True)
async def test_file_is_streamed_under_asgi():
    from asgiref.sync import sync_to_async

    from tests.accounts.factories import ProjectFactory

    owner = await sync_to_async(UserFactory)()
    project = await sync_to_async(ProjectFactory)(owner=owner)
    file = await sync_to_async(upload)(owner, project, b"x" * 700_000, "x.txt")
    client = AsyncClient()
    await client.aforce_login(owner)

    answer = await client.get(f"/files/{file.pk}/")
    pieces = [piece async for piece in answer]
    await sync_to_async(connections.close_all)()

    assert sum(map(len, pieces)) == 700_000
    assert len(pieces) == 3


def test_keys_need_their_scope_and_place(owner, project):
    file = upload(owner, project)

    assert as_key(owner, project).get(f"{URL}{file.pk}/").status_code == 200
    assert as_key(owner, project, scopes=("models:use",)).get(f"{URL}{file.pk}/").status_code == 403
    reading = as_key(owner, project, scopes=("conversations:read",))
    assert post(reading, project).status_code == 403
    assert File.objects.count() == 1


def test_another_member_sees_nothing_of_it(owner, project):
    file = upload(owner, project, samples.image(), "a.png")
    other = Client()
    other.force_login(member_of(project))

    for path in (f"{URL}{file.pk}/", f"{URL}{file.pk}/download/", f"{URL}{file.pk}/preview/", f"/files/{file.pk}/"):
        assert other.get(path).status_code == 404
    assert other.delete(f"{URL}{file.pk}/").status_code == 404
    assert File.objects.get().deleted_at is None


def test_part_beyond_the_end_is_416(client, project, owner):
    file = upload(owner, project, b"Hello\n")

    answer = client.get(f"{URL}{file.pk}/download/", headers={"Range": "bytes=6-"})

    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer["Content-Range"] == "bytes */6"
