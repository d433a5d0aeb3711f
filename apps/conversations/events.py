"""Facts of conversations."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("conversations.conversation_started.v1", public="conversation.started")
@dataclass(frozen=True, slots=True)
class ConversationStarted:
    conversation_id: UUID
    visibility: str


@event("conversations.conversation_changed.v1")
@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """``fields`` are names of what changed; the values are read from the row."""

    conversation_id: UUID
    fields: tuple[str, ...]


@event("conversations.conversation_annotated.v1")
@dataclass(frozen=True, slots=True)
class ConversationAnnotated:
    """Another app shows something new beside it, such as a run of a workflow."""

    conversation_id: UUID


@event("conversations.conversation_archived.v1", public="conversation.archived")
@dataclass(frozen=True, slots=True)
class ConversationArchived:
    conversation_id: UUID


@event("conversations.conversation_deleted.v1", public="conversation.ended", label=_("Deleted a conversation"))
@dataclass(frozen=True, slots=True)
class ConversationDeleted:
    conversation_id: UUID


@event("conversations.conversation_restored.v1", label=_("Restored a conversation"))
@dataclass(frozen=True, slots=True)
class ConversationRestored:
    conversation_id: UUID


@event("conversations.conversation_exported.v1", label=_("Saved a conversation as a file"))
@dataclass(frozen=True, slots=True)
class ConversationExported:
    """Somebody took it away as a document: ``json`` or ``zip`` (the whole tree), or ``markdown`` (their path)."""

    conversation_id: UUID
    format: str


@event("conversations.conversation_imported.v1", label=_("Imported a conversation"))
@dataclass(frozen=True, slots=True)
class ConversationImported:
    """Made from a document that was exported, here or elsewhere."""

    conversation_id: UUID
    messages: int


@event("conversations.conversation_erased.v1", label=_("Erased a conversation for good"))
@dataclass(frozen=True, slots=True)
class ConversationErased:
    """Deleted for 30 days, now gone for good, with so many messages. ``visibility``: who had seen it."""

    conversation_id: UUID
    messages: int
    visibility: str


@event("conversations.conversation_privacy_changed.v1", label=_("Changed who sees a conversation"))
@dataclass(frozen=True, slots=True)
class ConversationPrivacyChanged:
    """``before`` and ``after``: private, project (the team) or link."""

    conversation_id: UUID
    before: str
    after: str


@event("conversations.conversation_handed_over.v1", label=_("Handed over a conversation"))
@dataclass(frozen=True, slots=True)
class ConversationHandedOver:
    """``user_id`` owned it and has left; ``heir_id`` owns it now."""

    conversation_id: UUID
    user_id: UUID
    heir_id: UUID


@event("conversations.conversation_marked.v1", label=_("Changed whether a whole conversation is sensitive"))
@dataclass(frozen=True, slots=True)
class ConversationMarked:
    """From now on every message in it is sensitive, or no longer each one."""

    conversation_id: UUID
    is_sensitive: bool


@event("conversations.participant_added.v1", label=_("Let somebody into a conversation"))
@dataclass(frozen=True, slots=True)
class ParticipantAdded:
    """One person or one team; ``permission``: view, or post (which is both)."""

    conversation_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None
    permission: str = "post"


@event("conversations.participant_removed.v1", label=_("Took somebody's access to a conversation away"))
@dataclass(frozen=True, slots=True)
class ParticipantRemoved:
    conversation_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None


@event("conversations.participant_denied.v1", label=_("Denied somebody a conversation"))
@dataclass(frozen=True, slots=True)
class ParticipantDenied:
    """``permission`` is the least that is taken away: view (all of it), or post."""

    conversation_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None
    permission: str = "view"


@event("conversations.participant_allowed.v1", label=_("Lifted a denial in a conversation"))
@dataclass(frozen=True, slots=True)
class ParticipantAllowed:
    conversation_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None


@event("conversations.link_made.v1", label=_("Made a share link"))
@dataclass(frozen=True, slots=True)
class LinkMade:
    """It shows messages up to that number."""

    conversation_id: UUID
    link_id: UUID
    up_to_number: int


@event("conversations.link_renewed.v1", label=_("Shared a conversation again"))
@dataclass(frozen=True, slots=True)
class LinkRenewed:
    conversation_id: UUID
    link_id: UUID
    up_to_number: int


@event("conversations.link_withdrawn.v1", label=_("Withdrew a share link"))
@dataclass(frozen=True, slots=True)
class LinkWithdrawn:
    conversation_id: UUID
    link_id: UUID


@event("conversations.message_posted.v1", public="message.created")
@dataclass(frozen=True, slots=True)
class MessagePosted:
    """A person's message, with the empty answer and the turn that will fill it (when a model answers)."""

    message_id: UUID
    number: int
    answer_id: UUID | None = None
    turn_id: UUID | None = None


@event("conversations.message_changed.v1")
@dataclass(frozen=True, slots=True)
class MessageChanged:
    """``change``: deleted, restored or erased (the words are gone for good)."""

    message_id: UUID
    change: str


@event("conversations.message_annotated.v1")
@dataclass(frozen=True, slots=True)
class MessageAnnotated:
    """Another app shows something new below it, such as records that were read out of it."""

    message_id: UUID


@event("conversations.message_marked.v1")
@dataclass(frozen=True, slots=True)
class MessageMarked:
    """Marked as sensitive: its words are sealed from now on."""

    message_id: UUID
    number: int


@event("conversations.message_unmarked.v1", label=_("Opened a sensitive message"))
@dataclass(frozen=True, slots=True)
class MessageUnmarked:
    """No longer sensitive: its words lie in clear again, and are found, shared and titled from."""

    message_id: UUID
    number: int


@event("conversations.turn_queued.v1")
@dataclass(frozen=True, slots=True)
class TurnQueued:
    turn_id: UUID
    message_id: UUID


@event("conversations.turn_started.v1", public="turn.started")
@dataclass(frozen=True, slots=True)
class TurnStarted:
    turn_id: UUID
    message_id: UUID
    attempt: int


@event("conversations.turn_stop_requested.v1")
@dataclass(frozen=True, slots=True)
class TurnStopRequested:
    """Somebody asked a running turn to end; its owner confirms with ``turn_ended``."""

    turn_id: UUID
    message_id: UUID


@event("conversations.turn_completed.v1", public="turn.completed")
@dataclass(frozen=True, slots=True)
class TurnCompleted:
    turn_id: UUID
    message_id: UUID
    input_tokens: int
    output_tokens: int
    cost: str


@event("conversations.turn_ended.v1", public="turn.failed")
@dataclass(frozen=True, slots=True)
class TurnEnded:
    """Ended without completing: ``status`` is stopped, failed or interrupted, ``reason`` its code."""

    turn_id: UUID
    message_id: UUID
    status: str
    reason: str
