"""A ZIP of a conversation: ``conversation.json`` and its files by hash, written and read in pieces.

Whoever sends an archive is not trusted: the directory is judged by its size before it is read, every entry before any is
unpacked, and nothing is unpacked under a name that the archive gives.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings

from apps.conversations.transfer_format import MAX_FILES, Contents, embedded, refused

DOCUMENT = "conversation.json"
MAX_DOCUMENT_BYTES = 64 * (1 << 20)
MAX_PLAIN_BYTES = 100 * (1 << 20)  # a document that carries its files inside, as base64
_FILE = re.compile(r"files/([0-9a-f]{64})\Z")
_END = b"PK\x05\x06"
_BEGINNING = b"PK\x03\x04"
_LOCATOR_64 = b"PK\x06\x07"
_END_64_BYTES = 56 + 20  # the record and its locator stand right before the end
# A directory entry of ours takes 120 bytes (fixed part, name, Zip64 field); other programs may add some fields of their own.
_MAX_DIRECTORY_BYTES = (MAX_FILES + 1) * 400
_HARMLESS_FLAGS = 0x0002 | 0x0004 | 0x0008 | 0x0800  # how well it was packed, sizes after the content, names in UTF-8
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    struct.error,
)

Piece = tuple[str, Iterable[bytes]]


# Writing


class _Sink:
    """What ``zipfile`` writes to: it cannot be rewound, and is emptied as it fills."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def written(entries: Iterable[Piece]) -> Iterator[bytes]:
    """The archive, as its entries come: an entry's content is asked for when its turn is there. Zip64 where it is needed."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        for name, pieces in entries:
            info = zipfile.ZipInfo(name)  # of 1980: the same conversation gives the same archive
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o600) << 16
            with archive.open(info, "w", force_zip64=name == DOCUMENT) as target:
                for piece in pieces:
                    target.write(piece)
                    if ready := sink.take():
                        yield ready
    yield sink.take()


def file_name(sha256: str) -> str:
    return f"files/{sha256}"


# Reading


@dataclass(frozen=True, slots=True)
class Package:
    """What was sent: a document that claims to be an export, and its files."""

    document: dict[str, Any]
    contents: Contents


@contextlib.contextmanager
def opened(stream: IO[bytes]) -> Iterator[Package]:
    """An export, told by its first bytes: an archive or a plain document. Raises ``ImportRefused``."""
    beginning = stream.read(len(_BEGINNING))
    stream.seek(0)
    if beginning == _BEGINNING:
        with contextlib.closing(Archive(stream)) as archive:
            yield Package(archive.document(), archive)
        return
    document = _parsed(stream.read(MAX_PLAIN_BYTES + 1), MAX_PLAIN_BYTES)
    yield Package(document, embedded(document))


def _parsed(raw: bytes, limit: int) -> dict[str, Any]:
    if len(raw) > limit:
        raise refused(DOCUMENT)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise refused("JSON") from None
    if not isinstance(document, dict):
        raise refused("JSON")
    return document


class Archive:
    """Entries of exactly the names that an export has, each a plain file of a bearable size, read once and in pieces."""

    def __init__(self, stream: IO[bytes]) -> None:
        try:
            _check_directory(stream)
            self._zip = zipfile.ZipFile(stream)
        except _BROKEN as error:
            raise refused("archive") from error
        try:
            self._entries = _checked_entries(self._zip.infolist())
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        self._zip.close()

    def document(self) -> dict[str, Any]:
        with self._open(DOCUMENT) as stream:
            document = _parsed(stream.read(MAX_DOCUMENT_BYTES + 1), MAX_DOCUMENT_BYTES)
        if document.get("files"):
            raise refused("files")
        return document

    def sizes(self) -> Mapping[str, int]:
        return {
            found[1]: info.file_size for name, info in self._entries.items() if (found := _FILE.match(name)) is not None
        }

    def open(self, key: str) -> IO[bytes]:
        return self._open(file_name(key))

    def _open(self, name: str) -> IO[bytes]:
        try:
            return _Entry(self._zip.open(self._entries[name]), self._entries[name].file_size)  # type: ignore[return-value]
        except _BROKEN as error:
            raise refused("archive") from error


class _Entry(io.RawIOBase):
    """An entry as it is unpacked: as long as its directory said, with the checksum it said. Else ``ImportRefused``."""

    def __init__(self, source: IO[bytes], said_bytes: int) -> None:
        self._source, self._left = source, said_bytes

    def read(self, size: int = -1, /) -> bytes:
        try:
            piece = self._source.read(size)
        except _BROKEN as error:
            raise refused("archive") from error
        self._left -= len(piece)
        if self._left and size and not piece:
            raise refused("size")
        return piece

    def close(self) -> None:
        self._source.close()
        super().close()


def _check_directory(stream: IO[bytes]) -> None:
    """``zipfile`` reads the whole directory into memory: how large that is stands at the end of the archive.

    APPNOTE 6.3.10, sections 4.3.14 to 4.3.16. Archives with a comment are not ours.
    """
    stream.seek(-22, io.SEEK_END)
    end = stream.read(22)
    if end[:4] != _END or end[20:] != b"\0\0":
        raise refused("archive")
    _disk, _first, _here, entries, size, _offset = struct.unpack("<4H2L", end[4:20])
    if stream.tell() >= _END_64_BYTES + 22:
        stream.seek(-_END_64_BYTES - 22, io.SEEK_END)
        record = stream.read(_END_64_BYTES)
        if record[56:60] == _LOCATOR_64:
            more = struct.unpack("<QQ", record[32:48])
            entries, size = max(entries, more[0]), max(size, more[1])
    if entries > MAX_FILES + 1 or size > _MAX_DIRECTORY_BYTES:
        raise refused("number of files")
    stream.seek(0)


def _checked_entries(listed: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    entries = {info.orig_filename: info for info in listed}
    if len(entries) != len(listed) or len(listed) > MAX_FILES + 1 or DOCUMENT not in entries:
        raise refused("entries")
    for name, info in entries.items():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.filename != name or (name != DOCUMENT and not _FILE.match(name)):
            raise refused("name")
        if kind not in (0, stat.S_IFREG) or info.flag_bits & ~_HARMLESS_FLAGS:
            raise refused("entries")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refused("entries")
        limit = MAX_DOCUMENT_BYTES if name == DOCUMENT else settings.PARLANCE_MAX_FILE_BYTES
        if not 0 < info.file_size <= limit:
            raise refused("size")
    if sum(info.file_size for info in listed) > settings.PARLANCE_MAX_IMPORT_BYTES:
        raise refused("size")
    return entries
