"""Records that a suggestion may already be, as its card names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from apps.accounts.types import Actor
from apps.extraction import selectors
from apps.extraction.models import Proposal
from apps.extraction.types import ProposalStatus

MOST = 3


@dataclass(frozen=True, slots=True)
class NearCard:
    record_id: str
    title: str
    percent: int


def near_cards(viewer: Actor, rows: Iterable[Proposal]) -> dict[UUID, tuple[NearCard, ...]]:
    """By suggestion, as far as it waits: the likeliest records that are still there. No query where nothing is alike."""
    named = {row.pk: row.duplicates[:MOST] for row in rows if row.status == ProposalStatus.PENDING and row.duplicates}
    if not named:
        return {}
    ids = {each["record"] for found in named.values() for each in found}
    titles = {
        str(pk): title for pk, title in selectors.visible_to(viewer).filter(pk__in=ids).values_list("pk", "title")
    }
    return {
        pk: tuple(
            NearCard(each["record"], titles[each["record"]] or each["record"], int(each["score"] * 100))
            for each in found
            if each["record"] in titles
        )
        for pk, found in named.items()
    }
