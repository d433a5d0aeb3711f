"""Who besides its owner may see a file, where it is used, and whether it is still needed. Run by ``files``; registered by the apps that attach."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class FileUse:
    """One place that shows a file: what it is called, and where it is."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class FileUses:
    """The places that show one file to one viewer: the newest are ``named``, ``count`` counts them all."""

    named: list[FileUse]
    count: int


@dataclass(frozen=True, slots=True)
class FileAccess:
    """``allowed`` gives those of the ids that this viewer may read; ``used`` those that something still refers to.

    Both take any ids, known or not, in one query. A file that any registrant calls used is swept away only 30 days after its
    owner deleted it: ``let_go`` then removes the rows that refer to it, in the caller's transaction. A registrant that stops
    using files itself says so with ``files.services.detach_files``.

    For lists: ``shown`` is what ``allowed`` says, as a condition on rows of files; ``uses`` names, of each file, so many of the places
    that the viewer sees, the newest first, in one query; a file without any is left out.
    """

    allowed: Callable[[ActorRef, Collection[UUID]], set[UUID]]
    used: Callable[[Collection[UUID]], set[UUID]]
    let_go: Callable[[Collection[UUID]], None]
    shown: Callable[[ActorRef], Q] = lambda _viewer: Q(pk__in=[])
    uses: Callable[[ActorRef, Collection[UUID], int], dict[UUID, FileUses]] = lambda _viewer, _ids, _most: {}


file_access: Door[FileAccess] = Door("file access")
