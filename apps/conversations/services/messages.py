"""Writes of messages: a person's words, and the empty answers that turns fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts import quotas
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.aims import find_answerer, require_same_aim
from apps.conversations.events import MessageChanged, MessagePosted, TurnQueued
from apps.conversations.message_parts import parts_of, parts_of_edit, same_parts
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.services.appends import append_rows
from apps.conversations.services.conversations import announce
from apps.conversations.services.endings import name_by_first_words
from apps.conversations.types import (
    ACTIVE,
    MAX_QUEUED_TURNS,
    Answerer,
    ClientIdReused,
    MessageStatus,
    Named,
    NotAnAnswer,
    NothingToContinue,
    NotYours,
    ParentElsewhere,
    Role,
    TooManyQueued,
    TurnStatus,
    TurnStillRunning,
    text_of_parts,
)
from apps.core import jobs
from apps.core.correlation import correlation_id
from apps.core.ids import uuid7
from apps.core.types import Priority


@dataclass(frozen=True, slots=True)
class Posted:
    """``message`` is the person's (for *regenerate* and *continue*: the answer itself); ``is_repeat``: nothing was written now."""

    message: Message
    turn: Turn | None
    answer: Message | None
    is_repeat: bool = False


@transaction.atomic
def post_message(
    *,
    actor: Actor,
    conversation_id: UUID,
    content: str,
    client_id: UUID | None,
    parent_id: UUID | None = None,
    seen_id: UUID | None = None,
    attachments: Sequence[UUID] = (),
    references: Sequence[Named] = (),
    model: str = "",
    agent: UUID | None = None,
    unless_to_people: bool = False,
    sensitive: bool | None = None,
) -> Posted:
    """Append a message, an empty answer and a queued turn.

    The row lock keeps numbers gapless: a client that has seen number n can ask for everything after n and miss
    nothing. The same ``client_id`` with the same content returns the first result; with other content it raises
    ``ClientIdReused`` (422). Without ``parent_id`` the message goes to the end of the author's active path or, where that
    does not pass ``seen_id`` (any more), to the end of the branch on which this message is. ``sensitive`` None: as the message
    above it. Words that name only people get no answer, unless ``model`` or ``agent`` name who gives one (``unless_to_people``:
    even then not, as of a choice that stands for all that is written).
    """
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_post(actor, conversation, access=selectors.access_to(conversation, actor)))
    if earlier := selectors.find_posted(conversation=conversation, author_id=actor.user_id, client_id=client_id):
        require_same_aim(
            actor,
            conversation,
            earlier,
            content,
            parent_id=parent_id,
            model=model,
            agent=agent,
            is_standing=unless_to_people,
        )
        return _repeat(earlier, content, attachments, references)
    policies.require_open(conversation)
    parts = parts_of(actor, conversation, content, attachments, references)
    parent = _parent(conversation, actor, parent_id, seen_id)
    return _append(
        actor=actor,
        conversation=conversation,
        parent=parent,
        parts=parts,
        client_id=client_id,
        answerer=find_answerer(
            actor, conversation, content, model=model, agent=agent, unless_to_people=unless_to_people
        ),
        is_sensitive=(parent is not None and parent.is_sensitive) if sensitive is None else sensitive,
    )


def _repeat(
    earlier: Message, content: str, attachments: Sequence[UUID] | None, references: Sequence[Named] | None
) -> Posted:
    if not same_parts(earlier, content, attachments, references):
        raise ClientIdReused
    answer = selectors.find_answer_to(earlier)
    return Posted(earlier, answer.turn if answer else None, answer, is_repeat=True)


def _parent(
    conversation: Conversation, actor: Actor, parent_id: UUID | None = None, seen_id: UUID | None = None
) -> Message | None:
    leaf = parent_id or selectors.end_of_branch(conversation=conversation, viewer=actor, seen_id=seen_id)
    if leaf is None:
        return None
    found = selectors.find_in(conversation=conversation, message_id=leaf)
    if found is None:
        raise ParentElsewhere
    return found


def _append(
    *,
    actor: Actor,
    conversation: Conversation,
    parent: Message | None,
    parts: list[dict[str, Any]],
    client_id: UUID | None,
    answerer: Answerer | None,
    is_sensitive: bool,
    is_edit: bool = False,
) -> Posted:
    """An answer is as sensitive as what it answers, and where all is sensitive so is this. Without ``answerer`` nobody answers."""
    is_sensitive = is_sensitive or conversation.is_sensitive
    number = conversation.last_number + 1
    turn = _new_turn(actor, conversation, parent, answerer) if answerer else None
    message = Message(
        id=uuid7(),
        organization_id=conversation.organization_id,
        conversation=conversation,
        number=number,
        role=Role.USER,
        author_id=actor.user_id,
        parent=parent,
        is_sensitive=is_sensitive,
        parts=parts,
        client_id=client_id,
        is_edit=is_edit,
    )
    is_linear = _continues(conversation, parent, number)
    if turn is None:
        append_rows(actor, conversation, [message], None, is_linear=is_linear)
        announce(conversation, MessagePosted(message_id=message.pk, number=number), actor, ("message", message.pk))
        name_by_first_words(conversation, actor)  # no end of an answer does
        return Posted(message, None, None)
    answer = _empty_answer(conversation, number + 1, message, turn)
    turn.message = answer
    append_rows(actor, conversation, [message, answer], turn, is_linear=is_linear)
    fact = MessagePosted(message_id=message.pk, number=number, answer_id=answer.pk, turn_id=turn.pk)
    announce(conversation, fact, actor, ("message", message.pk))
    jobs.after_commit("conversations.run_turn", turn_id=turn.pk)
    return Posted(message, turn, answer)


def _continues(conversation: Conversation, parent: Message | None, number: int) -> bool:
    """Does this message answer the one with the number before it? Once false, the conversation has branches."""
    return conversation.is_linear and (parent.number if parent else 0) == number - 1


def _empty_answer(conversation: Conversation, number: int, above: Message, turn: Turn) -> Message:
    return Message(
        id=uuid7(),
        organization_id=conversation.organization_id,
        conversation=conversation,
        number=number,
        role=Role.ASSISTANT,
        agent_id=turn.agent_id,
        parent_id=above.pk,
        status=MessageStatus.PENDING,
        is_sensitive=above.is_sensitive or conversation.is_sensitive,
        turn=turn,
    )


def _new_turn(
    actor: Actor, conversation: Conversation, place: Message | None, answerer: Answerer, *, goes_on: bool = False
) -> Turn:
    """Queued; waits for the newest answer on the branch that is still being written: that one waits for those before it.

    ``place`` is the message above the new answer or, with ``goes_on``, the answer itself, which has more of the branch below it.
    """
    active = selectors.list_waiting_and_running(conversation)
    if sum(turn.status == TurnStatus.QUEUED for turn in active) >= MAX_QUEUED_TURNS:
        raise TooManyQueued
    on_branch = selectors.only_on_branch(active, conversation, place, with_below=goes_on)
    awaited = {turn.after_id for turn in on_branch}
    if goes_on and sum(turn.id not in awaited for turn in on_branch) > 1:
        raise TurnStillRunning
    quotas.take_answer(actor=actor, organization_id=conversation.organization_id)
    return Turn(
        id=uuid7(),
        organization_id=conversation.organization_id,
        conversation=conversation,
        project_id=conversation.project_id,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        priority=Priority.LOW if actor.key_id else Priority.NORMAL,
        model_id=answerer.model_id,
        agent_id=answerer.agent_id,
        after_turn_id=on_branch[-1].id if on_branch else None,
        correlation_id=correlation_id(),
    )


def _lock_message(actor: Actor, message_id: UUID) -> tuple[Conversation, Message]:
    message = selectors.get_message(message_id=message_id, viewer=actor)
    conversation = selectors.lock_conversation(conversation_id=message.conversation_id, viewer=actor)
    message = selectors.messages().select_related("parent__turn").get(pk=message_id)
    return conversation, message


@transaction.atomic
def edit_message(
    *,
    actor: Actor,
    message_id: UUID,
    content: str,
    client_id: UUID | None = None,
    attachments: Sequence[UUID] | None = None,
    references: Sequence[Named] | None = None,
    model: str = "",
    agent: UUID | None = None,
    unless_to_people: bool = False,
    sensitive: bool | None = None,
) -> Posted:
    """The changed words become a sibling with an answer of its own; the old ones stay. None keeps files, references and the mark.

    Who answers is named as for ``post_message``.
    """
    conversation, message = _lock_message(actor, message_id)
    if message.role != Role.USER:
        raise NotYours
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_edit_message(actor, conversation, message, access=access))
    if earlier := selectors.find_posted(conversation=conversation, author_id=actor.user_id, client_id=client_id):
        if not earlier.is_edit or earlier.parent_id != message.parent_id:
            raise ClientIdReused
        require_same_aim(actor, conversation, earlier, content, model=model, agent=agent, is_standing=unless_to_people)
        return _repeat(earlier, content, attachments, references)
    policies.require_open(conversation)
    parts = parts_of_edit(actor, conversation, message, content=content, attachments=attachments, references=references)
    return _append(
        actor=actor,
        conversation=conversation,
        parent=message.parent,
        parts=parts,
        client_id=client_id,
        answerer=find_answerer(
            actor, conversation, content, model=model, agent=agent, unless_to_people=unless_to_people
        ),
        is_sensitive=message.is_sensitive if sensitive is None else sensitive,
        is_edit=True,
    )


@transaction.atomic
def regenerate_answer(*, actor: Actor, message_id: UUID, model: str = "", agent: UUID | None = None) -> Posted:
    """A sibling of an answer, which may be deleted, its question not. The first one stays as it is, also while it is still being
    written.
    """
    conversation, message = _lock_message(actor, message_id)
    account_policies.require(policies.can_post(actor, conversation, access=selectors.access_to(conversation, actor)))
    if message.role != Role.ASSISTANT or message.parent is None:
        raise NotAnAnswer
    policies.require_open(conversation)
    policies.require_there(message.parent)
    answerer = selectors.get_answerer(conversation, actor, content=message.parent.text, model=model, agent=agent)
    return _answer_below(actor, conversation, message.parent, answerer)


def _answer_below(actor: Actor, conversation: Conversation, above: Message, answerer: Answerer) -> Posted:
    turn = _new_turn(actor, conversation, above, answerer)
    number = conversation.last_number + 1
    answer = _empty_answer(conversation, number, above, turn)
    turn.message = answer
    append_rows(actor, conversation, [answer], turn, is_linear=_continues(conversation, above, number))
    announce(conversation, TurnQueued(turn.pk, answer.pk), actor, ("turn", turn.pk))
    jobs.after_commit("conversations.run_turn", turn_id=turn.pk)
    return Posted(answer, turn, answer)


@transaction.atomic
def request_turn(*, actor: Actor, conversation_id: UUID, model: str = "", agent: UUID | None = None) -> Posted:
    """One more answer to the end of the path: below a person's message a new answer, beside an answer a sibling."""
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    last = _parent(conversation, actor)
    if last is None:
        raise NotAnAnswer
    if last.role == Role.ASSISTANT:
        return regenerate_answer(actor=actor, message_id=last.pk, model=model, agent=agent)
    account_policies.require(policies.can_post(actor, conversation, access=selectors.access_to(conversation, actor)))
    policies.require_open(conversation)
    policies.require_there(last)
    answerer = selectors.get_answerer(conversation, actor, content=last.text, model=model, agent=agent)
    return _answer_below(actor, conversation, last, answerer)


@transaction.atomic
def continue_answer(*, actor: Actor, message_id: UUID) -> Posted:
    """A new turn on the same message, which goes on after what is there. For stopped, interrupted and failed answers with text.

    It waits for an answer that is being written further down; raises ``TurnStillRunning`` when several branches have one.
    """
    conversation, message = _lock_message(actor, message_id)
    account_policies.require(policies.can_post(actor, conversation, access=selectors.access_to(conversation, actor)))
    if message.role != Role.ASSISTANT:
        raise NotAnAnswer
    policies.require_open(conversation)
    policies.require_there(message)
    earlier = message.turn
    if earlier is not None and earlier.status in ACTIVE:
        raise TurnStillRunning
    if earlier is None or earlier.status == TurnStatus.COMPLETED:
        raise NothingToContinue
    turn = _new_turn(actor, conversation, message, Answerer(earlier.model_id, earlier.agent_id), goes_on=True)
    turn.message = message
    turn.is_continuation, turn.has_others = bool(text_of_parts(message.parts)), True
    turn.save(force_insert=True)
    Message.objects.filter(pk=message.pk).update(status=MessageStatus.PENDING, turn=turn)
    announce(conversation, TurnQueued(turn.pk, message.pk), actor, ("turn", turn.pk))
    jobs.after_commit("conversations.run_turn", turn_id=turn.pk)
    message = selectors.messages().get(pk=message.pk)
    return Posted(message, turn, message)


@transaction.atomic
def delete_message(*, actor: Actor, message_id: UUID) -> Message:
    """The words are hidden, the place in the tree stays; restorable for 30 days."""
    conversation, message = _lock_message(actor, message_id)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_delete_message(actor, conversation, message, access=access))
    if message.turn is not None and message.turn.status in ACTIVE:
        raise TurnStillRunning
    if message.deleted_at is None:
        Message.objects.filter(pk=message.pk).update(deleted_at=Now(), deleted_by_id=actor.user_id)
        announce(conversation, MessageChanged(message.pk, "deleted"), actor, ("message", message.pk))
    return selectors.messages().get(pk=message_id)


@transaction.atomic
def restore_message(*, actor: Actor, message_id: UUID) -> Message:
    conversation, message = _lock_message(actor, message_id)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_delete_message(actor, conversation, message, access=access))
    policies.require_restorable(message)
    if message.deleted_at is not None:
        Message.objects.filter(pk=message.pk).update(deleted_at=None, deleted_by=None)
        announce(conversation, MessageChanged(message.pk, "restored"), actor, ("message", message.pk))
    return selectors.messages().get(pk=message_id)
