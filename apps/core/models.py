"""Tables without tenants' keys: core stores organization, project and actor as plain ids."""

from __future__ import annotations

from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Now

from apps.core.ids import uuid7


class BaseModel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        abstract = True


class VersionedModel(BaseModel):
    """``version`` is the ``ETag``: every change by a person adds one, ``If-Match`` is compared with it."""

    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True


class Topic(models.Model):
    """One counter a topic. The row lock of the increment makes ``topic_position`` gapless."""

    name = models.CharField(max_length=80, primary_key=True)
    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One thing that happened. Ids, enums and numbers only, so that erasing a person never edits the log.

    ``position`` is empty at insert; the sequencer gives it after commit, in the order of ``insertion``, so that a
    reader by position misses nothing. No foreign key points here: the table will be partitioned.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    insertion = models.BigIntegerField(
        unique=True, editable=False, db_default=Func(Value("core_event_insertion"), function="nextval")
    )
    position = models.BigIntegerField(null=True, unique=True, editable=False)
    transaction_id = models.BigIntegerField(
        editable=False, db_default=Func(template="(pg_current_xact_id()::text::bigint)")
    )
    topic = models.CharField(max_length=80)
    topic_position = models.BigIntegerField()
    organization_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    type = models.CharField(max_length=100)
    version = models.PositiveSmallIntegerField(default=1)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    actor_key_id = models.UUIDField(null=True)
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.UUIDField(null=True)
    payload = models.JSONField(default=dict)
    is_refusal = models.BooleanField(default=False)
    correlation_id = models.CharField(max_length=64, blank=True)
    causation_id = models.UUIDField(null=True)
    depth = models.PositiveSmallIntegerField(default=0)
    occurred_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("insertion",)
        constraints = [
            models.UniqueConstraint(fields=["topic", "topic_position"], name="core_event_topic_position"),
            models.CheckConstraint(condition=models.Q(depth__lte=8), name="core_event_depth_at_most_8"),
        ]
        indexes = [
            models.Index(fields=["insertion"], name="core_event_unsequenced", condition=models.Q(position=None)),
            models.Index(fields=["organization_id", "position"], name="core_event_organization"),
            models.Index(fields=["subject_id"], name="core_event_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}#{self.topic_position} {self.type}"
