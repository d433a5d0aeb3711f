"""From rows to the neutral context of an answer: the path, who speaks, what files say, what models may see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts.actors import actor_of_row
from apps.agents import selectors as agents
from apps.agents import tools
from apps.agents.types import AnswerContext
from apps.conversations import selectors
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import HeldTurn, Named, Role, TitleSource
from apps.files import engine as file_engine
from apps.files import selectors as files
from apps.files.types import FileKind
from apps.llm import types as llm

# What an answer is given at most; older messages are left out first. What the model can read of it, `llm` knows.
MAX_CONTEXT_MESSAGES = 400
MAX_CONTEXT_CHARACTERS = 400_000
MAX_FILE_CHARACTERS = 60_000
MAX_IMAGE_BYTES = 40 * 1024 * 1024  # as many as one message may bring
MAX_REFERENCES_GIVEN = 30  # the newest
MAX_REFERENCE_CHARACTERS = 6_000


def read_context(held: HeldTurn) -> AnswerContext:
    """Synchronous and a few queries; called once, by the runner, in a thread."""
    turn = selectors.get_turn_with_context(held.turn_id)
    conversation = turn.conversation
    path = selectors.list_path_for_context(
        conversation=conversation, leaf_id=held.parent_id, before=held.number, limit=MAX_CONTEXT_MESSAGES
    )
    rows = [row for row in path if row.deleted_at is None]
    language = turn.requested_by.language if turn.requested_by else "en"
    people = {row.author_id: row.author.display_name for row in rows if row.author is not None}
    with override(language):
        going_on = _continuation(held.start_parts) if turn.is_continuation else []
        beside = _Beside(texts=_named_texts(rows, turn))
        messages = _fitting(rows, beside, several=len(people) > 1, taken=sum(map(_weight, going_on))) + going_on
    said = tuple(message for message in messages if message.parts)
    return AnswerContext(
        organization_id=turn.organization_id,
        project_id=turn.project_id,
        turn_id=turn.pk,
        user_id=turn.requested_by_id,
        instructions=agents.read_instructions(agent=turn.agent, project_id=turn.project_id),
        system_prompt=conversation.system_prompt,
        messages=said,
        may_leave_out=max(len(said) - 1 - len(going_on), 0),  # never what is asked now, or goes on
        model_id=turn.model_id,
        tools=_tools_beside(turn),
        language=language,
        correlation_id=held.correlation_id,
        people=tuple(people.values()),
        unread_files=_unread_files(rows),
    )


def _tools_beside(turn: Turn) -> tuple[llm.ToolSpec, ...]:
    found = tools.offered_beside(
        organization_id=turn.organization_id, project_id=turn.project_id, conversation_id=turn.conversation_id
    )
    return tools.specs_of(found)


def _unread_files(rows: list[Message]) -> tuple[UUID, ...]:
    named = [UUID(part["file"]) for row in rows for part in row.parts if part["type"] == "file"]
    return tuple(files.list_being_read(named)) if named else ()


def _named_texts(rows: list[Message], turn: Turn) -> dict[Named, tuple[str, str]]:
    """What the newest messages name, once each and as far as whoever asks may read it now."""
    named = selectors.named_in(part for row in reversed(rows) for part in row.parts)[:MAX_REFERENCES_GIVEN]
    if not named:
        return {}
    asker = actor_of_row(user_id=turn.requested_by_id, key_id=turn.key_id)
    return selectors.texts_of(asker, named, max_characters=MAX_REFERENCE_CHARACTERS)


def _fitting(rows: list[Message], beside: _Beside, *, several: bool, taken: int) -> list[llm.NeutralMessage]:
    """The newest messages that fit; never fewer than the last one. Files of those that are left out are not read."""
    kept: list[llm.NeutralMessage] = []
    for row in reversed(rows):
        message = _neutral(row, beside, several=several)
        taken += _weight(message)
        if kept and taken > MAX_CONTEXT_CHARACTERS:
            break
        if message.parts:
            kept.append(message)
    return kept[::-1]


def _weight(message: llm.NeutralMessage) -> int:
    """In characters: of words, of documents. Pictures are counted in bytes, apart."""
    weight = 0
    for part in message.parts:
        match part:
            case llm.TextContent(text) | llm.ReasoningContent(text) | llm.KnowledgeContent(text=text):
                weight += len(text)
    return weight


@dataclass(slots=True)
class _Beside:
    """What is left for pictures, and the texts of what is named that stand nowhere yet; the newest messages come first."""

    texts: dict[Named, tuple[str, str]]
    room: int = field(default_factory=lambda: MAX_IMAGE_BYTES)


def _continuation(parts: list[dict[str, Any]]) -> list[llm.NeutralMessage]:
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    return [
        llm.NeutralMessage.of_text(llm.Role.ASSISTANT, text),
        llm.NeutralMessage.of_text(
            llm.Role.USER, _("Go on exactly where you stopped, without repeating anything and without any preface.")
        ),
    ]


def _neutral(row: Message, beside: _Beside, *, several: bool) -> llm.NeutralMessage:
    role = {Role.USER: llm.Role.USER, Role.ASSISTANT: llm.Role.ASSISTANT}.get(Role(row.role), llm.Role.SYSTEM)
    parts: list[llm.NeutralPart] = []
    for part in row.parts:
        match part["type"]:
            case "text" if part["text"]:
                parts.append(llm.TextContent(part["text"]))
            case "file":
                parts.append(_file(part, beside))
            case "reference":
                parts += [
                    llm.KnowledgeContent(id=str(each.id), title=given[0], text=given[1])
                    for each in selectors.named_in([part])
                    if (given := beside.texts.pop(each, None))
                ]
            case _:
                continue  # what tools were asked, too: the words of an answer stand for it, and things are looked up again
    name = row.author.display_name if several and row.author is not None else ""
    return llm.NeutralMessage(role=role, parts=tuple(parts), name=name)


def _file(part: dict[str, Any], beside: _Beside) -> llm.NeutralPart:
    """A picture as its bytes while there is room, anything else as the text that was read from it, or a sentence that says why there is none."""
    file_id = UUID(part["file"])
    file = files.find_file(file_id)
    if file is None:
        return llm.TextContent(_("[The file %(name)s is no longer there.]") % {"name": part["name"]})
    if file.kind == FileKind.IMAGE and beside.room <= 0:
        return llm.TextContent(_("[The picture %(name)s was shown earlier.]") % {"name": file.name})
    if (image := file_engine.image_for_model(file)) is not None:
        media_type, data = image
        beside.room -= len(data)
        return llm.ImageContent(media_type=media_type, data=data, name=file.name)
    words = files.text_of([file_id])[file_id]
    if words.text:
        return llm.KnowledgeContent(id=str(file.pk), title=file.name, text=words.text[:MAX_FILE_CHARACTERS])
    return llm.TextContent(_("[The file %(name)s could not be read as text.]") % {"name": file.name})


@dataclass(frozen=True, slots=True)
class TitleContext:
    organization_id: UUID
    project_id: UUID
    user_id: UUID | None
    turn_id: UUID | None
    model_id: UUID | None
    question: str
    answer: str
    language: str
    correlation_id: str


def read_for_title(conversation_id: UUID) -> TitleContext | None:
    """The first question and its newest answer, sensitive ones aside; None when there is a title already or nothing was said."""
    conversation = Conversation.objects.filter(
        pk=conversation_id, title_source=TitleSource.NONE, deleted_at=None
    ).first()
    if conversation is None:
        return None
    rows = (
        selectors.messages().filter(conversation=conversation, deleted_at=None, is_sensitive=False).order_by("number")
    )
    question = rows.filter(role=Role.USER).first()
    answer = rows.filter(role=Role.ASSISTANT).exclude(content="").first()
    if question is None or answer is None:
        return None
    turn = answer.turn
    return TitleContext(
        organization_id=conversation.organization_id,
        project_id=conversation.project_id,
        user_id=question.author_id,
        turn_id=turn.pk if turn else None,
        model_id=turn.model_id if turn else None,
        question=question.content,
        answer=answer.content,
        language=question.author.language if question.author else "en",
        correlation_id=turn.correlation_id if turn else "",
    )
