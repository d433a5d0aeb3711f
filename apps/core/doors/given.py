"""What people have in an organization beside roles in projects, counted for a review of access. Run by ``accounts``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Given:
    """``count(organization_id)`` says how many each person has, in one statement or two however many people there are."""

    name: str
    title: str | Promise
    count: Callable[[UUID], Mapping[UUID, int]]


given: Door[Given] = Door("given")
