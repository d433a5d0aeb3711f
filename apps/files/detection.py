"""What content is, told from the content. The name only refines text (``.md``, ``.py``) and is compared at the end."""

from __future__ import annotations

import codecs
import mimetypes
import re
import struct
from pathlib import Path

import filetype

from apps.files.names import extension_of
from apps.files.types import Detected, FileKind

HEAD_BYTES = 16 * 1024
TEXT_PROBE_BYTES = 64 * 1024
INLINE_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
PICTURES = INLINE_IMAGES | {"image/bmp", "image/tiff", "image/avif"}
READABLE_DOCUMENTS = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/epub+zip": "epub",
}
OTHER_DOCUMENTS = frozenset(
    {
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
    }
)
ACTIVE_TEXT = frozenset({"text/html", "image/svg+xml", "application/xml", "application/xhtml+xml"})
_OPEN_XML_FOLDERS = {b"word/": "docx", b"ppt/": "pptx", b"xl/": "xlsx"}
_BY_SHORT_NAME = {short: media_type for media_type, short in READABLE_DOCUMENTS.items()}

# WHATWG MIME sniffing §7.1 (unknown types): what a browser would run as a page.
_HTML = re.compile(
    rb"\s*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|!--)[\s>]",
    re.IGNORECASE,
)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml\s", re.IGNORECASE)
_TEXT_TYPES = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "svg": "image/svg+xml",
    "xml": "application/xml",
    "xsl": "application/xml",
    "xslt": "application/xml",
}
_PROGRAMS = {
    b"\x7fELF": "application/x-executable",
    b"\xfe\xed\xfa\xce": "application/x-mach-binary",
    b"\xfe\xed\xfa\xcf": "application/x-mach-binary",
    b"\xce\xfa\xed\xfe": "application/x-mach-binary",
    b"\xcf\xfa\xed\xfe": "application/x-mach-binary",
}
_PROGRAM_NAMES = frozenset({"exe", "dll", "scr", "com", "sys", "so", "bin", "elf", "o", "dylib", "msi", "out", ""})
_names = mimetypes.MimeTypes()


def detect(path: Path, *, name: str, declared: str = "") -> Detected:
    with path.open("rb") as source:
        head = source.read(HEAD_BYTES)
    extension = extension_of(name)
    media_type, is_program = _media_type(path, head, extension)
    kind = _kind(media_type)
    return Detected(
        media_type=media_type,
        kind=kind,
        is_inline_safe=media_type in INLINE_IMAGES
        or kind in {FileKind.AUDIO, FileKind.VIDEO}
        or (kind is FileKind.TEXT and media_type not in ACTIVE_TEXT),
        is_misnamed=_is_misnamed(media_type, extension, declared),
        is_program=is_program,
    )


def _media_type(path: Path, head: bytes, extension: str) -> tuple[str, bool]:
    if program := _program(head):
        return program, True
    if head.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in head:
        for folder, short in _OPEN_XML_FOLDERS.items():
            if folder in head or extension == short:
                return _BY_SHORT_NAME[short], False
    guess = filetype.guess(head)
    encoding = encoding_of(path)
    # Two-letter magics match words: a text that begins with "BMW" is no bitmap.
    if guess is not None and (guess.mime == "application/pdf" or encoding is None):
        return guess.mime, False
    if encoding is not None:
        return _text_type(head, extension), False
    return "application/octet-stream", False


def _program(head: bytes) -> str:
    for magic, media_type in _PROGRAMS.items():
        if head.startswith(magic):
            return media_type
    if head.startswith(b"MZ") and len(head) >= 64:  # noqa: PLR2004  (the DOS header)
        (offset,) = struct.unpack_from("<I", head, 60)
        if head[offset : offset + 4] == b"PE\x00\x00":
            return "application/vnd.microsoft.portable-executable"
    return ""


def encoding_of(path: Path) -> str | None:
    """The encoding in which this is text, or None: UTF-8, UTF-16 with a mark, else a one-byte code without control characters."""
    with path.open("rb") as source:
        probe = source.read(TEXT_PROBE_BYTES)
        is_whole = len(probe) < TEXT_PROBE_BYTES
        if probe.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16" if _decodes(probe, "utf-16", is_whole=is_whole) else None
        if b"\x00" in probe or _has_controls(probe):
            return None
        if _decodes(probe, "utf-8", is_whole=is_whole):
            decoder = codecs.getincrementaldecoder("utf-8")()
            source.seek(0)
            try:
                while chunk := source.read(1 << 20):
                    if b"\x00" in chunk:
                        return None
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return "cp1252"
            return "utf-8-sig"
    high = sum(byte >= 0x80 for byte in probe)  # noqa: PLR2004  (the upper half of a one-byte code)
    return "cp1252" if high <= len(probe) * 0.3 else None


def _decodes(probe: bytes, encoding: str, *, is_whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(probe, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True


def _has_controls(probe: bytes) -> bool:
    return bool(re.search(rb"[\x01-\x06\x0e-\x1a\x1c-\x1f]", probe))


def _text_type(head: bytes, extension: str) -> str:
    """What a browser could run counts by content *or* name, whichever is worse."""
    plain = head.removeprefix(codecs.BOM_UTF8)
    if _SVG.search(plain) and (_XML.match(plain) or plain.lstrip()[:4].lower() in {b"<svg", b"<!do", b"<!--"}):
        return "image/svg+xml"
    if _HTML.match(plain):
        return "text/html"
    if _XML.match(plain):
        return "application/xml"
    return _TEXT_TYPES.get(extension, "text/plain")


def _kind(media_type: str) -> FileKind:
    family = media_type.partition("/")[0]
    if media_type in PICTURES:
        return FileKind.IMAGE
    if media_type in READABLE_DOCUMENTS or media_type in OTHER_DOCUMENTS:
        return FileKind.DOCUMENT
    if family == "text" or media_type in ACTIVE_TEXT or media_type == "application/json":
        return FileKind.TEXT
    if family == "audio":
        return FileKind.AUDIO
    if family == "video":
        return FileKind.VIDEO
    return FileKind.OTHER


def _is_misnamed(media_type: str, extension: str, declared: str) -> bool:
    """Only what the name or the sender *claims* is compared; unknown extensions claim nothing."""
    claimed = _TEXT_TYPES.get(extension) or _names.guess_type(f"x.{extension}")[0] or ""
    if not claimed and not extension:
        claimed = declared.partition(";")[0].strip().lower()
    if not claimed or claimed in ("application/octet-stream", media_type):
        return False
    if media_type in _PROGRAMS.values() or "executable" in media_type:
        return extension not in _PROGRAM_NAMES
    claimed_kind, kind = _kind(claimed), _kind(media_type)
    if kind is FileKind.IMAGE or media_type in ACTIVE_TEXT or media_type in READABLE_DOCUMENTS:
        return True
    if kind is FileKind.TEXT:
        return claimed_kind in {FileKind.IMAGE, FileKind.DOCUMENT, FileKind.AUDIO, FileKind.VIDEO}
    return claimed_kind is not kind
