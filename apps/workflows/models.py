"""Definitions with their numbered versions; what starts runs by itself; runs, steps, choices and approvals."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.crypto import EncryptedTextField
from apps.core.models import LeasedModel
from apps.core.types import Scope
from apps.workflows.types import (
    LIVING,
    OPEN,
    ChoiceRule,
    ChoiceStatus,
    RunCause,
    RunStatus,
    StartKind,
    StartReason,
    StartStatus,
    StepStatus,
)


class Definition(TenantModel):
    """A workflow of a project. Its document in force is the row of ``DefinitionVersion`` with ``number``."""

    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    name = models.CharField(_("name"), max_length=63, editable=False)
    title = models.CharField(_("title"), max_length=200)
    number = models.PositiveIntegerField(default=1, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "name"],
                name="workflows_definition_name",
                condition=Q(deleted_at=None),
            )
        ]
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="workflows_definition_list")]

    def __str__(self) -> str:
        return self.title

    @property
    def scope(self) -> Scope:
        return Scope(f"workflow:{self.pk}", self.organization_id, self.project_id)


class DefinitionVersion(TenantModel):
    """One document; never changed, so that a run goes on by what it began with."""

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="+", editable=False)
    number = models.PositiveIntegerField(editable=False)
    document = models.JSONField(editable=False)
    # As it was written, with its comments; empty where it came as an object.
    text = models.TextField(blank=True, default="", editable=False)
    made_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    class Meta:
        verbose_name = _("version of a workflow")
        verbose_name_plural = _("versions of workflows")
        constraints = [
            models.UniqueConstraint(fields=["organization", "definition", "number"], name="workflows_version_number")
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} {self.number}"


class Start(TenantModel):
    """What begins runs of a definition by itself, as ``schedule`` of the document in force says. Runs act for who armed it.

    ``next_at``: when the clock begins a run. ``heard``: of events that have to come together those that have. ``skipped``: how often its time
    had come and nothing was begun, for ``last_error``.
    """

    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+", editable=False)
    kind = models.CharField(max_length=5, choices=StartKind.choices, editable=False)
    schedule = models.JSONField(default=dict, editable=False)
    status = models.CharField(max_length=6, choices=StartStatus.choices, default=StartStatus.ACTIVE, editable=False)
    reason = models.CharField(max_length=20, choices=StartReason.choices, blank=True, default="", editable=False)
    armed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    key_id = models.UUIDField(null=True, editable=False)
    armed_at = models.DateTimeField(editable=False)
    next_at = models.DateTimeField(null=True, editable=False)
    last_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=20, choices=StartReason.choices, blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    skipped = models.PositiveIntegerField(default=0, editable=False)
    heard = models.JSONField(default=list, editable=False)

    class Meta:
        verbose_name = _("start of a workflow")
        verbose_name_plural = _("starts of workflows")
        constraints = [
            models.UniqueConstraint(fields=["organization", "definition"], name="workflows_start_definition"),
            models.CheckConstraint(condition=Q(status__in=StartStatus.values), name="workflows_start_status"),
        ]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="workflows_start_list"),
            models.Index(fields=["next_at"], name="workflows_start_due", condition=Q(status="active")),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id} {self.kind}"


class Run(TenantModel, LeasedModel):
    """One way through a definition, by the version that it began with. What it came through are its steps; what it stands at follows from them.

    ``is_woken``: something happened while a worker had it. ``is_unwinding``: effects are taken back, then it is paused, or cancelled when it
    ``is_given_up``: somebody cancelled it, or the run that began it went back. ``step_count`` numbers its steps.
    """

    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+", editable=False)
    followed = models.ForeignKey(DefinitionVersion, on_delete=models.PROTECT, related_name="+", editable=False)
    title = models.CharField(_("title"), max_length=200, blank=True)
    status = models.CharField(max_length=9, choices=RunStatus.choices, default=RunStatus.QUEUED)
    cause = models.CharField(max_length=8, choices=RunCause.choices, default=RunCause.PERSON, editable=False)
    requested_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    key_id = models.UUIDField(null=True, editable=False)
    # Plain: a conversation may be erased before the run.
    conversation_id = models.UUIDField(null=True, editable=False)
    # Of which its data, steps and questions may hold words: who does not see all of them does not see the run. Plain ids.
    collections = ArrayField(models.UUIDField(), default=list, db_default=[], editable=False)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    forked_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    depth = models.PositiveSmallIntegerField(default=0, editable=False)
    # What began it by itself, and for which time or event: once for each. ``reactions``: how many reactions to events led here.
    start = models.ForeignKey(
        Start, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, editable=False
    )
    start_key = models.CharField(max_length=80, blank=True, default="", db_default="", editable=False)
    reactions = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    data = models.JSONField(default=dict, editable=False)
    output = models.JSONField(null=True, editable=False)
    error = models.JSONField(default=dict, editable=False)
    failed_steps = models.JSONField(default=list, editable=False)
    waits_for = models.CharField(max_length=20, blank=True, default="", editable=False)
    stage = models.CharField(max_length=100, blank=True, default="", editable=False)
    wake_at = models.DateTimeField(null=True, editable=False)
    is_woken = models.BooleanField(default=False, editable=False)
    is_unwinding = models.BooleanField(default=False, editable=False)
    is_given_up = models.BooleanField(default=False, db_default=False, editable=False)
    step_count = models.PositiveIntegerField(default=0, editable=False)
    crashes = models.PositiveSmallIntegerField(default=0, editable=False)
    cost = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    correlation_id = models.CharField(max_length=64, blank=True, default="", editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("run of a workflow")
        verbose_name_plural = _("runs of workflows")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=RunStatus.values), name="workflows_run_status"),
            models.UniqueConstraint(
                fields=["organization", "start", "start_key"],
                name="workflows_run_once_a_start",
                condition=Q(start__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="workflows_run_list"),
            models.Index(fields=["definition", "-created_at"], name="workflows_run_definition"),
            models.Index(fields=["conversation_id", "-created_at"], name="workflows_run_talk"),
            models.Index(fields=["start", "-created_at"], name="workflows_run_start", condition=Q(start__isnull=False)),
            models.Index(fields=["status", "wake_at"], name="workflows_run_open", condition=Q(status__in=OPEN)),
        ]

    def __str__(self) -> str:
        return self.title or str(self.pk)

    @property
    def scope(self) -> Scope:
        return Scope(f"run:{self.pk}", self.organization_id, self.project_id)


class Step(TenantModel):
    """One task that a run came to. ``visit``: how often it came here. What is rolled back or tried again stays as history."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_index=False, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    number = models.PositiveIntegerField(editable=False)
    path = models.CharField(max_length=1000, editable=False)
    visit = models.PositiveIntegerField(default=1, editable=False)
    kind = models.CharField(max_length=10, editable=False)
    status = models.CharField(max_length=11, choices=StepStatus.choices, editable=False)
    input = models.JSONField(null=True, editable=False)
    output = models.JSONField(null=True, editable=False)
    error = models.JSONField(default=dict, editable=False)
    # What its kind remembers between attempts; ``wrote``: records it wrote, as [id, version before, version after].
    state = models.JSONField(default=dict, editable=False)
    wrote = models.JSONField(default=list, editable=False)
    # What of it could not be taken back: objects with what, id, code, detail and count.
    kept = models.JSONField(default=list, db_default=[], editable=False)
    attempts = models.PositiveSmallIntegerField(default=1, editable=False)
    waits_on = models.UUIDField(null=True, editable=False)
    wake_at = models.DateTimeField(null=True, editable=False)
    cost = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    started_at = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("step of a run")
        verbose_name_plural = _("steps of runs")
        constraints = [
            models.UniqueConstraint(fields=["organization", "run", "number"], name="workflows_step_number"),
            models.UniqueConstraint(
                fields=["organization", "run", "path", "visit"],
                name="workflows_step_once",
                condition=Q(status__in=LIVING),
            ),
        ]
        indexes = [
            models.Index(fields=["run", "number"], name="workflows_step_list"),
            models.Index(fields=["organization", "kind"], name="workflows_step_waiting", condition=Q(status="waiting")),
            models.Index(fields=["waits_on"], name="workflows_step_waits_on", condition=Q(status="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.path}"


class Secret(TenantModel):
    """Credentials that ``call: http`` of a project's workflows may use by their name. Nothing gives them out again."""

    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    name = models.CharField(_("name"), max_length=63, editable=False)
    sealed = EncryptedTextField()
    kept_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    kept_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = _("secret of workflows")
        verbose_name_plural = _("secrets of workflows")
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name"], name="workflows_secret_name")
        ]
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="workflows_secret_list")]

    def __str__(self) -> str:
        return self.name


class Choice(TenantModel):
    """A question that a step puts to people. ``options`` are objects with key, title, category and what speaks for them."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", editable=False)
    step_id = models.UUIDField(editable=False)
    question = models.CharField(max_length=2000)
    # Empty: an answer in words, of ``answer_type``.
    options = models.JSONField(default=list)
    answer_type = models.CharField(max_length=10, blank=True, default="")
    rule = models.CharField(max_length=6, choices=ChoiceRule.choices, default=ChoiceRule.FIRST)
    quorum = models.PositiveSmallIntegerField(default=1)
    takes_own = models.BooleanField(default=True)
    asked = models.CharField(max_length=8, default="editor")
    deadline = models.DateTimeField(null=True)
    status = models.CharField(max_length=9, choices=ChoiceStatus.choices, default=ChoiceStatus.OPEN)
    option = models.CharField(max_length=60, blank=True, default="")
    text = models.TextField(blank=True, default="")
    decided_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    decided_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("choice")
        verbose_name_plural = _("choices")
        constraints = [models.UniqueConstraint(fields=["organization", "step_id"], name="workflows_choice_of_step")]
        indexes = [models.Index(fields=["deadline"], name="workflows_choice_open", condition=Q(status="open"))]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def title(self) -> str:
        """What was decided, as people call it."""
        return next((option["title"] for option in self.options if option["key"] == self.option), self.text)


class ChoiceAnswer(TenantModel):
    """What one person chose, or wrote."""

    choice = models.ForeignKey(Choice, on_delete=models.CASCADE, related_name="+", editable=False)
    person = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+", editable=False)
    option = models.CharField(max_length=60, blank=True, default="")
    text = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = _("answer to a choice")
        verbose_name_plural = _("answers to choices")
        constraints = [
            models.UniqueConstraint(fields=["organization", "choice", "person"], name="workflows_answer_once")
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Approval(TenantModel):
    """One person says that a stage of a run is as it should be. Rolling back beyond the stage takes it away."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", editable=False)
    stage = models.CharField(max_length=100, editable=False)
    person = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+", editable=False)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        constraints = [
            models.UniqueConstraint(fields=["organization", "run", "stage", "person"], name="workflows_approval_once")
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.stage}"
