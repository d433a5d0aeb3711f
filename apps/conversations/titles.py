"""The engine that writes titles: one short model call after the first answer, its own row in the ledger."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.conversations import context, services
from apps.conversations.types import TITLE_CALL_SECONDS
from apps.core.db import give_connections_back
from apps.core.errors import DomainError
from apps.core.leases import scaled
from apps.core.markup import plain_line
from apps.llm import engine as llm
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Purpose, Role

logger = logging.getLogger(__name__)

MAX_WORDS = 12
QUOTATION_MARKS = "\"'“”„«»"
INSTRUCTIONS = (
    "You name conversations. A title has at most eight words, is in the language of the person's first message, "
    "and has neither quotation marks nor a full stop. Answer with the title alone."
)
ORDER = "Write the title of this conversation now."


def write_title(conversation_id: UUID) -> None:
    """Nothing happens when a person has typed a title meanwhile. When no model answers it is tried again, three times at
    most and again with the next answer.
    """
    held = services.claim_title(actor=SYSTEM, conversation_id=conversation_id)
    found = context.read_for_title(conversation_id) if held else None
    if held is None or found is None:
        return
    request = CompletionRequest(
        organization_id=found.organization_id,
        project_id=found.project_id,
        user_id=found.user_id,
        turn_id=found.turn_id,
        model_id=found.model_id,
        messages=(
            NeutralMessage.of_text(Role.SYSTEM, INSTRUCTIONS),
            NeutralMessage.of_text(Role.USER, found.question[:2000]),
            NeutralMessage.of_text(Role.ASSISTANT, found.answer[:2000]),
            NeutralMessage.of_text(Role.USER, ORDER),
        ),
        parameters=Parameters(max_output_tokens=60),
        purpose=Purpose.TITLE,
        language=found.language,
        correlation_id=found.correlation_id,
    )
    give_connections_back()  # up to half a minute passes
    try:
        text = asyncio.run(_ask(request))
    except (DomainError, TimeoutError) as error:
        code = error.code if isinstance(error, DomainError) else "timeout"
        logger.warning("title_not_written", extra={"conversation": str(conversation_id), "code": code})
        return
    services.title_conversation(actor=SYSTEM, held=held, title=cleaned(text))


async def _ask(request: CompletionRequest) -> str:
    async with asyncio.timeout(scaled(TITLE_CALL_SECONDS)):
        return await llm.complete(request)


def cleaned(text: str) -> str:
    """The first line that says something, without Markdown, quotation marks around it and a final full stop; at most twelve
    words, and a sign of what is cut.
    """
    line = next(filter(None, map(plain_line, text.splitlines())), "")
    words = _unquoted(line.rstrip(".")).rstrip(".").split()
    title = " ".join(words[:MAX_WORDS])
    return title.rstrip(".,;:- ") + "…" if len(words) > MAX_WORDS else title


def _unquoted(line: str) -> str:
    """Only a pair around everything goes: in ``"Yes" or "no"`` they belong to the words."""
    begin, inside, end = line[:1], line[1:-1], line[-1:]
    is_quoted = begin in QUOTATION_MARKS and end in QUOTATION_MARKS and begin not in inside and end not in inside
    return inside.strip() if inside and is_quoted else line
