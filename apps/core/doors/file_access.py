"""Who besides its owner may see a file, and whether it is still needed. Run by ``files``; registered by the apps that attach."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class FileAccess:
    """``allowed`` gives those of the ids that this viewer may read; ``used`` those that something still refers to.

    Both take any ids, known or not, in one query. A file that any registrant calls used is never swept away.
    """

    allowed: Callable[[ActorRef, Collection[UUID]], set[UUID]]
    used: Callable[[Collection[UUID]], set[UUID]]


file_access: Door[FileAccess] = Door("file access")
