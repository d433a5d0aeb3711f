"""``/extract``, ``/create`` and ``/collection`` in a conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.conversations.types import Role
from apps.core.doors.commands import Command, CommandCall, CommandResult, commands
from apps.extraction import selectors
from apps.extraction.models import Collection
from apps.extraction.services.extractions import request_extraction
from apps.extraction.services.wishes import request_wish
from apps.extraction.types import NoCollections, NothingToRead
from apps.extraction.wish_types import WishKind

ALL = "all"
_LOOK_BACK = 50


def extract(call: CommandCall) -> CommandResult:
    """``all``: the whole conversation, else the newest words of a person. What else is said names collections.

    It is shown where it was asked for, at the end of what is there.
    """
    actor: Actor = call.actor  # type: ignore[assignment]
    talk = conversations.get_conversation(conversation_id=call.conversation_id, viewer=actor)
    first, _space, rest = call.arguments.partition(" ")
    is_all = first.lower() == ALL
    there = list(selectors.visible_collections(actor).filter(project=talk.project_id).order_by("name"))
    if not there:
        raise NoCollections
    wanted, unknown = _named(rest if is_all else call.arguments, there)
    if unknown:
        names = ", ".join(row.name for row in there[:20])
        said = _("There is no collection “%(name)s”. There are: %(names)s.") % {"name": unknown[:80], "names": names}
        return CommandResult(said)
    request_extraction(
        actor=actor,
        project_id=talk.project_id,
        collections=[row.pk for row in wanted],
        conversation_id=talk.pk if is_all else None,
        message_id=None if is_all else _newest_words(actor, talk.pk),
        language=get_language() or "en",
        at_end=True,
    )
    return CommandResult("")


def create(call: CommandCall) -> CommandResult:
    """The words are read as a wish."""
    example = _("Say how many of what: /create 10 characters for a noir set in Lisbon")
    return _wish(call, WishKind.RECORDS, example)


def describe(call: CommandCall) -> CommandResult:
    """The words describe a collection; a model proposes it."""
    example = _("Say what it holds: /collection Ships with name, year built and tonnage")
    return _wish(call, WishKind.COLLECTION, example)


def _wish(call: CommandCall, kind: WishKind, example: str) -> CommandResult:
    """What is understood comes as a card below the newest message of the path."""
    actor: Actor = call.actor  # type: ignore[assignment]
    if not call.arguments.strip():
        return CommandResult(example)
    talk = conversations.get_conversation(conversation_id=call.conversation_id, viewer=actor)
    leaf = conversations.active_leaf(conversation=talk, user_id=actor.user_id)
    if leaf is None:
        return CommandResult(_("Write a message first. The proposal is shown below it."))
    request_wish(
        actor=actor,
        conversation_id=talk.pk,
        message_id=leaf,
        words=call.arguments,
        kind=kind,
        language=get_language() or "en",
    )
    return CommandResult("")


def _named(words: str, there: Sequence[Collection]) -> tuple[list[Collection], str]:
    """Collections by their names or short names, commas between; with the first name that is nobody's."""
    known = {name.casefold(): row for row in there for name in (row.slug, row.name)}
    said = [name.strip() for name in re.split(r"[,;]", words) if name.strip()]
    unknown = next((name for name in said if name.casefold() not in known), "")
    return [known[name.casefold()] for name in said if name.casefold() in known], unknown


def _newest_words(actor: Actor, conversation_id: UUID) -> UUID:
    talk = conversations.get_conversation(conversation_id=conversation_id, viewer=actor)
    leaf = conversations.active_leaf(conversation=talk, user_id=actor.user_id)
    path = conversations.list_path(conversation=talk, leaf_id=leaf, before=talk.last_number + 1, limit=_LOOK_BACK)
    for row in reversed(path):
        if row.role == Role.USER and row.deleted_at is None and not row.is_sensitive and row.text.strip():
            return row.pk
    raise NothingToRead


def register() -> None:
    for name, summary, run, arguments in (
        (
            "collection",
            gettext_lazy("Describe a collection; a model proposes its fields"),
            describe,
            gettext_lazy("<what it holds>"),
        ),
        ("create", gettext_lazy("Have a model make up records"), create, gettext_lazy("10 <collection> <brief>")),
        (
            "extract",
            gettext_lazy("Suggest records from the last message"),
            extract,
            gettext_lazy("[all] <collection>"),
        ),
    ):
        commands.register(name, Command(name, summary, run, arguments, needs_words=True))
