"""A request as the model that is asked can take it: the talk and what tools gave fit into its window, the oldest left out, as far as the
caller lets them, and tools are plain words where it calls none.

Pure. The rest of a request is the caller's: what is too long by itself stays so, and the provider says so.
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
    if not route.context_window or not (request.may_cut_results or request.may_leave_out):
        return request
    window = int(route.context_window * SURE_SHARE)
    room = window - min(request.parameters.max_output_tokens or TOKENS_FOR_THE_ANSWER, window // 4)
    given = _of_results(request.messages) if request.may_cut_results else 0
    # What was just looked up says more than what was said long ago: where there is much of it, half of the room is its.
    request = _without_oldest(request, _beside(request, given) - (room - min(given, room // 2)))
    if given > (left := room - _beside(request, given)):
        request = replace(request, messages=_within(request.messages, left))
    return request


def _beside(request: CompletionRequest, given: int) -> int:
    sent = worded(request)
    return tokens.of_messages(sent.messages, sent.tools) - given


def worded(request: CompletionRequest) -> CompletionRequest:
    """As it goes out."""
    return replace(request, messages=_as_words(request.messages), tools=()) if request.without_tools else request


def smaller(request: CompletionRequest, *, is_last: bool) -> CompletionRequest | None:
    """After a provider said that it was too long; None where nothing can be left out."""
    given = _of_results(request.messages) if request.may_cut_results else 0
    total, found = tokens.of_messages(request.messages), request
    if given and (is_last or given * 2 > total):
        found = replace(request, messages=_within(request.messages, 0 if is_last else given // SMALLER))
    if is_last or found.messages == request.messages:
        found = _without_oldest(found, total // 2)
    return None if found.messages == request.messages else found


def _without_oldest(request: CompletionRequest, excess: int) -> CompletionRequest:
    """Without the oldest messages that together have so many tokens, as far as they may be left out. What stays of the talk begins
    with what a person said.
    """
    old = request.messages[: request.may_leave_out]
    if excess <= 0 or not old:
        return request
    left_out: set[int] = set()
    for place, message in enumerate(old):
        if message.role is Role.SYSTEM:
            continue
        if excess <= 0 and message.role is Role.USER:
            break
        left_out.add(place)
        excess -= tokens.of_message(message)
    kept = [message for place, message in enumerate(old) if place not in left_out]
    if len(kept) == len(old):
        return request
    messages = (*kept, *request.messages[request.may_leave_out :])
    return replace(request, messages=messages, may_leave_out=len(kept))


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
