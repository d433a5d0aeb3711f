"""The engine that asks a model for the vectors of records, some at once, and then looks who is near. It opens no transaction."""

from __future__ import annotations

import asyncio
import logging
import time

from apps.accounts.types import SYSTEM
from apps.core import jobs
from apps.core.db import give_connections_back
from apps.core.leases import scaled
from apps.extraction import services
from apps.extraction.services.vectors import VectorsWanted
from apps.llm import embedding
from apps.llm import engine as llm
from apps.llm.errors import ModelError

logger = logging.getLogger(__name__)

#: One job goes on for so long; what is left then is another one's.
WORK_SECONDS = 20.0
PAUSE_SECONDS = 60.0


def make_vectors() -> int:
    """How many were made. Safe to repeat: what somebody else holds, or is not due any more, is not found."""
    until, done = time.monotonic() + WORK_SECONDS, 0
    while (wanted := services.claim_vectors(actor=SYSTEM)) is not None:
        give_connections_back()
        try:
            found = asyncio.run(_embed(wanted))
        except (ModelError, TimeoutError) as error:
            code = getattr(error, "code", "timeout")
            logger.warning("vectors_not_made", extra={"project": str(wanted.project_id), "code": code})
            asked = getattr(error, "retry_after_seconds", None)
            services.put_off_vectors(actor=SYSTEM, wanted=wanted, seconds=asked or PAUSE_SECONDS)
            return done
        for record_id in services.keep_vectors(actor=SYSTEM, wanted=wanted, vectors=found.vectors):
            services.list_alike(actor=SYSTEM, record_id=record_id)
            done += 1
        if time.monotonic() >= until:
            jobs.hint("extraction.embed")
            break
    return done


async def _embed(wanted: VectorsWanted) -> embedding.Vectors:
    async with llm.own_loop(), asyncio.timeout(scaled(120.0)):
        return await embedding.embed(
            organization_id=wanted.organization_id,
            project_id=wanted.project_id,
            model_id=wanted.model_id,
            texts=list(wanted.texts),
        )
