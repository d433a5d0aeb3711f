"""The folder where content lies: streamed in under a random name, kept under a generated one, never under a given one."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from django.conf import settings

from apps.files.types import Digested, EmptyFile, FileTooLarge

CHUNK_BYTES = 256 * 1024
STALE_SECONDS = 3600
_GENERATED = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}\Z")


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def root() -> Path:
    return Path(settings.MEDIA_ROOT)


def incoming() -> Path:
    folder = root() / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def receive(stream: Readable, *, limit_bytes: int) -> Digested:
    """Stream to a new file of the incoming folder, hashing on the way. What is not complete is removed, whatever went wrong.

    Raises ``FileTooLarge`` and ``EmptyFile``; a full disk is the ``OSError`` that it is.
    """
    path = incoming() / secrets.token_hex(16)
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("xb") as target:
            path.chmod(0o600)
            while chunk := stream.read(CHUNK_BYTES):
                size += len(chunk)
                if size > limit_bytes:
                    raise FileTooLarge(limit_bytes=limit_bytes)
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        if not size:
            raise EmptyFile
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Digested(path=str(path), sha256=digest.digest(), size=size)


def path_for(blob_id: UUID) -> str:
    """UUIDv7 begins with the time, so the last characters spread better over folders."""
    name = blob_id.hex
    return f"{name[-2:]}/{name[-4:-2]}/{name}"


def place(digested: Digested, path: str) -> None:
    target = _absolute(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(digested.path).rename(target)


def open_content(path: str) -> BinaryIO:
    return _absolute(path).open("rb")


def location(path: str) -> Path:
    return _absolute(path)


def discard(path: str) -> None:
    """Remove a file of the incoming folder, or content that no row names any more."""
    if Path(path).is_absolute():
        Path(path).unlink(missing_ok=True)
    else:
        _absolute(path).unlink(missing_ok=True)


def chunks(path: str, start: int, length: int) -> Iterator[bytes]:
    with open_content(path) as source:
        source.seek(start)
        while length > 0 and (chunk := source.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk


def stale_incoming() -> Iterator[Path]:
    """What a killed process left behind."""
    edge = time.time() - STALE_SECONDS
    for path in incoming().iterdir():
        if path.is_file() and path.stat().st_mtime < edge:
            yield path


def stale_content() -> Iterator[tuple[str, Path]]:
    """Placed files old enough that the transaction that placed them is over: (generated path, path)."""
    edge = time.time() - STALE_SECONDS
    for path in root().glob("??/??/*"):
        if path.is_file() and path.stat().st_mtime < edge:
            yield str(path.relative_to(root())), path


def _absolute(path: str) -> Path:
    if not _GENERATED.match(path):
        message = f"{path!r} is not a generated path."
        raise ValueError(message)
    return root() / path
