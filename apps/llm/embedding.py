"""Vectors of texts: through the one way to a model, with its retries, budget, ledger, breaker and prices."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from apps.llm import engine
from apps.llm.errors import ProviderProtocolError
from apps.llm.types import Answered, CompletionRequest, Embedded, Finished, NeutralMessage, Purpose, Role

MOST_TEXTS = 64
#: Models read at least 2,048 tokens of a text; few more than 8,192.
MOST_CHARACTERS = 6_000


@dataclass(frozen=True, slots=True)
class Vectors:
    """In the order of the texts, all of one length. ``cost`` as text of a decimal; empty when unpriced."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    cost: str = ""
    currency: str = ""


async def embed(
    *, organization_id: UUID, model_id: UUID, texts: list[str], project_id: UUID | None = None, correlation_id: str = ""
) -> Vectors:
    """At most ``MOST_TEXTS`` at once, of each its beginning. Raises ``ModelError``: no other model stands in, its vectors say something else."""
    assert 0 < len(texts) <= MOST_TEXTS
    request = CompletionRequest(
        organization_id=organization_id,
        project_id=project_id,
        model_id=model_id,
        # An empty text has no vector anywhere.
        messages=tuple(NeutralMessage.of_text(Role.USER, text[:MOST_CHARACTERS].strip() or "-") for text in texts),
        purpose=Purpose.EMBEDDING,
        correlation_id=correlation_id,
        allow_fallback=False,
    )
    vectors: tuple[tuple[float, ...], ...] = ()
    model, end = "", None
    async with aclosing(engine.stream(request)) as operations:
        async for operation in operations:
            match operation:
                case Embedded():
                    vectors = operation.vectors
                case Answered():
                    model = f"{operation.provider}/{operation.model}"
                case Finished():
                    end = operation
    if len(vectors) != len(texts):
        raise ProviderProtocolError("Not as many vectors as texts.")
    return Vectors(vectors, model, end.cost if end else "", end.currency if end else "")
