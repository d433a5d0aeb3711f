"""A document that was sent a second ago is still being read by a worker: its words are worth a short wait."""

from __future__ import annotations

import asyncio

from apps.agents.types import AnswerContext
from apps.conversations import context
from apps.conversations.types import HeldTurn
from apps.core.db import in_thread
from apps.core.leases import scaled
from apps.files import selectors as files

LONGEST_SECONDS = 20.0
LOOK_SECONDS = 0.25


async def wait_for_files(held: HeldTurn, answer_context: AnswerContext) -> AnswerContext:
    """The context with the words that came meanwhile. On the loop, so that no thread waits; no longer than 20 s."""
    unread = answer_context.unread_files
    loop = asyncio.get_running_loop()
    deadline = loop.time() + scaled(LONGEST_SECONDS)
    while unread and loop.time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        unread = tuple(await in_thread(files.list_being_read, unread))
    return await in_thread(context.read_context, held) if answer_context.unread_files else answer_context
