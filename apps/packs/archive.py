"""Files of a pack, out of a folder or a ZIP, and a ZIP of them. Everything is small, so everything is held at once.

Whoever sends an archive is not trusted: entries are judged before any is unpacked, and nothing is written anywhere.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from django.utils.translation import gettext as _

from apps.core.errors import FieldError
from apps.packs.types import MANIFEST, MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_PACK_BYTES, PackRejected

Files: TypeAlias = Mapping[str, bytes]

# Each step begins with a letter or digit: no "..", nothing hidden, no root, no drive.
_PATH = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,79}/){0,2}[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
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


def _refused(place: str, code: str, sentence: str) -> PackRejected:
    return PackRejected(sentence, fields=[FieldError(place[:200], code, sentence)])


def of_folder(folder: Path) -> Files:
    """``PackRejected`` when there is no manifest, or more than a pack may hold."""
    if not (folder / MANIFEST).is_file():
        raise _refused(MANIFEST, "missing", _("There is no pack.yaml in it."))
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise _refused(name, "entry", _("Only plain files belong into a pack."))
        if path.is_dir():
            continue
        _check_name(name)
        if len(found) >= MAX_FILES:
            raise _refused(name, "too_many_files", _("There are too many files in it."))
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _refused(name, "too_large", _("This file is too large."))
        found[name] = path.read_bytes()
    _check_whole(found)
    return found


def of_zip(raw: bytes) -> Files:
    """With or without a folder around everything, as people pack them."""
    if len(raw) > MAX_ARCHIVE_BYTES:
        raise _refused("", "too_large", _("This archive is too large for a pack."))
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = _judged(archive.infolist())
            found = {name: archive.read(info) for name, info in entries.items()}
    except _BROKEN:
        raise _refused("", "archive", _("This is no ZIP archive that can be read.")) from None
    if any(len(content) != entries[name].file_size for name, content in found.items()):
        raise _refused("", "archive", _("This is no ZIP archive that can be read."))
    found = _without_folder(found)
    if MANIFEST not in found:
        raise _refused(MANIFEST, "missing", _("There is no pack.yaml in it."))
    _check_whole(found)
    return found


def as_zip(files: Files) -> bytes:
    """The same files give the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)  # of 1980
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, files[name])
    return sink.getvalue()


def _judged(listed: Iterable[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for number, info in enumerate(listed):
        if number >= 2 * MAX_FILES:
            raise _refused("", "too_many_files", _("There are too many files in it."))
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & ~_HARMLESS_FLAGS:
            raise _refused(info.filename, "entry", _("Only plain files belong into a pack."))
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(info.filename, "entry", _("Only plain files belong into a pack."))
        if info.is_dir() and not info.file_size:
            continue
        if info.filename != info.orig_filename or info.filename in found:
            raise _refused(info.filename, "name", _("This is no name of a file in a pack."))
        _check_name(info.filename)
        total += info.file_size
        if info.file_size > MAX_FILE_BYTES or total > MAX_PACK_BYTES:
            raise _refused(info.filename, "too_large", _("This file is too large."))
        found[info.filename] = info
    return found


def _without_folder(found: dict[str, bytes]) -> dict[str, bytes]:
    tops = {name.split("/", 1)[0] for name in found}
    if MANIFEST in found or len(tops) != 1 or not all("/" in name for name in found):
        return found
    return {name.split("/", 1)[1]: content for name, content in found.items()}


def _check_name(name: str) -> None:
    # One step more than a pack has: the folder around everything.
    if not _PATH.match(name):
        raise _refused(name, "name", _("This is no name of a file in a pack."))


def _check_whole(found: Files) -> None:
    if len(found) > MAX_FILES:
        raise _refused("", "too_many_files", _("There are too many files in it."))
    if sum(map(len, found.values())) > MAX_PACK_BYTES:
        raise _refused("", "too_large", _("This is too much for one pack."))
