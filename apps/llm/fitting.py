"""A request as the model that is asked can take it: what tools gave fits into its window, and is plain words where it calls no tools.

Pure. The rest of a request is the caller's: a conversation that is too long by itself stays so, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from apps.llm import tokens
from apps.llm.routes import ModelRoute
from apps.llm.types import (
    CompletionRequest,
    KnowledgeContent,
    NeutralMessage,
    NeutralPart,
    Role,
    TextContent,
    ToolCallContent,
    ToolResultContent,
)

#: Of the window: what the estimate of tokens may be wrong by. Data has more tokens a character than prose.
SURE_SHARE = 0.8
TOKENS_FOR_THE_ANSWER = 4096
#: Where a provider still finds it too long: once this part of what tools gave, then nothing of it.
SMALLER = 8
CUT = "… (cut: there is no room for more of this)"


def fit(request: CompletionRequest, route: ModelRoute) -> CompletionRequest:
    """Raises nothing: a request that cannot fit goes out as it is, and the provider says so. What tools gave stays what it is,
    so that it can become ``smaller``; before it goes out it is ``worded``.
    """
    if not route.can_call_tools:
        request = replace(request, without_tools=True)
    if request.may_cut_results and route.context_window:
        window = int(route.context_window * SURE_SHARE)
        answer = min(request.parameters.max_output_tokens or TOKENS_FOR_THE_ANSWER, window // 4)
        given = _of_results(request.messages)
        sent = worded(request)
        beside = tokens.of_messages(sent.messages, sent.tools) - given
        room = window - answer - beside
        if given > room:
            request = replace(request, messages=_within(request.messages, room))
    return request


def worded(request: CompletionRequest) -> CompletionRequest:
    """As it goes out."""
    return replace(request, messages=_as_words(request.messages), tools=()) if request.without_tools else request


def smaller(request: CompletionRequest, *, is_last: bool) -> CompletionRequest | None:
    """After a provider said that it was too long; None where nothing can be left out."""
    given = _of_results(request.messages)
    if not request.may_cut_results or not given:
        return None
    found = _within(request.messages, 0 if is_last else given // SMALLER)
    return None if found == request.messages else replace(request, messages=found)


def _as_words(messages: Sequence[NeutralMessage]) -> tuple[NeutralMessage, ...]:
    """Without a word of tools in the protocol: what they gave stands as documents beside the person's words before it."""
    names = {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCallContent)}
    found: list[NeutralMessage] = []
    for message in messages:
        if message.role is Role.TOOL:
            documents = tuple(
                KnowledgeContent(id=part.id, title=names.get(part.id, ""), text=part.content)
                for part in message.parts
                if isinstance(part, ToolResultContent)
            )
            if found and found[-1].role is Role.USER:  # some models take only turns that alternate
                found[-1] = replace(found[-1], parts=(*found[-1].parts, *documents))
            else:
                found.append(NeutralMessage(Role.USER, documents))
        elif any(isinstance(part, ToolCallContent) for part in message.parts):
            # What it thought is signed together with what it asked for.
            if words := tuple(part for part in message.parts if isinstance(part, TextContent)):
                found.append(replace(message, parts=words))
        else:
            found.append(message)
    return tuple(found)


def _of_results(messages: Sequence[NeutralMessage]) -> int:
    return sum(
        tokens.of_text(part.content)
        for message in messages
        for part in message.parts
        if isinstance(part, ToolResultContent)
    )


def _within(messages: Sequence[NeutralMessage], room: int) -> tuple[NeutralMessage, ...]:
    """The newest stay; what came first is cut first."""
    found: list[NeutralMessage] = []
    for message in reversed(messages):
        parts: list[NeutralPart] = []
        for part in reversed(message.parts):
            if isinstance(part, ToolResultContent):
                content = _cut(part.content, max(room, 0))
                room -= tokens.of_text(content)
                parts.append(replace(part, content=content))
            else:
                parts.append(part)
        found.append(replace(message, parts=tuple(reversed(parts))))
    return tuple(reversed(found))


def _cut(text: str, room: int) -> str:
    if tokens.of_text(text) <= max(room, tokens.of_text(CUT)):
        return text
    room -= tokens.of_text(CUT)
    kept = text
    while kept and (needed := tokens.of_text(kept)) > room:
        kept = kept[: min(len(kept) - 1, len(kept) * max(room, 0) // needed)]
    return kept + CUT
