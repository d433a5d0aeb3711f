"""Tables without tenants' keys: core stores organization, project and actor as plain ids."""

from __future__ import annotations

from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

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


class LeasedModel(BaseModel):
    """Work that one process at a time may do: see ``core.leases``, which alone writes these three columns."""

    lease_until = models.DateTimeField(null=True, editable=False)
    fence = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)

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


class ConsumerCursor(models.Model):
    """How far a consumer of the log has come. The row lock admits one reader at a time.

    ``attempts`` counts the failures at the event that comes next (ordered consumers); a parallel consumer's position
    says up to where delivery rows were made.
    """

    consumer = models.CharField(max_length=100, primary_key=True)
    position = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.consumer}@{self.position}"


class EventDelivery(models.Model):
    """An event that a consumer still owes: waiting (parallel consumers) or parked (all). What is done has no row."""

    class State(models.TextChoices):
        WAITING = "waiting"
        PARKED = "parked"

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=100)
    event_id = models.UUIDField()
    position = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "event deliveries"
        constraints = [models.UniqueConstraint(fields=["consumer", "event_id"], name="core_eventdelivery_once")]
        indexes = [
            models.Index(
                fields=["consumer", "due_at"], name="core_eventdelivery_due", condition=models.Q(state="waiting")
            )
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.event_id} {self.state}"


class IdempotencyKey(models.Model):
    """A ``POST`` that must have one effect. The row comes before the effect; the answer is kept for a day."""

    id = models.BigAutoField(primary_key=True)
    caller = models.CharField(max_length=80)
    route = models.CharField(max_length=300)
    key = models.CharField(max_length=255)
    body_digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "route", "key"], name="core_idempotencykey_once")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class StoredSetting(models.Model):
    """A value that somebody chose, at one level. ``target_id`` is the organization, project or person; platform has none."""

    class Level(models.TextChoices):
        PLATFORM = "platform"
        ORGANIZATION = "organization"
        PROJECT = "project"
        USER = "user"

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=100)
    level = models.CharField(max_length=12, choices=Level.choices)
    target_id = models.UUIDField(null=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(db_default=Now())
    changed_by_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key", "level", "target_id"], name="core_storedsetting_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(level="platform", target_id=None)
                | (~models.Q(level="platform") & models.Q(target_id__isnull=False)),
                name="core_storedsetting_target",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.level}"


class KeyCheck(models.Model):
    """A known text sealed with each key, to notice at start that the key file is another installation's."""

    key_id = models.CharField(max_length=12, primary_key=True)
    sealed = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.key_id


class MailMessage(LeasedModel):
    """One mail. Sent by a job, so that a slow mail server holds up no request; emptied when it is sent."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"

    recipient = models.EmailField(max_length=254)
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField(blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    due_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="core_mailmessage_queued", condition=models.Q(status="queued"))]

    def __str__(self) -> str:
        return str(self.pk)


class ProcessHeartbeat(models.Model):
    """A worker that is there. Written every few seconds; what is older than three beats is gone."""

    name = models.CharField(max_length=120, primary_key=True)
    role = models.CharField(max_length=20)
    seen_at = models.DateTimeField()
    loop_lag_seconds = models.FloatField(default=0)
    # Defaults of the database: the release before this one beats without them.
    places_taken = models.PositiveIntegerField(default=0, db_default=0)
    places = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return self.name


class SuspicionCount(models.Model):
    """How often somebody's input looked like an attack, in a day, at a door. Never the input."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    kind = models.CharField(max_length=12)
    door = models.CharField(max_length=120)
    actor_id = models.UUIDField(null=True)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "kind", "door", "actor_id"], name="core_suspicioncount_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.door}"


class JobTally(models.Model):
    """What a job, or a sweep, did on a day in all processes."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=80)
    day = models.DateField()
    runs = models.PositiveIntegerField()
    failures = models.PositiveIntegerField()
    seconds = models.FloatField()
    longest_seconds = models.FloatField()
    last_at = models.DateTimeField()

    class Meta:
        verbose_name = _("job tally")
        verbose_name_plural = _("job tallies")
        constraints = [models.UniqueConstraint(fields=["name", "day"], name="core_jobtally_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"
