"""Packs that come with the installation: the folders in ``packs/``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import structlog
from django.conf import settings

from apps.core.errors import DomainError, NotFound
from apps.packs import archive, reading
from apps.packs.types import MANIFEST, Pack

logger = structlog.get_logger(__name__)


def list_shipped(language: str = "") -> list[Pack]:
    """By name, in the language where they have it."""
    folders = sorted(path.parent for path in Path(settings.PARLANCE_PACKS_DIR).glob(f"*/{MANIFEST}"))
    found = []
    for folder in folders:
        try:
            found.append(_pack(folder, _stamp(folder), language))
        except DomainError as error:  # somebody writes at it: the others are offered meanwhile
            logger.warning("pack_left_out", folder=folder.name, code=error.code, fields=[e.field for e in error.fields])
    return found


def get_shipped(name: str, language: str = "") -> Pack:
    found = next((each for each in list_shipped(language) if each.name == name), None)
    if found is None:
        raise NotFound
    return found


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Another one as soon as a file is another: a pack that is being written is read anew."""
    found = []
    for path in sorted(folder.rglob("*")):
        kept = path.stat()
        found.append((path.name, kept.st_mtime_ns, kept.st_size))
    return tuple(found)


@lru_cache(maxsize=64)
def _pack(folder: Path, _stamp: tuple[tuple[str, int, int], ...], language: str) -> Pack:
    return reading.read(archive.of_folder(folder), language=language)
