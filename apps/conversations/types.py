"""States, parts and refusals of conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import Permission, ProjectRole
from apps.core.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound, TooLarge, Unprocessable

RESTORABLE_DAYS = 30
MAX_CONTENT_CHARACTERS = 100_000
MAX_ATTACHMENTS = 10
MAX_REFERENCES = 10
MAX_QUEUED_TURNS = 20
MAX_RUNNING_A_PERSON = 5
MAX_RUNNING_AN_ORGANIZATION = 50
MAX_RUNNING_A_PROCESS = 200
MAX_ATTEMPTS = 3
MAX_TITLE_ATTEMPTS = 3
TITLE_LEASE_SECONDS = 60.0  # longer than one call may take: nobody renews it
TITLE_CALL_SECONDS = 45.0
MAX_LINKS = 20
SHARE_LINKS = "conversations.share_links"  # the setting of an organization
KEEP_LEFT_DAYS = "conversations.keep_left_days"  # too
ALL_SENSITIVE = "conversations.all_sensitive"  # of an organization, or of a project
GONE = "00000000-0000-0000-0000-000000000000"  # the file of an imported message whose content did not come along


#: For every answer to the token of a share link: kept nowhere, listed nowhere, and its address is told to nobody that the page links to.
PUBLIC_HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
}
# Permissions of django-guardian's rows.
VIEW = "view_conversation"
POST_IN = "post_in_conversation"
# What can be granted and denied in one conversation.
VIEW_OR_POST = [(each.value, each.label) for each in (Permission.VIEW, Permission.POST)]


class Visibility(models.TextChoices):
    """Each lets in those of the one before it, too. ``project`` is called *Team* where people choose."""

    PRIVATE = "private", _("Only me and people I add")
    PROJECT = "project", _("Everyone in the project")
    LINK = "link", _("Everyone in the project, and whoever has a link")


def without_link(visibility: str) -> Visibility:
    """For a copy: it has no links, and gets none by being made."""
    return Visibility.PROJECT if visibility == Visibility.LINK else Visibility(visibility)


class TitleSource(models.TextChoices):
    NONE = "none", _("Not yet")
    AUTO = "auto", _("Written from the conversation")
    TYPED = "typed", _("Typed")


class Role(models.TextChoices):
    USER = "user", _("Person")
    ASSISTANT = "assistant", _("Model")
    SYSTEM = "system", _("System")


class MessageStatus(models.TextChoices):
    PENDING = "pending", _("Queued")
    STREAMING = "streaming", _("Writing")
    WAITING = "waiting", _("Waiting")
    COMPLETED = "completed", _("Completed")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")
    INTERRUPTED = "interrupted", _("Interrupted")


class TurnStatus(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    WAITING = "waiting", _("Waiting")
    COMPLETED = "completed", _("Completed")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")
    INTERRUPTED = "interrupted", _("Interrupted")


# A message whose words change no more.
FINAL = (MessageStatus.COMPLETED, MessageStatus.STOPPED, MessageStatus.FAILED, MessageStatus.INTERRUPTED)
TERMINAL = (TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.FAILED, TurnStatus.INTERRUPTED)
ACTIVE = (TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING)


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody has with one conversation beside what its row says: the role in its project (after denials there), and the
    most that they were granted and that is denied to them.
    """

    role: ProjectRole | None = None
    granted: Permission | None = None
    denied: Permission | None = None


class ConversationNotFound(NotFound):
    code = "conversation_not_found"
    default_detail = _("There is no such conversation, or it is not shared with you.")


class LinkNotFound(NotFound):
    code = "link_not_found"
    default_detail = _("There is nothing here. The link may have ended, or have been withdrawn.")


class OwnConversation(Conflict):
    code = "own_access"
    default_detail = _("Nobody keeps themselves out: somebody else would have to let you in again.")


class LinksClosed(Conflict):
    code = "links_closed"
    default_detail = _("Links do not open this conversation. Choose first that whoever has a link may read it.")


class LinksOff(Forbidden):
    code = "links_off"
    default_detail = _("The organization does not share conversations by link.")


class TooManyLinks(Conflict):
    code = "too_many_links"
    default_detail = _("A conversation has at most twenty links. Withdraw one that nobody needs.")


class MessageNotFound(NotFound):
    code = "message_not_found"
    default_detail = _("There is no such message, or it is not shared with you.")


class TurnNotFound(NotFound):
    code = "turn_not_found"
    default_detail = _("There is no such turn, or it is not shared with you.")


class ConversationArchived(Conflict):
    code = "conversation_archived"
    default_detail = _("The conversation is archived. Bring it back before writing in it.")


class TooLateToRestore(Conflict):
    code = "too_late_to_restore"
    default_detail = _("This was deleted more than 30 days ago and can be restored no more.")


class EmptyMessage(Invalid):
    code = "empty_message"
    default_detail = _("Write something or attach a file.")


class MessageTooLong(TooLarge):
    code = "message_too_long"
    default_detail = _("A message has at most 100,000 characters. Attach longer text as a file.")


class TooManyAttachments(Invalid):
    code = "too_many_attachments"
    default_detail = _("A message has at most ten files.")


class TooManyReferences(Invalid):
    code = "too_many_references"
    default_detail = _("A message names at most ten things.")


class UnknownReference(Invalid):
    code = "unknown_reference"
    default_detail = _("Something that the message refers to is not in this project, or not for you to read.")


class ParentElsewhere(Invalid):
    code = "parent_elsewhere"
    default_detail = _("The parent is not a message of this conversation.")


class ClientIdReused(Unprocessable):
    code = "client_id_reused"
    default_detail = _("This client_id was used for another message.")


class TooManyQueued(LimitReached):
    code = "too_many_queued"
    most = MAX_QUEUED_TURNS
    reason = "places"
    default_detail = _("Twenty answers are waiting in this conversation. Wait for one, or stop it.")


class NotAnAnswer(Invalid):
    code = "not_an_answer"
    default_detail = _("Only an answer can be written again or continued.")


class NotYours(Invalid):
    code = "not_editable"
    default_detail = _("Only a person's own message can be edited.")


class TurnStillRunning(Conflict):
    code = "turn_still_running"
    default_detail = _("The answer is still being written. Stop it first.")


class NothingToContinue(Conflict):
    code = "nothing_to_continue"
    default_detail = _("This answer ended by itself; there is nothing to continue.")


class MessageIsDeleted(Conflict):
    code = "message_deleted"
    default_detail = _("This message is deleted. Restore it first.")


class SensitiveByRule(Conflict):
    code = "sensitive_by_rule"
    default_detail = _(
        "Everything said here is sensitive, by a rule of the conversation, the project or the organization."
    )


class UnknownCommand(Invalid):
    code = "unknown_command"
    default_detail = _("There is no such command. /help lists them.")


class ExportTooLarge(TooLarge):
    code = "export_too_large"
    default_detail = _("The files of this conversation are too much for one JSON document. Take it as ZIP.")


class ImportRefused(Invalid):
    code = "import_refused"
    default_detail = _("This is not an export of a conversation that can be read here.")


class LateWriter(Conflict):
    """The lease went to somebody else; whoever gets this writes nothing more."""

    code = "late_writer"
    default_detail = _("Another worker has taken this turn over.")


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which conversations a list shows. ``archived`` and ``pinned`` None mean both; deleted ones are listed only when asked for
    (they can be restored for 30 days).
    """

    project_id: UUID | None = None
    q: str = ""
    tag: str = ""
    archived: bool | None = False
    deleted: bool = False
    pinned: bool | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Something outside of conversations that a message names: ``kind`` is the door's name of who owns it."""

    kind: str
    id: UUID


@dataclass(frozen=True, slots=True)
class TurnUsage:
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None
    currency: str = ""
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers a turn; both empty: the project's default agent and the organization's default model."""

    model_id: UUID | None
    agent_id: UUID | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ends: the state, a code where it did not complete, and everything the message holds then."""

    status: TurnStatus
    parts: list[dict[str, Any]]
    reason: str = ""
    usage: TurnUsage = field(default_factory=TurnUsage)
    provider: str = ""
    model: str = ""
    is_fallback: bool = False
    shown_seconds: float | None = None  # since the first word


#: Why an answer that came whole says less than it might: the model could not read the oldest messages beside the others.
LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class HeldTurn:
    """A claimed turn as its runner knows it. ``user_id``, ``key_id``: who asked."""

    turn_id: UUID
    fence: int
    message_id: UUID
    conversation_id: UUID
    topic: str
    correlation_id: str
    parent_id: UUID | None
    number: int
    is_continuation: bool
    is_sensitive: bool = False
    start_parts: list[dict[str, Any]] = field(default_factory=list)
    user_id: UUID | None = None
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class HeldTitle:
    """A claimed wish for a title."""

    conversation_id: UUID
    fence: int


def text_of_parts(parts: list[dict[str, Any]]) -> str:
    """``content``: the joined text of the text parts."""
    return "".join(part.get("text", "") for part in parts if part.get("type") == "text")


def is_shown(parts: list[dict[str, Any]]) -> bool:
    """Whether a reader has more of an answer than that tools were asked."""
    return any(part.get("type") not in {"tool_call", "tool_result"} for part in parts)
