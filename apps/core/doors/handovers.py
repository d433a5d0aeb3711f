"""What somebody leaves behind in an organization, and how it goes to others. Run by ``accounts``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class Leaving:
    """``stewards`` take what ``heir_id`` may not have: never empty, the first is always there.

    ``is_final``: their membership ends with it. Otherwise their account is only switched off, and they may come back.
    """

    organization_id: UUID
    user_id: UUID
    heir_id: UUID
    stewards: tuple[UUID, ...]
    is_final: bool


@dataclass(frozen=True, slots=True)
class Handover:
    """``count(organization_id, user_id)`` says how many of the person's things ``title`` others may know of.

    ``hand_over`` runs in the caller's transaction, announces each thing, and says how many it gave to somebody.
    """

    name: str
    title: str | Promise
    count: Callable[[UUID, UUID], int]
    hand_over: Callable[[ActorRef, Leaving], int]


handovers: Door[Handover] = Door("handover")
