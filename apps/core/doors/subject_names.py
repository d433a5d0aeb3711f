"""What the audit log calls the things that events are about. Run by ``accounts``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class SubjectName:
    """``find`` gives the name of now, None for what is gone. Never of people, nor of what they said: an entry outlives both."""

    subject_type: str
    find: Callable[[UUID], str | None]


subject_names: Door[SubjectName] = Door("subject name")
