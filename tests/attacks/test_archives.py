"""A52, A53 and A54 against the import of conversations: archives that are not what they say. Through the API and the page."""

import base64
import functools
import hashlib
import io
import json
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.accounts.models import User
from apps.conversations import services
from apps.conversations.models import Conversation
from apps.conversations.transfer_format import digest
from apps.files.services import store_upload
from tests.accounts.factories import ProjectFactory, bearer, key_of
from tests.attacks.caller import Client, own_folder
from tests.attacks.world import rows
from tests.conversations.factories import answer, say, someone, start

__all__ = ["own_folder"]

pytestmark = pytest.mark.django_db

URL = "/api/v1/conversations/import/"
CONTENT = b"What the harbour master saw."
HASH = hashlib.sha256(CONTENT).hexdigest()
MEGABYTE = 1 << 20


@pytest.fixture
def project(db):
    return ProjectFactory()


@pytest.fixture
def ines(project):
    return someone(project)


@pytest.fixture
def a(ines, project):
    return seen(Client(headers=bearer(key_of(User.objects.get(pk=ines.user_id), project.organization))))


def seen(client):
    """A key notes when it was used, once in a while: that is no effect of what comes after."""
    assert client.get("/api/v1/projects/").status_code == 200
    return client


@pytest.fixture
def honest(ines, project):
    """The document of an export, and a file that it names."""
    conversation = start(ines, project, title="The port")
    file = store_upload(actor=ines, project_id=project.pk, name="seen.txt", stream=io.BytesIO(CONTENT))
    answer(say(ines, conversation, "Look", attachments=[file.pk]))
    document = services.export_json(conversation=conversation, viewer=ines)
    return document | {"files": {}}


def packed(document, entries=((f"files/{HASH}", CONTENT),), *, change=None, method=zipfile.ZIP_DEFLATED):
    """A ZIP of the document and ``entries``, (name or ZipInfo, content) each."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("conversation.json", json.dumps(document))
        for name, content in entries:
            archive.writestr(name, content)
    raw = target.getvalue()
    return change(raw) if change else raw


def send(client, project, raw, name="export.zip"):
    return client.post(URL, {"project": str(project.pk), "file": SimpleUploadedFile(name, raw)})


def tree(root):
    return sorted(str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file())


def refused(client, project, raw, settings, codes=("import_refused",)):
    """Refused, and nothing is in any table or on the disk that was not there before."""
    before, lay = rows(), tree(settings.MEDIA_ROOT)
    answered = send(client, project, raw)
    assert (answered.status_code, answered.json()["code"]) in {(400, code) for code in codes}
    assert rows() == before
    assert tree(settings.MEDIA_ROOT) == lay


def test_a53_honest_archive_is_taken(a, project, honest):
    assert send(a, project, packed(honest)).status_code == 201
    assert send(a, project, packed(honest, method=zipfile.ZIP_STORED)).status_code == 201


NAMES = [
    "../conversation.json",
    f"files/../files/{HASH}",
    f"/files/{HASH}",
    f"files\\{HASH}",
    f"files/%2e%2e/{HASH}",
    f"files/{HASH.upper()}",
    f"files/{HASH}/",
    f"files/{HASH}\x00.txt",
    f"files/{HASH}.html",
    f"Files/{HASH}",
    f"./files/{HASH}",
    "files/CON",
    "C:\\files\\x",
    "a" * 300,
    "files/\u202egnp.exe",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a52_names_of_entries_are_those_of_an_export_or_refused(a, project, honest, settings, name):
    # ``zipfile`` writes no such names, so a harmless one of the same length is changed in the archive.
    wanted = name.encode()
    placeholder = "x" * len(wanted)
    raw = packed(honest, [(f"files/{HASH}", CONTENT), (placeholder, b"x")])

    refused(a, project, raw.replace(placeholder.encode(), wanted), settings)


@pytest.mark.in_process("looks at all of a folder of its own")
def test_a52_name_of_a_file_in_the_document_is_only_a_name(a, project, honest, settings):
    for part in honest["conversation"]["messages"][0]["parts"]:
        if part["type"] == "file":
            part["name"] = "../../etc/passwd"
    honest["digest"] = digest(honest["conversation"])
    outside = tree(Path(settings.MEDIA_ROOT).parent.parent)

    assert send(a, project, packed(honest)).status_code == 201

    new = set(tree(Path(settings.MEDIA_ROOT).parent.parent)) - set(outside)
    assert all("/files/" in path and "passwd" not in path for path in new)


def linked(document, _project):
    info = zipfile.ZipInfo(f"files/{HASH}")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return packed(document, [(info, b"/etc/passwd")])


def twice(document, _project):
    raw = packed(document, [(f"files/{HASH}", CONTENT), ("y" * (6 + 64), CONTENT)])
    return raw.replace(b"y" * (6 + 64), f"files/{HASH}".encode())


def flagged(bit, document, _project):
    """``bit`` set in every header, local and central."""
    raw = bytearray(packed(document))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.find(signature)
        while at >= 0:
            raw[at + offset] |= bit
            at = raw.find(signature, at + 4)
    return bytes(raw)


def resized(said, document, _project):
    """The directory says another size than the content has."""
    raw = bytearray(packed(document))
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<L", said)
    return bytes(raw)


def overlapping(document, _project):
    """A second directory entry for the content of the first (the way of bombs without recursion)."""
    other = hashlib.sha256(b"other").hexdigest()
    raw = packed(document, [(f"files/{HASH}", CONTENT), (f"files/{other}", b"other")])
    first = raw.find(b"PK\x03\x04" + b"", raw.find(f"files/{HASH}".encode()) - 30)
    directory = bytearray(raw)
    at = directory.rfind(b"PK\x01\x02")
    directory[at + 42 : at + 46] = struct.pack("<L", first)
    return bytes(directory)


def countless(document, _project):
    """A directory of 100,000 entries."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("conversation.json", json.dumps(document))
        for number in range(100_000):
            archive.writestr(f"files/{number:064x}", b"")
    return target.getvalue()


def said_directory(value, document, _project):
    """The end of the archive lies about the length of its directory."""
    raw = bytearray(packed(document))
    raw[-10:-6] = struct.pack("<L", value)
    return bytes(raw)


HOSTILE = {
    "symbolic link": linked,
    "directory": lambda document, _project: packed(document, [(f"files/{HASH}", CONTENT), ("files/", b"")]),
    "the same name twice": twice,
    "encrypted": functools.partial(flagged, 0x1),
    "strongly encrypted": functools.partial(flagged, 0x40),
    "smaller than said": functools.partial(resized, 9_999),
    "larger than said": functools.partial(resized, 3),
    "huge as said": functools.partial(resized, 0xFFFFFF00),
    "overlapping": overlapping,
    "100,000 entries": countless,
    "directory longer than the archive": functools.partial(said_directory, 0x7FFFFFFF),
    "directory of nothing": functools.partial(said_directory, 0),
    "packed in another way": lambda document, _project: packed(document, method=zipfile.ZIP_LZMA),
    "cut short": lambda document, _project: packed(document)[:-30],
    "with a comment": lambda document, _project: packed(document)[:-2] + b"\x04\x00hide",
    "behind a picture": lambda document, _project: b"GIF89a" + packed(document),
    "only a beginning": lambda _document, _project: b"PK\x03\x04",
    "bytes": lambda _document, _project: b"PK\x03\x04" + bytes(range(256)) * 40,
    "no document": lambda _document, _project: packed(
        {}, change=lambda raw: raw.replace(b"conversation.json", b"konversation.json")
    ),
    "another document": lambda _document, _project: packed([1, 2]),
    "broken document": lambda document, _project: packed(
        document, change=lambda raw: raw.replace(b"PK\x01\x02", b"PK\x01\x03")
    ),
    "file that nobody names": lambda document, _project: packed(
        document, [(f"files/{HASH}", CONTENT), (f"files/{hashlib.sha256(b'x').hexdigest()}", b"x")]
    ),
    "file that is missing": lambda document, _project: packed(document, []),
    "empty file": lambda document, _project: packed(document, [(f"files/{HASH}", b"")]),
    "files inside as well": lambda document, _project: packed(
        document | {"files": {HASH: base64.b64encode(CONTENT).decode()}}
    ),
    "command beside it": lambda document, _project: packed(document | {"command": ["/bin/sh"]}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a53_archive_that_is_not_an_export_is_refused(a, project, honest, settings, kind):
    refused(a, project, HOSTILE[kind](honest, project), settings)


@pytest.mark.in_process("what follows a commit is run by the test")
def test_a53_content_that_is_not_its_hash_is_refused_and_erased(
    a, project, honest, settings, django_capture_on_commit_callbacks
):
    files, lay = rows()["files_file"], tree(settings.MEDIA_ROOT)

    with django_capture_on_commit_callbacks(execute=True):
        answered = send(a, project, packed(honest, [(f"files/{HASH}", b"Something else.")]))

    assert (answered.status_code, answered.json()["code"]) == (400, "import_refused")
    assert rows()["files_file"] == files
    assert tree(settings.MEDIA_ROOT) == lay
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize("size", [65 * MEGABYTE, 300 * MEGABYTE])
def test_a53_bombs_are_refused_before_they_go_off(a, project, honest, settings, size):
    """One in the place of the document, one in that of a file: a thousand times smaller than what they unpack to."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("conversation.json", "w") as entry:
        for _number in range(size // MEGABYTE):
            entry.write(b" " * MEGABYTE)
    bombs = [target.getvalue(), packed(honest, [(f"files/{HASH}", b"\0" * (51 * MEGABYTE))])]

    tracemalloc.start()
    for bomb in bombs:
        refused(a, project, bomb, settings)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 16 * MEGABYTE


@pytest.mark.in_process("another quota")
def test_a53_what_unpacks_to_more_than_there_is_room_for_is_refused(a, project, honest, settings):
    settings.PARLANCE_FILE_QUOTA_BYTES = len(CONTENT) + 5
    before = rows()

    answered = send(a, project, packed(honest))

    assert (answered.status_code, answered.json()["code"]) == (413, "quota_reached")
    assert rows() == before


def test_a53_page_says_what_is_wrong_and_takes_nothing(ines, project, honest):
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))
    before = Conversation.objects.count()

    answered = client.post(
        reverse("conversations:import"), {"file": SimpleUploadedFile("it.zip", linked(honest, project))}, follow=True
    )

    assert answered.status_code == 200
    assert "The import was refused" in answered.content.decode()
    assert Conversation.objects.count() == before


def test_a7_x_imports_nothing_into_a_project_of_others(project, honest):
    stranger = someone(elsewhere := ProjectFactory())
    x = seen(Client(headers=bearer(key_of(User.objects.get(pk=stranger.user_id), elsewhere.organization))))
    before = rows()

    answered = send(x, project, packed(honest))

    assert (answered.status_code, answered.json()["code"]) == (404, "not_found")
    assert {name: row for name, row in rows().items() if name != "core_event"} == {
        name: row for name, row in before.items() if name != "core_event"
    }
