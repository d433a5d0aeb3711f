"""States, limits and refusals of definitions and runs, and what the engine passes around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, Invalid, LimitReached, NotFound, Unprocessable

MAX_DOCUMENT_BYTES = 262_144
MAX_TASKS = 500
MAX_DEPTH = 20
MAX_DEFINITIONS = 100  # of a project
MAX_VERSIONS = 1_000
MAX_OPEN_RUNS = 500  # of a project
#: Of an event that a run told, which run it was: an attribute beside those that documents may set.
TOLD_BY = "parlancerun"
MAX_STEPS = 10_000  # of a run, each time that a task is done anew counted
MAX_DATA_BYTES = 1_048_576  # of what a step gets or gives
MAX_SUBFLOWS = 5  # runs inside runs
RUN_SECONDS = 20.0  # one worker goes on with one run for so long, then others have their turn
CRASHES = 5  # workers that a run may lose without a step between
MAX_WAIT_DAYS = 400
LEAST_INTERVAL_SECONDS = 60
MAX_FILTERS = 10  # kinds of events that start runs of one definition
MAX_RUNS_AN_HOUR = 120  # of one start
MAX_OPEN_OF_START = 50  # runs of one start that are not done yet
MAX_SECRETS = 50  # of a project
MAX_SECRET_BYTES = 16_384
MAX_ROUNDS = 3  # of a definition that its own runs' events start again


class RunStatus(models.TextChoices):
    QUEUED = "queued", _("Waits for a worker")
    RUNNING = "running", _("Running")
    WAITING = "waiting", _("Waits")
    PAUSED = "paused", _("Paused")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


#: Nothing more happens to it unless somebody tries again or rolls back.
FINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
OPEN = frozenset(RunStatus) - FINAL
#: Of a run that went back: what could not be taken back may be tried again.
MAY_UNDO_AGAIN = frozenset({RunStatus.PAUSED, RunStatus.CANCELLED})


class StepStatus(models.TextChoices):
    """``rolled_back`` and ``replaced`` are history: the run goes on as if they had not been."""

    RUNNING = "running", _("Running")
    WAITING = "waiting", _("Waits")
    COMPLETED = "completed", _("Done")
    SKIPPED = "skipped", _("Skipped")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    ROLLED_BACK = "rolled_back", _("Rolled back")
    REPLACED = "replaced", _("Tried again")


#: The kind of a step that takes the effect of another back.
UNDO = "undo"
#: Behind the path of a step: the path of one that takes its effect back, and of which of them.
BACK_MARK = "#undo/"
#: In the state of a step that was cancelled while it ran.
UNDER_WAY = "under_way"
#: Of an operation or a run inside: trying again may take back the rest.
NOT_ALL = "not_all_taken_back"
#: In the state of a step that people tried again: how often it was tried.
TRIES = "tries"
#: In the state of a step that came with a fork: what it did is another run's.
COPIED = "copied"
#: What the run has come through, and what it stands at.
LIVING = frozenset(StepStatus) - {StepStatus.ROLLED_BACK, StepStatus.REPLACED}


class Back(StrEnum):
    """What of a step is taken back by a step of its own, besides what its document says."""

    RECORDS = "records"
    OPERATION = "operation"
    READING = "reading"
    RUN = "run"


class RunCause(models.TextChoices):
    PERSON = "person", _("By hand")
    PROGRAM = "program", _("By a program")
    COMMAND = "command", _("From a conversation")
    EVENT = "event", _("By an event")
    SCHEDULE = "schedule", _("By the clock")
    WORKFLOW = "workflow", _("By another run")
    FORK = "fork", _("From a step of another run")


#: Somebody waits for the answer: what cannot be done is refused, and no run tells of it.
ASKED_FOR = frozenset({RunCause.PERSON, RunCause.PROGRAM, RunCause.COMMAND})


class StartKind(models.TextChoices):
    """What the DSL calls it."""

    EVERY = "every", _("Every so often")
    CRON = "cron", _("By the calendar")
    AFTER = "after", _("After each run")
    ON = "on", _("When something happens")


class StartStatus(models.TextChoices):
    """``off``: the document in force has no schedule, or the definition is deleted."""

    ACTIVE = "active", _("Waits for its time")
    PAUSED = "paused", _("Paused")
    OFF = "off", _("Off")


class StartReason(models.TextChoices):
    """Why a start is paused, or why nothing was begun though its time had come."""

    PERSON = "by_person", _("Somebody paused it.")
    NOBODY = "nobody", _("Nobody stands behind it yet: its runs act for whoever switches it on.")
    NO_RIGHT = "no_right", _("Whom its runs act for may not run workflows here any more.")
    FILTER = "filter_failed", _("An expression in what it listens for failed or took too long.")
    TOO_OFTEN = "too_often", _("It began 120 runs within an hour; what came since was let pass.")
    TOO_MANY_OPEN = "too_many_open", _("Fifty runs that it began are not done yet; what came since was let pass.")
    TOO_MANY_RUNS = "too_many_runs", _("The project has no room for another run; what came since was let pass.")
    ROUND = "in_a_circle", _("Its own runs started it again and again; that was stopped.")
    TOO_LARGE = "data_too_large", _("What happened is more data than a run takes.")


class StageState(models.TextChoices):
    DONE = "done", _("Done")
    CURRENT = "current", _("Now")
    AVAILABLE = "available", _("Can begin")
    BLOCKED = "blocked", _("Blocked")
    LATER = "later", _("Later")


class ChoiceRule(models.TextChoices):
    FIRST = "first", _("The first answer")
    QUORUM = "quorum", _("As soon as so many agree")
    VOTE = "vote", _("Most votes at the deadline, or when everybody voted")


class ChoiceStatus(models.TextChoices):
    OPEN = "open", _("Open")
    DECIDED = "decided", _("Decided")
    EXPIRED = "expired", _("Out of time")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Category(models.TextChoices):
    RECOMMENDED = "recommended", _("Recommended")
    ALTERNATIVE = "alternative", _("Alternative")
    MANUAL = "manual", _("By hand")


class DefinitionRejected(Invalid):
    """``fields`` name the places by JSON pointer into the document; the root is the empty pointer."""

    code = "definition_rejected"
    title = _("This definition cannot be used")
    default_detail = _("This definition cannot be used.")


class DefinitionNameTaken(Conflict):
    code = "definition_name_taken"
    default_detail = _("The project has a workflow of this name.")


class DefinitionRenamed(Unprocessable):
    code = "definition_renamed"
    default_detail = _("A definition keeps its name. Make another one.")


class DefinitionInUse(Conflict):
    code = "definition_in_use"
    default_detail = _("Runs of this definition are under way. Wait for their end, or cancel them.")


class TooManyDefinitions(LimitReached):
    code = "too_many_definitions"
    default_detail = _("A project holds at most 100 workflows.")
    limit = "definitions"
    most = MAX_DEFINITIONS
    reason = "quota"


class SecretKind(models.TextChoices):
    """What a secret is for, by what is in it."""

    BEARER = "bearer", _("Token")
    BASIC = "basic", _("User name and password")
    OAUTH2 = "oauth2", _("OAuth 2, client credentials")

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> SecretKind | None:
        needed = {cls.BEARER: {"token"}, cls.BASIC: {"username", "password"}, cls.OAUTH2: {"authority", "client"}}
        return next((kind for kind, names in needed.items() if names <= value.keys()), None)


class TooManySecrets(LimitReached):
    code = "too_many_secrets"
    default_detail = _("A project keeps at most 50 secrets for workflows.")
    limit = "secrets"
    most = MAX_SECRETS
    reason = "quota"


class TooManyOpenRuns(LimitReached):
    code = "too_many_runs"
    default_detail = _("Five hundred runs of this project are not done yet. Wait for one of them, or cancel one.")
    limit = "runs"
    most = MAX_OPEN_RUNS
    reason = "places"


class RunState(Conflict):
    """``status_of_run`` is the one that is in the way."""

    code = "run_state"
    title = _("Not in this state")

    def __init__(self, status: str) -> None:
        super().__init__(
            _("This cannot be done now: the run is “%(status)s”.") % {"status": RunStatus(status).label},
            status_of_run=status,
        )


class GateClosed(Conflict):
    """``missing`` are sentences."""

    code = "gate_closed"
    title = _("Something is missing")
    default_detail = _("This stage cannot begin yet.")


class NotNext(Conflict):
    """``next`` is the stage that the run waits at; empty when it waits at none."""

    code = "stage_not_next"
    default_detail = _("The run does not wait at this stage.")


class ChoiceClosed(Conflict):
    """``status`` says what became of it."""

    code = "choice_closed"
    default_detail = _("This was decided already.")


class AnswerLinkGone(NotFound):
    code = "answer_link_gone"
    default_detail = _("This link answers nothing any more.")


class InputDoesNotFit(Invalid):
    """``fields`` name the places, from ``input`` on."""

    code = "input_does_not_fit"
    default_detail = _("The input does not fit what the workflow asks for.")


class DataTooLarge(Invalid):
    code = "data_too_large"
    default_detail = _("This is more data than a run takes.")


class Suspended(Exception):
    """Nothing more can be done now. ``until``: when to look again at the latest."""

    def __init__(self, why: str, until: datetime | None = None) -> None:
        super().__init__(why)
        self.why, self.until = why, until


class LateWriter(Exception):
    """Somebody else holds the run by now; nothing was written."""


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run that one worker holds, with the fence under which it writes."""

    run_id: UUID
    organization_id: UUID
    project_id: UUID
    definition_id: UUID
    fence: int
    document: dict[str, Any]
    data: Any
    title: str
    number: int
    conversation_id: UUID | None
    user_id: UUID | None
    key_id: UUID | None
    correlation_id: str
    started_at: str
    depth: int
    is_unwinding: bool
    collections: tuple[UUID, ...]
    reactions: int


@dataclass(slots=True)
class StepRow:
    """A step as the engine knows it: ``state`` is what its kind remembers between attempts."""

    step_id: UUID
    number: int
    path: str
    visit: int
    kind: str
    status: str
    output: Any = None
    error: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1
