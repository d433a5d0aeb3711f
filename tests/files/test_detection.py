import pytest

from apps.files.detection import detect, encoding_of
from tests.files import samples


@pytest.fixture
def seen(tmp_path):
    def look(content, name, declared=""):
        path = tmp_path / "content"
        path.write_bytes(content)
        return detect(path, name=name, declared=declared)

    return look


@pytest.mark.parametrize(
    ("content", "name", "media_type", "kind", "inline", "misnamed"),
    [
        (samples.image(), "a.png", "image/png", "image", True, False),
        (samples.image(kind="JPEG"), "a.jpg", "image/jpeg", "image", True, False),
        (samples.image(kind="WEBP"), "a.webp", "image/webp", "image", True, False),
        (samples.image(kind="GIF"), "a.png", "image/gif", "image", True, True),
        (samples.image(kind="BMP"), "a.bmp", "image/bmp", "image", False, False),
        (samples.pdf(), "a.pdf", "application/pdf", "document", False, False),
        (samples.pdf(), "a.png", "application/pdf", "document", False, True),
        (samples.SVG, "a.svg", "image/svg+xml", "text", False, False),
        (samples.SVG, "a.png", "image/svg+xml", "text", False, True),
        (b"<?xml version='1.0'?>\n" + samples.SVG, "a.xml", "image/svg+xml", "text", False, True),
        (samples.HTML, "a.html", "text/html", "text", False, False),
        (samples.HTML, "a.txt", "text/html", "text", False, True),
        (b"\xef\xbb\xbf" + samples.HTML, "a.txt", "text/html", "text", False, True),
        (b"just words", "a.html", "text/html", "text", False, False),
        (samples.XML, "a.xml", "application/xml", "text", False, False),
        (b"# Title\n", "readme.md", "text/markdown", "text", True, False),
        (b"a,b\n1,2\n", "t.csv", "text/csv", "text", True, False),
        (b'{"a": 1}', "t.json", "application/json", "text", True, False),
        (b"print('x')\n", "t.py", "text/plain", "text", True, False),
        (b"BMW is a car, ID3 a tag, and this is text.", "t.txt", "text/plain", "text", True, False),
        ("Viele Grüße".encode("cp1252"), "t.txt", "text/plain", "text", True, False),
        ("Viele Grüße".encode("utf-16"), "t.txt", "text/plain", "text", True, False),
        (b"words", "photo.jpg", "text/plain", "text", True, True),
        (samples.PROGRAM, "tool.exe", "application/vnd.microsoft.portable-executable", "other", False, False),
        (samples.PROGRAM, "photo.jpg", "application/vnd.microsoft.portable-executable", "other", False, True),
        (b"\x7fELF" + bytes(60), "report.pdf", "application/x-executable", "other", False, True),
        (bytes(range(256)) * 4, "data.bin", "application/octet-stream", "other", False, False),
        (b"ID3\x03\x00" + bytes(200), "song.mp3", "audio/mpeg", "audio", True, False),
    ],
)
def test_detect_tells_the_type_from_the_content(seen, content, name, media_type, kind, inline, misnamed):
    found = seen(content, name)

    assert (found.media_type, str(found.kind), found.is_inline_safe, found.is_misnamed) == (
        media_type,
        kind,
        inline,
        misnamed,
    )


def test_detect_names_office_documents(seen):
    found = seen(samples.docx(), "letter.docx")

    assert found.media_type.endswith("wordprocessingml.document")
    assert (str(found.kind), found.is_inline_safe, found.is_misnamed) == ("document", False, False)


def test_detect_without_extension_compares_with_what_the_sender_said(seen):
    assert seen(samples.HTML, "page", "image/png").is_misnamed
    assert not seen(samples.HTML, "page", "text/html; charset=utf-8").is_misnamed


def test_encoding_of_long_text_that_turns_bad_late(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"a" * 300_000 + b"\xe4\xf6")

    assert encoding_of(path) == "cp1252"


def test_encoding_of_long_text_with_a_late_nul_is_none(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"a" * 300_000 + b"\x00")

    assert encoding_of(path) is None
