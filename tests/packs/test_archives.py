"""ZIPs of strangers: nothing is written anywhere, and nothing larger than a pack is unpacked."""

import io
import stat
import struct
import time
import zipfile

import pytest

from apps.packs import archive
from apps.packs.types import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, PackRejected
from tests.packs.factories import files, zipped


def refused(raw):
    began = time.process_time()
    with pytest.raises(PackRejected) as error:
        archive.of_zip(raw)
    assert time.process_time() - began < 2
    return error.value.fields[0].code


@pytest.mark.parametrize(
    "name",
    [
        "../evil.yaml", "/etc/passwd", "a/../../evil", "a\\..\\evil", "C:evil", "a//b", ".hidden", "a/b/c/d.yaml",
        "templates/\u202egpj.exe", "collections/" + "x" * 200,
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(name):
    assert refused(zipped(files() | {name: b"x"})) in {"name", "archive"}


def test_what_is_no_archive_is_refused():
    good = zipped(files())

    assert refused(b"") == "archive"
    assert refused(b"PK\x05\x06" + b"\0" * 18) == "missing"
    assert refused(good[:-30]) == "archive"
    assert refused(good[: len(good) // 2]) == "archive"
    assert refused(b"\0" * (MAX_ARCHIVE_BYTES + 1)) == "too_large"


def test_bombs_are_refused_before_they_are_unpacked():
    assert refused(zipped(files() | {"README.md": b"\0" * (MAX_FILE_BYTES + 1)})) == "too_large"
    many = {f"templates/{number}.md": b"\0" * MAX_FILE_BYTES for number in range(9)}
    assert refused(zipped(files() | many)) == "too_large"
    assert refused(zipped({f"templates/{number}.md": b"" for number in range(900)})) == "too_many_files"


def test_an_entry_that_is_longer_than_it_says_is_refused():
    raw = bytearray(zipped({"pack.yaml": b"a" * 1000}))
    directory = raw.index(b"PK\x01\x02")
    struct.pack_into("<L", raw, directory + 24, 10)

    assert refused(bytes(raw)) == "archive"


def test_links_and_sealed_entries_are_refused():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        info = zipfile.ZipInfo("README.md")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(info, "/etc/passwd")
    assert refused(sink.getvalue()) == "entry"

    sealed = bytearray(zipped({"README.md": b"x"}))
    sealed[sealed.index(b"PK\x01\x02") + 8] |= 1
    assert refused(bytes(sealed)) == "entry"


def test_the_same_name_twice_is_refused():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        made.writestr("pack.yaml", "a")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("pack.yaml", "b")

    assert refused(sink.getvalue()) == "name"


def test_folder_with_a_link_is_refused(tmp_path):
    (tmp_path / "pack.yaml").write_text("pack: 1")
    (tmp_path / "README.md").symlink_to("/etc/passwd")

    with pytest.raises(PackRejected) as error:
        archive.of_folder(tmp_path)

    assert error.value.fields[0].field == "README.md"
