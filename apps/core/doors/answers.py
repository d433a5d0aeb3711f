"""Who has asked for answers of models, counted from rows. Asked by ``accounts.quotas`` when Redis cannot say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class AskedAnswers:
    """``count(user, organization, within)``: how many answers that person asked for there in that time, counted by the database's clock."""

    name: str
    count: Callable[[UUID, UUID, timedelta], int]


asked_answers: Door[AskedAnswers] = Door("asked answers")
