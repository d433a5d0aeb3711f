"""A4, A7, A8, A38, A50-A53, A60 and A62 as far as files go: through the real addresses, and nothing changes."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.conversations.models import Message
from apps.core.models import Event
from apps.files import engine
from apps.files.models import Blob, File
from tests.accounts.factories import ProjectFactory, UserFactory, bearer, key_of, member_of
from tests.attacks.caller import Client, own_folder
from tests.files import samples
from tests.files.factories import upload

__all__ = ["own_folder"]

URL = "/api/v1/attachments/"
PATHS = ("/api/v1/attachments/{}/", "/api/v1/attachments/{}/download/", "/api/v1/attachments/{}/preview/")
PAGES = ("/files/{}/", "/files/{}/preview/")


@pytest.fixture
def a(db):
    return UserFactory()


@pytest.fixture
def project(a):
    return ProjectFactory(owner=a)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def send(client, project, content, name="a.txt", media_type="application/octet-stream"):
    return client.post(URL, {"project": str(project.pk), "file": SimpleUploadedFile(name, content, media_type)})


def tree(root):
    return sorted(str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file())


def test_a7_foreign_file_looks_like_a_random_id(a, project):
    file = upload(a, project, samples.image(), "secret-name.png")
    x = UserFactory()
    ProjectFactory(owner=x)
    b = member_of(project)

    for stranger in (x, b):
        client = signed_in(stranger)
        for path in PATHS:
            foreign, random = client.get(path.format(file.pk)), client.get(path.format(uuid4()))
            assert foreign.status_code == random.status_code == 404
            left, right = foreign.json(), random.json()
            left.pop("request_id"), right.pop("request_id")
            assert left == right
        for path in PAGES:
            foreign, random = client.get(path.format(file.pk)), client.get(path.format(uuid4()))
            assert foreign.status_code == random.status_code == 404
            assert b"secret-name" not in foreign.content
        assert client.delete(PATHS[0].format(file.pk)).status_code == 404
    for path in PATHS:
        assert Client().get(path.format(file.pk)).status_code == 401
        revoked = bearer("pk_" + "x" * 43)
        assert Client(headers=revoked).get(path.format(file.pk)).status_code == 401
    assert File.objects.get().deleted_at is None


def test_a7_key_of_another_organization_of_the_same_person_sees_nothing(a, project):
    file = upload(a, project)
    other = ProjectFactory(owner=a)

    client = Client(headers=bearer(key_of(a, other.organization)))

    assert client.get(PATHS[0].format(file.pk)).status_code == 404


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (samples.SVG, "x.svg"),
        (samples.SVG, "x.png"),
        (samples.HTML, "x.html"),
        (samples.HTML, "x.txt"),
        (samples.HTML, "x.png"),
        (samples.XML, "x.xml"),
        (samples.pdf(), "x.pdf"),
        (b"\x00\x01" + samples.HTML, "x.html"),
    ],
)
def test_a38_active_content_is_a_powerless_download(a, project, content, name):
    client = signed_in(a)
    file = send(client, project, content, name, "image/png").json()

    answer = client.get(file["url"])

    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert answer.headers["Content-Type"] in {"application/octet-stream", "application/pdf"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "allow-" not in answer.headers["Content-Security-Policy"]
    assert client.get(f"/files/{file['id']}/preview/").status_code == 404
    assert not file["is_inline_safe"]


@pytest.mark.parametrize("extra", [{"path": "/etc/passwd"}, {"url": "http://127.0.0.1/"}, {"filepath": "x"}])
def test_a50_server_paths_and_addresses_are_unknown_fields(a, project, extra):
    answer = signed_in(a).post(URL, {"project": str(project.pk), "file": SimpleUploadedFile("a.txt", b"a"), **extra})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")
    assert not File.objects.exists()


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (json.dumps({"project": "x", "files": [{"path": "/etc/passwd", "filename": "a"}]}), "application/json"),
        (json.dumps({"file": {"filepath": "/etc/passwd"}}), "application/json; multipart/form-data"),
        ("file=%2Fetc%2Fpasswd", "application/x-www-form-urlencoded"),
        ("hello", "text/plain"),
    ],
)
def test_a51_what_is_not_multipart_is_415(a, project, body, media_type):
    answer = signed_in(a).post(URL, body, content_type=media_type)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert not File.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nno end',
        b'--y\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--y--',
        b'--x\r\nContent-Disposition: form-data; name="project"\r\n\r\n\xff\xfe\x00\r\n--x--',
        b"--x\r\n" + b"A: b\r\n" * 100_000,
    ],
)
def test_a60_broken_multipart_is_refused(a, body):
    answer = signed_in(a).post(URL, body, content_type="multipart/form-data; boundary=x")

    assert answer.status_code == 400
    assert not File.objects.exists()


def test_a60_broken_multipart_is_refused_where_the_form_is_looked_at_for_a_token(a, settings):
    client = Client(enforce_csrf_checks=True)
    client.force_login(a)
    client.cookies[settings.CSRF_COOKIE_NAME] = token = "t" * 32

    answer = client.post(
        URL,
        b"--x\r\n" + b"A: b\r\n" * 100_000,
        content_type="multipart/form-data; boundary=x",
        headers={"X-CSRFToken": token},
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a60_without_a_boundary_is_refused(a):
    assert signed_in(a).post(URL, b"x", content_type="multipart/form-data").status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "../../../../tmp/escaped",
        "..\\..\\escaped",
        "%2e%2e%2fescaped",
        "/etc/cron.d/escaped",
        "a\x00.png",
        "x" * 300,
        "CON",
        "nul.txt",
        ".htaccess",
        "-rf",
        'a"; filename="b.html',
        "a\r\nSet-Cookie: x=y",
        "\u202egnp.exe",
    ],
)
@pytest.mark.in_process("looks at all of a folder of its own")
def test_a52_names_are_never_paths_nor_headers(a, project, settings, name):
    client = signed_in(a)
    boundary = "frontier"
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="project"\r\n\r\n{project.pk}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{escaped}"\r\n'
        f"Content-Type: text/plain\r\n\r\nhello\r\n--{boundary}--\r\n"
    ).encode()

    answer = client.post(URL, body, content_type=f"multipart/form-data; boundary={boundary}")

    outside = [path for path in tree(Path(settings.MEDIA_ROOT).parent) if not path.startswith("files/")]
    assert outside == []
    if answer.status_code == 201:
        blob = Blob.objects.get()
        assert tree(settings.MEDIA_ROOT) == [blob.path]
        shown = answer.json()["name"]
        assert not set(shown) & set('/\\\x00\r\n"\u202e')
        assert 0 < len(shown) <= 180
        disposition = client.get(answer.json()["url"]).headers["Content-Disposition"]
        assert "\r" not in disposition
        assert "\n" not in disposition
        assert disposition.count("filename=") == 1
    else:
        assert answer.status_code == 400
        assert not File.objects.exists()


def archive(names):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as zipped:
        for name in names:
            zipped.writestr(name, b"x")
    return target.getvalue()


def tarred():
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (archive(["../../escaped", "/etc/escaped", "ok.txt"]), "slip.zip"),
        (tarred(), "link.tar.gz"),
        (archive([f"{n}" for n in range(2000)]), "many.zip"),
    ],
)
def test_a53_archives_are_downloads_that_nobody_unpacks(a, project, settings, content, name):
    file = send(signed_in(a), project, content, name).json()

    engine.process_file(file_id=file["id"])

    assert (file["kind"], file["state"], file["text"]["state"]) == ("other", "ready", "none")
    assert tree(settings.MEDIA_ROOT) == [Blob.objects.get().path]


def test_a53_pixel_flood_is_refused_at_the_door(a, project, settings):
    answer = send(signed_in(a), project, samples.pixel_flood(), "flood.png")

    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (
        400,
        "file_refused",
        "too_many_pixels",
    )
    assert tree(settings.MEDIA_ROOT) == []


def test_a53_polyglot_is_served_as_what_its_beginning_is(a, project):
    polyglot = samples.image(kind="GIF") + b"<script>alert(1)</script>" + archive(["a"])
    client = signed_in(a)
    file = send(client, project, polyglot, "x.html", "text/html").json()

    answer = client.get(file["url"])

    assert (file["media_type"], file["is_misnamed"]) == ("image/gif", True)
    assert answer.headers["Content-Type"] == "image/gif"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a53_disguised_program_is_held_back(a, project):
    client = signed_in(a)
    file = send(client, project, samples.PROGRAM, "holiday.jpg", "image/jpeg").json()

    assert file["state"] == "quarantined"
    assert client.get(file["url"]).status_code == 409
    assert client.get(f"{URL}{file['id']}/download/").status_code == 409


def test_a4_message_with_one_foreign_file_attaches_nothing(a, project):
    b = member_of(project)
    own = [str(upload(a, project, b"%d" % n).pk) for n in range(9)]
    foreign = str(upload(b, project, b"private").pk)
    client = signed_in(a)
    made = client.post("/api/v1/conversations/", {"project": str(project.pk)}, content_type="application/json")
    assert made.status_code == 201, made.content
    before = Event.objects.filter(is_refusal=False).count()

    answer = client.post(
        f"/api/v1/conversations/{made.json()['id']}/messages/",
        {"client_id": str(uuid4()), "content": "look", "attachments": [*own, foreign]},
        content_type="application/json",
    )

    assert answer.status_code == 404
    assert not Message.objects.exists()
    assert not File.objects.exclude(attached_at=None).exists()
    assert Event.objects.filter(is_refusal=False).count() == before


def test_a4_file_of_another_organization_cannot_be_carried_over(a, project):
    elsewhere = ProjectFactory(owner=a)
    file = upload(a, elsewhere, b"of the other organization")
    client = signed_in(a)
    made = client.post("/api/v1/conversations/", {"project": str(project.pk)}, content_type="application/json").json()

    answer = client.post(
        f"/api/v1/conversations/{made['id']}/messages/",
        {"client_id": str(uuid4()), "content": "look", "attachments": [str(file.pk)]},
        content_type="application/json",
    )

    assert answer.status_code == 404
    assert not Message.objects.exists()


def test_a8_file_seen_through_a_conversation_is_read_and_not_removed(a, project):
    b = member_of(project)
    file = upload(a, project, b"shared words")
    owner, reader = signed_in(a), signed_in(b)
    made = owner.post("/api/v1/conversations/", {"project": str(project.pk)}, content_type="application/json").json()
    posted = owner.post(
        f"/api/v1/conversations/{made['id']}/messages/",
        {"client_id": str(uuid4()), "content": "look", "attachments": [str(file.pk)]},
        content_type="application/json",
    )
    assert posted.status_code == 202, posted.content

    assert reader.get(PATHS[0].format(file.pk)).status_code == 200
    assert b"".join(reader.get(f"/files/{file.pk}/")) == b"shared words"
    assert reader.delete(PATHS[0].format(file.pk)).status_code == 403
    assert File.objects.get().deleted_at is None
    assert signed_in(UserFactory()).get(PATHS[0].format(file.pk)).status_code == 404
