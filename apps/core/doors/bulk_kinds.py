"""Operations over many items. Nothing runs them yet: ``bulk`` will, and keep rows, pace, retries and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class BulkKind:
    """``items`` yields the ids that the actor may touch, in a stable order; ``apply`` does one, is idempotent, and asks the policy again."""

    name: str
    label: str | Promise
    items: Callable[[ActorRef, dict[str, Any]], Iterator[UUID]]
    apply: Callable[[ActorRef, UUID, dict[str, Any]], None]


bulk_kinds: Door[BulkKind] = Door("bulk kind")
