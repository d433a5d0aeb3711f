"""Conversations, the tree of their messages, and the turns that fill the answers."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.conversations.models.words import laid_down, opened
from apps.conversations.types import (
    ACTIVE,
    POST_IN,
    MessageStatus,
    Role,
    TitleSource,
    TurnStatus,
    Visibility,
    text_of_parts,
)
from apps.core.models import LeasedModel
from apps.core.types import Priority


class Conversation(TenantModel):
    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=200, blank=True)
    title_source = models.CharField(max_length=5, choices=TitleSource.choices, default=TitleSource.NONE)
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PROJECT)
    model = models.ForeignKey("llm.Model", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    system_prompt = models.TextField(blank=True, max_length=20_000)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    head = models.ForeignKey("Message", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    last_number = models.PositiveIntegerField(default=0, editable=False)
    # True while every message answers the one before it: then the path is all messages, and no walk is needed.
    is_linear = models.BooleanField(default=True, editable=False)
    forked_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    input_tokens = models.BigIntegerField(default=0, editable=False)
    output_tokens = models.BigIntegerField(default=0, editable=False)
    cost = models.DecimalField(max_digits=18, decimal_places=8, default=0, editable=False)
    currency = models.CharField(max_length=3, blank=True, editable=False)
    answer_seconds = models.FloatField(default=0, db_default=0, editable=False)
    last_activity_at = models.DateTimeField(db_index=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    imported_digest = models.CharField(max_length=64, blank=True, editable=False)
    # Every message in it is sensitive. ``seal_due``: some were there before, and a sweep has to come by.
    is_sensitive = models.BooleanField(default=False, db_default=False, editable=False)
    seal_due = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [(POST_IN, "Can write in the conversation")]
        indexes = [
            models.Index(fields=["project", "-last_activity_at", "-id"], name="conversations_list"),
            models.Index(fields=["owner", "-last_activity_at"], name="conversations_owner"),
            GinIndex(fields=["tags"], name="conversations_tags"),
            models.Index(fields=["deleted_at"], name="conversations_deleted", condition=~Q(deleted_at=None)),
            models.Index(fields=["id"], name="conversations_seal_due", condition=Q(seal_due=True)),
        ]

    def __str__(self) -> str:
        return self.title or str(self.pk)

    @property
    def topic(self) -> str:
        return f"conversation:{self.pk}"


class Participation(TenantModel):
    """What one person has with one conversation: their own head, pin and reading mark. Access is a grant."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    head = models.ForeignKey("Message", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    pinned_at = models.DateTimeField(null=True, blank=True)
    last_read_number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation", "user"], name="conversations_participation_once"
            )
        ]
        indexes = [
            models.Index(fields=["conversation", "user"], name="conversations_part_conv"),
            models.Index(fields=["user", "conversation"], name="conversations_part_user"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Message(TenantModel):
    """One message of the tree. An answer's row exists, empty, from the moment its question is posted."""

    # What the turns beside its own took, where ``selectors.messages`` read it and there are any (``usage.usage_of``).
    beside: dict[str, Any] | None = None

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    role = models.CharField(max_length=9, choices=Role.choices)
    author = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    agent = models.ForeignKey(
        "agents.Agent", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    status = models.CharField(max_length=11, choices=MessageStatus.choices, default=MessageStatus.COMPLETED)
    # What is said, read and written as ``parts``. Of a sensitive message both are empty, and ``sealed`` holds it.
    stored_parts = models.JSONField(default=list, db_column="parts")
    content = models.TextField(blank=True)
    is_sensitive = models.BooleanField(default=False, db_default=False, editable=False)
    sealed = models.TextField(default="", db_default="", blank=True, editable=False)
    client_id = models.UUIDField(null=True, blank=True)
    turn = models.ForeignKey("Turn", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_by = models.CharField(max_length=200, blank=True)
    is_edit = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Made by a trigger: how a generated column is made cannot be changed without writing every row anew under a lock.
    words = models.GeneratedField(
        expression=models.Func(models.F("content"), function="core_words"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.UniqueConstraint(fields=["conversation", "number"], name="conversations_message_number"),
            models.UniqueConstraint(
                fields=["conversation", "author", "client_id"],
                name="conversations_message_client_id",
                condition=~Q(client_id=None),
            ),
        ]
        indexes = [
            models.Index(fields=["parent"], name="conversations_message_parent"),
            GinIndex(fields=["words"], name="conversations_message_words"),
            models.Index(fields=["organization", "-created_at"], name="conversations_message_recent"),
            models.Index(fields=["author", "-created_at"], name="conversations_message_author"),
            models.Index(fields=["deleted_at"], name="conversations_message_deleted", condition=~Q(deleted_at=None)),
            models.Index(fields=["id"], name="conversations_message_sealed", condition=Q(is_sensitive=True)),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id}#{self.number}"

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Opened where they are sealed: give them to nobody who may not read the conversation."""
        if not self.sealed:
            return self.stored_parts
        kept = self.__dict__.get("_opened")
        if kept is None or kept[0] != self.sealed:
            kept = self.__dict__["_opened"] = (self.sealed, opened(self.pk, self.sealed))
        return kept[1]

    @parts.setter
    def parts(self, parts: list[dict[str, Any]]) -> None:
        words = laid_down(self.pk, parts, is_sensitive=self.is_sensitive)
        self.stored_parts, self.content, self.sealed = words.parts, words.content, words.sealed

    @property
    def text(self) -> str:
        """The words alone. The column is empty while an answer is being written and where it is sealed; the parts say more."""
        return self.content or text_of_parts(self.parts)

    @property
    def speaker(self) -> str:
        """Who said it, as pages and exports write it: a person, whoever an import names, else the agent."""
        if self.author is not None:
            return self.author.display_name
        imported = next((str(part["author"]) for part in self.parts if part.get("author")), "")
        return imported or (self.agent.name if self.agent is not None else str(_("Assistant")))


class Attachment(TenantModel):
    """Which message shows which file: whoever sees the message may read the file."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    file = models.ForeignKey("files.File", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "message", "file"], name="conversations_attachment_once")
        ]
        indexes = [models.Index(fields=["file"], name="conversations_attachment_file")]

    def __str__(self) -> str:
        return f"{self.message_id} {self.file_id}"


class TitleRequest(TenantModel, LeasedModel):
    """The wish for a title, kept until there is one. ``attempts`` begin anew with every answer."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    requested_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    key_id = models.UUIDField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "conversation"], name="conversations_title_request_once")
        ]

    def __str__(self) -> str:
        return str(self.conversation_id)


class Turn(TenantModel):
    """The record of work for one answer: lease, fence, attempts. Celery only carries the hint to run it."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+", db_index=False)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    # Plain, as in the log: a key whose row is gone may do nothing more, which is all a worker asks of it.
    key_id = models.UUIDField(null=True, blank=True, editable=False)
    model = models.ForeignKey(
        "llm.Model", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    agent = models.ForeignKey(
        "agents.Agent", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # A default of the database: the release before this one writes rows without it.
    priority = models.SmallIntegerField(db_default=Priority.NORMAL.value, default=Priority.NORMAL.value, editable=False)
    after_turn = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_continuation = models.BooleanField(default=False)
    # The answer had turns before this one: what it took is what all of them took.
    has_others = models.BooleanField(default=False, db_default=False, editable=False)
    status = models.CharField(max_length=11, choices=TurnStatus.choices, default=TurnStatus.QUEUED)
    reason = models.CharField(max_length=60, blank=True)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=80, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    provider_name = models.CharField(max_length=100, blank=True)
    model_name = models.CharField(max_length=200, blank=True)
    is_fallback = models.BooleanField(default=False)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    is_estimated = models.BooleanField(default=False)
    last_seq = models.PositiveIntegerField(default=0)
    correlation_id = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        indexes = [
            models.Index(
                fields=["organization", "created_at"], name="conversations_turn_active", condition=Q(status__in=ACTIVE)
            ),
            models.Index(
                fields=["lease_until"], name="conversations_turn_leases", condition=Q(status=TurnStatus.RUNNING)
            ),
            models.Index(fields=["conversation", "created_at"], name="conversations_turn_conv"),
            models.Index(fields=["message"], name="conversations_turn_message"),
            models.Index(fields=["organization", "model_name", "-created_at"], name="conversations_turn_model"),
            models.Index(fields=["organization", "cost"], name="conversations_turn_cost", condition=~Q(cost=None)),
            models.Index(
                fields=["organization", "created_at"], name="conversations_turn_others", condition=Q(has_others=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status=TurnStatus.RUNNING) | Q(lease_until__isnull=False),
                name="conversations_turn_running_has_lease",
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)
