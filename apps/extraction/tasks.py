"""Jobs of extraction: ids in, one engine each."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.core.jobs import job
from apps.core.limits import Limit
from apps.extraction import engine, services, vectorizing, wishing


@job("extraction.extract", queue="calls", limit=Limit(rate=10, burst=20))
def extract(*, run_id: str) -> None:
    """Safe to repeat: only the holder of the run's lease calls the provider."""
    engine.extract(UUID(run_id))


@job("extraction.reshape")
def reshape() -> None:
    """Safe to repeat: what follows its collection already is not found."""
    services.bring_proposals(actor=SYSTEM)
    services.reshape_records(actor=SYSTEM)


@job("extraction.embed", queue="calls")
def embed() -> None:
    """Safe to repeat: what has its vector, or is asked for by somebody else, is not found."""
    vectorizing.make_vectors()


@job("extraction.read_wish", queue="calls", limit=Limit(rate=10, burst=20))
def read_wish(*, wish_id: str) -> None:
    """Safe to repeat: only the holder of the wish's lease calls the provider."""
    wishing.read_wish(UUID(wish_id))
