"""Shapes of the API. The ``Out`` shapes describe what ``presentation`` makes."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.conversations.types import (
    MAX_ATTACHMENTS,
    MAX_REFERENCES,
    MessageStatus,
    Named,
    Role,
    TitleSource,
    TurnStatus,
    Visibility,
)
from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.errors import FieldError, Invalid
from apps.core.rule_fields import Text


class Content(serializers.CharField):
    """Words as they were typed: nothing is trimmed; length is the service's business."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(trim_whitespace=False, allow_blank=True, **kwargs)  # type: ignore[arg-type]

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class ConversationIn(Serializer):
    project = serializers.UUIDField()
    title = Text(rules.TITLE, required=False)
    model = Text(rules.TITLE, required=False)
    agent = serializers.UUIDField(required=False, allow_null=True)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    system_prompt = Text(rules.TEXT.of(20_000), required=False)
    tags = serializers.ListField(child=Text(rules.TAG), max_length=20, required=False)
    sensitive = serializers.BooleanField(
        required=False,
        help_text="Every message in it is sealed in the database, in no search and behind no share link.",
    )


class ConversationChangeIn(Serializer):
    title = Text(rules.TITLE, required=False)
    model = Text(rules.TITLE, required=False, allow_null=True)
    agent = serializers.UUIDField(required=False, allow_null=True)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    system_prompt = Text(rules.TEXT.of(20_000), required=False)
    tags = serializers.ListField(child=Text(rules.TAG), max_length=20, required=False)
    add_tags = serializers.ListField(
        child=Text(rules.TAG),
        max_length=20,
        required=False,
        help_text="Beside those that are there, whatever others did meanwhile; `tags` replaces all.",
    )
    remove_tags = serializers.ListField(child=Text(rules.TAG), max_length=20, required=False)
    archived = serializers.BooleanField(required=False)
    pinned = serializers.BooleanField(required=False)
    sensitive = serializers.BooleanField(
        required=False,
        help_text="True seals what was said before, too. False (its owner alone) opens nothing: that is done message by message.",
    )


class ConversationQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    q = serializers.CharField(required=False, max_length=200, allow_blank=True)
    tag = serializers.CharField(required=False, max_length=40, allow_blank=True)
    archived = serializers.ChoiceField(choices=["false", "true", "all"], required=False, default="false")
    deleted = serializers.BooleanField(required=False, default=False)
    pinned = serializers.BooleanField(required=False, allow_null=True, default=None)


class ReferenceIn(Serializer):
    """Something the message names: the words hold ``#`` and its title, and the model that answers is given what it says."""

    kind = Text(rules.HANDLE, required=False, default="record")
    id = serializers.UUIDField()

    def to_internal_value(self, data: Any) -> Any:
        return Named(**super().to_internal_value(data))


class AimIn(Serializer):
    """Who shall answer what is written."""

    model = Text(rules.TITLE, required=False)
    agent = serializers.UUIDField(required=False, allow_null=True)
    unless_to_people = serializers.BooleanField(
        required=False,
        help_text="With `model` or `agent`, as of a choice that stands for all that is written: whom else the words name with `@` answers instead, and nobody where they name only people.",
    )


class MessageIn(AimIn):
    client_id = serializers.UUIDField(required=False)
    content = Content()
    parent = serializers.UUIDField(required=False, allow_null=True)
    seen = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="Instead of `parent`: the last message that the writer saw. The words go to the end of the branch that it is on, whichever branch was switched to meanwhile.",
    )
    attachments = serializers.ListField(child=serializers.UUIDField(), max_length=MAX_ATTACHMENTS, required=False)
    references = serializers.ListField(child=ReferenceIn(), max_length=MAX_REFERENCES, required=False)
    mode = serializers.ChoiceField(choices=["single"], required=False)
    sensitive = serializers.BooleanField(
        required=False,
        help_text="Seal it, and the answer. Without it: as the message above. Where all is sensitive so is this.",
    )


class EditIn(AimIn):
    content = Content()
    client_id = serializers.UUIDField(required=False)
    attachments = serializers.ListField(child=serializers.UUIDField(), max_length=MAX_ATTACHMENTS, required=False)
    references = serializers.ListField(
        child=ReferenceIn(),
        max_length=MAX_REFERENCES,
        required=False,
        help_text="Without it: those of the message that is edited, as far as the new words still name them.",
    )
    sensitive = serializers.BooleanField(required=False, help_text="Without it: as the message that is edited.")


class RegenerateIn(Serializer):
    model = Text(rules.TITLE, required=False)
    agent = serializers.UUIDField(required=False, allow_null=True)


class TurnIn(Serializer):
    """Ask for another answer without new words: to the last message of the path."""

    model = Text(rules.TITLE, required=False)
    agent = serializers.UUIDField(required=False, allow_null=True)


class BranchIn(Serializer):
    message = serializers.UUIDField(allow_null=True)


class ForkIn(Serializer):
    message = serializers.UUIDField(required=False, allow_null=True)


class CommandIn(Serializer):
    name = Text(rules.HANDLE)
    arguments = Text(rules.TEXT.of(2000), required=False, default="")


class ReadIn(Serializer):
    position = serializers.IntegerField(min_value=0)


class ImportIn(Serializer):
    project = serializers.UUIDField()
    conversation = serializers.DictField()


class ImportFileIn(Serializer):
    """The same as a form: for whatever was exported as ZIP, and for JSON that is too long for a plain body."""

    project = serializers.UUIDField()
    file = serializers.FileField(max_length=1000)


class MessagesQuery(Serializer):
    cursor = serializers.CharField(
        required=False,
        max_length=500,
        help_text="`next` or `previous` of an earlier answer: goes on, on the branch of that answer.",
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=100, default=100)
    leaf = serializers.UUIDField(
        required=False, help_text="The path that ends there. Without it and `message`: your own."
    )
    message = serializers.UUIDField(
        required=False,
        help_text="A message, such as one that was found: what stands around it, on your own path where it passes there, else "
        "on the newest branch that does.",
    )
    after = serializers.IntegerField(required=False, min_value=0)
    before = serializers.IntegerField(required=False, min_value=1)


class EventsQuery(Serializer):
    after = serializers.IntegerField(required=False, min_value=0)


class ExportQuery(Serializer):
    format = serializers.ChoiceField(
        choices=["json", "zip", "markdown"],
        required=False,
        default="json",
        help_text="`json` carries files of up to 64 MB together inside; `zip` carries all of them beside `conversation.json`.",
    )


def bad_cursor() -> Invalid:
    return Invalid(fields=[FieldError("cursor", "invalid", _("Take the cursor from the last answer."))])


class PersonOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class UsageOut(serializers.Serializer):
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    estimated = serializers.BooleanField()


class AnswerUsageOut(UsageOut):
    seconds = serializers.FloatField(allow_null=True)


class TurnOut(serializers.Serializer):
    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    message = serializers.UUIDField()
    status = serializers.ChoiceField(choices=TurnStatus.choices)
    reason = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField()
    provider = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    is_fallback = serializers.BooleanField()
    agent = serializers.UUIDField(allow_null=True)
    stop_requested = serializers.BooleanField()
    stopped_by = PersonOut(allow_null=True)
    usage = UsageOut()
    seconds = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    correlation_id = serializers.CharField()
    place = serializers.IntegerField(required=False)


class MessageOut(serializers.Serializer):
    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    position = serializers.IntegerField()
    role = serializers.ChoiceField(choices=Role.choices)
    author = PersonOut(allow_null=True)
    agent = PersonOut(allow_null=True)
    content = serializers.CharField()
    parts = serializers.ListField(child=serializers.DictField())
    parent = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=MessageStatus.choices)
    model = serializers.CharField(allow_null=True)
    is_edit = serializers.BooleanField()
    sensitive = serializers.BooleanField(help_text="Its words are sealed in the database; here they are opened.")
    client_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)
    turn = TurnOut(allow_null=True)
    usage = AnswerUsageOut(
        allow_null=True,
        help_text="What the answer took with all that was continued; `turn` tells of its last turn alone.",
    )
    siblings = serializers.ListField(child=serializers.UUIDField(), required=False)


class NamedOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class TotalsOut(serializers.Serializer):
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField()
    currency = serializers.CharField(allow_null=True)
    seconds = serializers.FloatField()


class ConversationOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    organization = serializers.UUIDField()
    owner = serializers.UUIDField()
    title = serializers.CharField()
    title_source = serializers.ChoiceField(choices=TitleSource.choices)
    visibility = serializers.ChoiceField(choices=Visibility.choices)
    model = NamedOut(allow_null=True)
    agent = NamedOut(allow_null=True)
    system_prompt = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    head = serializers.UUIDField(allow_null=True)
    message_count = serializers.IntegerField()
    unread = serializers.IntegerField()
    is_pinned = serializers.BooleanField()
    sensitive = serializers.BooleanField(help_text="Every message in it is.")
    forked_from = serializers.UUIDField(allow_null=True)
    usage = TotalsOut()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    last_activity_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)


class ConversationPageOut(serializers.Serializer):
    results = ConversationOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class MessagePageOut(serializers.Serializer):
    results = MessageOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    leaf = serializers.UUIDField(allow_null=True, help_text="The end of the path that was read.")
    own_leaf = serializers.UUIDField(
        allow_null=True, help_text="The end of your own path: another one than `leaf` when another branch was read."
    )


class PostedOut(serializers.Serializer):
    message = MessageOut()
    turn = TurnOut(allow_null=True)
    answer = MessageOut(allow_null=True)


class BranchOut(serializers.Serializer):
    parent = serializers.UUIDField(allow_null=True)
    children = serializers.ListField(child=serializers.UUIDField())


class BranchesOut(serializers.Serializer):
    leaf = serializers.UUIDField(allow_null=True)
    is_following = serializers.BooleanField()
    results = BranchOut(many=True)


class CommandOut(serializers.Serializer):
    name = serializers.CharField()
    summary = serializers.CharField()
    arguments = serializers.CharField()
    needs_words = serializers.BooleanField(help_text="It reads what was said: refused before the first message.")


class CommandsOut(serializers.Serializer):
    results = CommandOut(many=True)


class CommandResultOut(serializers.Serializer):
    notice = serializers.CharField()
    data = serializers.DictField()


class LeftOutOut(serializers.Serializer):
    sha256 = serializers.CharField()
    name = serializers.CharField()
    size = serializers.IntegerField()


class ExportOut(serializers.Serializer):
    """``files`` are contents by SHA-256 in base64. In a ZIP they lie beside the document, as ``files/<SHA-256>``.

    ``left_out`` names files that came in no way; exports of today leave none out. ``visibility`` stands in no digest; an import
    takes it over, and is private where it is missing.
    """

    format = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    conversation = serializers.DictField()
    files = serializers.DictField(child=serializers.CharField())
    left_out = LeftOutOut(many=True)
    visibility = serializers.ChoiceField(choices=Visibility.choices)
