"""What a fresh installation brings. Run by ``accounts`` at every start, inside one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class FirstStart:
    """The home organization, its first project, and its owner when there is one yet.

    ``is_first`` is true once in the life of an installation; what a person may have deleted since is made only then.
    """

    organization_id: UUID
    project_id: UUID
    user_id: UUID | None
    is_first: bool


first_start_steps: Door[Callable[[FirstStart], None]] = Door("first-start step")
