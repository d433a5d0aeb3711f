"""Collections with their schemas, records with their keys, links and history."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.models import LeasedModel
from apps.core.types import Scope
from apps.extraction.types import ProposalStatus, RevisionKind, RunCause, RunStatus, Trust, Visibility


class Collection(TenantModel):
    """What records of one kind look like. Its schema is the row of ``CollectionSchema`` with ``schema_number``."""

    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    slug = models.CharField(_("short name"), max_length=60)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=500, blank=True)
    schema_number = models.PositiveIntegerField(default=1, editable=False)
    # Counts changes of schema, title, keys and what is needed: records are written anew for each (``services.reshape_records``).
    shape_number = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    title_template = models.CharField(_("title template"), max_length=300, blank=True)
    # Lists of names of fields: each list is one key.
    unique_keys = models.JSONField(default=list, blank=True)
    # What a record needs before it is complete, beyond what its schema requires of every record.
    needed = models.JSONField(default=list, blank=True)
    # Other words for fields in this project: {"field": ["word", …]}.
    aliases = models.JSONField(default=dict, blank=True)
    trust = models.CharField(_("trust"), max_length=13, choices=Trust.choices, default=Trust.REVIEW)
    trust_above = models.FloatField(default=0.9, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    visibility = models.CharField(
        _("who sees it"),
        max_length=7,
        choices=Visibility.choices,
        default=Visibility.PROJECT,
        db_default=Visibility.PROJECT.value,
    )
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "slug"],
                name="extraction_collection_slug",
                condition=Q(deleted_at=None),
            ),
            models.CheckConstraint(
                condition=Q(trust_above__gte=0.0, trust_above__lte=1.0), name="extraction_collection_trust"
            ),
        ]
        indexes = [models.Index(fields=["project", "name"], name="extraction_collection_project")]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> Scope:
        return Scope(f"collection:{self.pk}", self.organization_id, self.project_id)

    @property
    def asks_first(self) -> bool:
        """Whether somebody decides on what a model makes up before it is kept, unless they say otherwise."""
        return self.trust != Trust.ACCEPT


class CollectionSchema(TenantModel):
    """One JSON Schema of a collection; never changed, so that an old record can be read by the schema it was made with."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField(editable=False)
    document = models.JSONField()
    made_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("schema of a collection")
        verbose_name_plural = _("schemas of collections")
        constraints = [
            models.UniqueConstraint(fields=["organization", "collection", "number"], name="extraction_schema_number")
        ]

    def __str__(self) -> str:
        return f"{self.collection_id} {self.number}"


class Record(TenantModel):
    """One object of a collection. ``words`` is what is searched: all its text, title first."""

    version = models.PositiveIntegerField(default=1, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="+", db_index=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    schema_number = models.PositiveIntegerField(editable=False)
    title = models.CharField(max_length=300, blank=True)
    data = models.JSONField(default=dict)
    is_complete = models.BooleanField(default=False)
    missing = models.JSONField(default=list)
    created_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Where it went when it was joined with another: then it is deleted too, and comes back by undoing that alone.
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="+")
    # The shape of its collection by which title, keys, text and blocks were made; 0: it has none yet.
    shape_number = models.PositiveIntegerField(default=0, db_default=0, editable=False, db_column="blocks_number")
    text = models.TextField(blank=True, editable=False)
    # Made by a trigger, as that of messages is.
    words = models.GeneratedField(
        expression=models.Func(models.F("text"), function="core_words"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("record")
        verbose_name_plural = _("records")
        indexes = [
            models.Index(
                fields=["collection", "-created_at", "-id"], name="extraction_record_list", condition=Q(deleted_at=None)
            ),
            models.Index(
                fields=["collection", "title", "id"], name="extraction_record_title", condition=Q(deleted_at=None)
            ),
            models.Index(F("collection"), Upper("title"), name="extraction_record_named", condition=Q(deleted_at=None)),
            models.Index(
                fields=["collection", "-updated_at", "-id"],
                name="extraction_record_changed",
                condition=Q(deleted_at=None),
            ),
            # What is not complete is looked for among many that are.
            models.Index(
                fields=["collection", "-created_at", "-id"],
                name="extraction_record_incomplete",
                condition=Q(deleted_at=None, is_complete=False),
            ),
            models.Index(fields=["created_by"], name="extraction_record_creator"),
            GinIndex(fields=["data"], opclasses=["jsonb_path_ops"], name="extraction_record_data"),
            GinIndex(fields=["words"], name="extraction_record_words"),
            models.Index(fields=["deleted_at"], name="extraction_record_deleted", condition=~Q(deleted_at=None)),
            models.Index(
                fields=["collection", "shape_number"], name="extraction_record_blocks", condition=Q(deleted_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.title or str(self.pk)


class RecordKey(TenantModel):
    """The values of one unique key of one record, as a digest: the constraint is what keeps two records apart."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    fields = models.CharField(max_length=400)
    digest = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "collection", "fields", "digest"], name="extraction_key_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.fields}"


class RecordLink(TenantModel):
    """``source.field`` points to ``target``. The ids stand in the record's data too: this is the way back, and the integrity."""

    source = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    field = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=0)
    target = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "source", "field", "position"], name="extraction_link_place"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.field} {self.target_id}"


class RecordRevision(TenantModel):
    """A record as it was from one version to the next."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField(editable=False)
    kind = models.CharField(max_length=9, choices=RevisionKind.choices)
    schema_number = models.PositiveIntegerField(editable=False)
    data = models.JSONField()
    author = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "record", "number"], name="extraction_revision_number")
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.number}"


class ExtractionRun(TenantModel, LeasedModel):
    """The wish to read records out of words, and how it went.

    Words are named by plain ids: a conversation is erased without asking what was read in it. Of an operation that makes records up it
    holds the suggestions: there are no words, nothing is read, and it is completed from the beginning.
    """

    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    key_id = models.UUIDField(null=True, editable=False)
    conversation_id = models.UUIDField(null=True, editable=False)
    message_id = models.UUIDField(null=True, editable=False)
    file_id = models.UUIDField(null=True, editable=False)
    # The conversation and the message below which it is shown; a file or a whole conversation is shown somewhere, too.
    shown_in = models.UUIDField(null=True, editable=False)
    shown_under = models.UUIDField(null=True, editable=False)
    cause = models.CharField(
        max_length=7, choices=RunCause.choices, default=RunCause.ASKED, db_default=RunCause.ASKED.value, editable=False
    )
    selection_start = models.PositiveIntegerField(null=True, editable=False)
    selection_end = models.PositiveIntegerField(null=True, editable=False)
    collections = ArrayField(models.UUIDField(), editable=False)
    model = models.ForeignKey("llm.Model", on_delete=models.PROTECT, null=True, related_name="+")
    language = models.CharField(max_length=12, default="en", editable=False)
    status = models.CharField(max_length=9, choices=RunStatus.choices, default=RunStatus.QUEUED)
    error_code = models.CharField(max_length=60, blank=True)
    answered_by = models.CharField(max_length=200, blank=True)
    is_demo = models.BooleanField(default=False)
    is_text_cut = models.BooleanField(default=False)
    # A long text is read in pieces: how many characters there are, how many were read, in how many pieces of how many.
    characters = models.PositiveIntegerField(default=0, db_default=0)
    characters_read = models.PositiveIntegerField(default=0, db_default=0)
    parts = models.PositiveIntegerField(default=1, db_default=1)
    parts_done = models.PositiveIntegerField(default=0, db_default=0)
    piece_size = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    stops_at = models.DateTimeField(null=True, editable=False)
    # Why nothing more of the words is read, though some are left; and what was not read: {"reason", "start", "end", "characters"}.
    stopped_by = models.CharField(max_length=60, blank=True, default="", db_default="")
    unread = models.JSONField(default=list, db_default=[])
    expected_cost = models.DecimalField(max_digits=18, decimal_places=8, null=True)
    steps = ArrayField(models.CharField(max_length=30), default=list)
    unplaced = models.JSONField(default=list)
    # What it answered of earlier questions: {"proposal", "title", "label", "text"}.
    answered = models.JSONField(default=list, db_default=[])
    # Records that it wrote by itself: [id, version before, version after], 0 before where it made one.
    wrote = models.JSONField(default=list, db_default=[], editable=False)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=8, null=True)
    currency = models.CharField(max_length=3, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    # Of an operation over many files: the item it is for, which reads it itself.
    effect_key = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    # The operation whose items make these suggestions up.
    operation_id = models.UUIDField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("extraction")
        verbose_name_plural = _("extractions")
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="extraction_run_list"),
            models.Index(
                fields=["created_at"], name="extraction_run_open", condition=Q(status__in=["queued", "running"])
            ),
            models.Index(fields=["message_id"], name="extraction_run_message"),
            models.Index(fields=["conversation_id"], name="extraction_run_talk"),
            models.Index(fields=["shown_under"], name="extraction_run_shown"),
        ]
        constraints = [
            # What nobody asked for happens once a message, however often the log is read.
            models.UniqueConstraint(
                fields=["organization", "message_id"], name="extraction_run_once", condition=~Q(cause="asked")
            ),
            models.UniqueConstraint(
                fields=["organization", "effect_key"], name="extraction_run_of_item", condition=~Q(effect_key="")
            ),
            models.UniqueConstraint(
                fields=["organization", "operation_id"],
                name="extraction_run_of_operation",
                condition=Q(operation_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def scope(self) -> Scope:
        return Scope(self.topic, self.organization_id, self.project_id)

    @property
    def topic(self) -> str:
        return f"extraction:{self.pk}"


class ExtractionPart(TenantModel):
    """A piece of a long text that was read, with what the model said: kept until all is read, so that nothing is read twice.

    ``is_told``: its cost is in the operation that the run is for. ``is_suggested``: what it says was suggested before somebody went on reading.
    """

    run = models.ForeignKey(ExtractionRun, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    answer = models.TextField(blank=True)
    is_cut = models.BooleanField(default=False)
    error_code = models.CharField(max_length=60, blank=True)
    cost = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    is_told = models.BooleanField(default=False)
    is_suggested = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name = _("piece that was read")
        verbose_name_plural = _("pieces that were read")
        constraints = [
            models.UniqueConstraint(fields=["organization", "run", "number"], name="extraction_part_number"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number}"


class Proposal(TenantModel):
    """One record that a run suggests. ``links`` name other proposals of the run by ``entity_id``, or records by ``record``."""

    version = models.PositiveIntegerField(default=1, editable=False)
    run = models.ForeignKey(ExtractionRun, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    # Of its collection, by which its fields are called; 0: made before this was noted.
    schema_number = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    entity_id = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    sources = models.JSONField(default=list)
    links = models.JSONField(default=list)
    problems = models.JSONField(default=list)
    # Records that were there when it was made and may be the same thing, the likeliest first.
    duplicates = models.JSONField(default=list, db_default=[])
    confidence = models.FloatField(default=0)
    status = models.CharField(max_length=8, choices=ProposalStatus.choices, default=ProposalStatus.PENDING)
    record = models.ForeignKey(Record, on_delete=models.PROTECT, null=True, related_name="+")
    # The record that accepting it made; none: it went into one that was there. Where that one went since, ``record`` says.
    made_id = models.UUIDField(null=True, editable=False)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("suggested record")
        verbose_name_plural = _("suggested records")
        constraints = [
            models.UniqueConstraint(fields=["organization", "run", "number"], name="extraction_proposal_number"),
        ]
        indexes = [
            models.Index(
                fields=["project", "-created_at", "-id"],
                name="extraction_proposal_queue",
                condition=Q(status="pending"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number}"
