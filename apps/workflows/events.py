"""Facts about definitions and runs: ids, enums and numbers; what a step read and gave is in its row."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("workflows.definition_created.v1", label=_("Made a workflow"))
@dataclass(frozen=True, slots=True)
class DefinitionCreated:
    definition_id: UUID


@event("workflows.definition_changed.v1", label=_("Changed a workflow"))
@dataclass(frozen=True, slots=True)
class DefinitionChanged:
    """``number`` is the version that is in force from now on; runs that are under way keep theirs."""

    definition_id: UUID
    number: int


@event("workflows.definition_deleted.v1", label=_("Deleted a workflow"))
@dataclass(frozen=True, slots=True)
class DefinitionDeleted:
    definition_id: UUID


@event("workflows.start_armed.v1", label=_("Armed what starts a workflow by itself"))
@dataclass(frozen=True, slots=True)
class StartArmed:
    """Runs of version ``number`` begin by themselves and act for who published it. ``kind``: every, cron, after or on."""

    definition_id: UUID
    number: int
    kind: str


@event("workflows.start_disarmed.v1", label=_("Disarmed what starts a workflow by itself"))
@dataclass(frozen=True, slots=True)
class StartDisarmed:
    """The document in force has no schedule, or the definition was deleted."""

    definition_id: UUID


@event("workflows.start_paused.v1", label=_("Paused what starts a workflow by itself"))
@dataclass(frozen=True, slots=True)
class StartPaused:
    """``reason``: by_person, nobody, no_right or filter_failed."""

    definition_id: UUID
    reason: str


@event("workflows.start_resumed.v1", label=_("Switched on what starts a workflow by itself"))
@dataclass(frozen=True, slots=True)
class StartResumed:
    """Its runs act for who did so."""

    definition_id: UUID


@event("workflows.start_skipped.v1")
@dataclass(frozen=True, slots=True)
class StartSkipped:
    """Its time had come and nothing was begun: too_often, too_many_open, too_many_runs, in_a_circle or data_too_large. Told once an hour."""

    definition_id: UUID
    reason: str


@event("workflows.secret_kept.v1", label=_("Kept a secret for workflows"))
@dataclass(frozen=True, slots=True)
class SecretKept:
    """``is_new``: there was none of that name."""

    secret_id: UUID
    is_new: bool


@event("workflows.secret_deleted.v1", label=_("Deleted a secret of workflows"))
@dataclass(frozen=True, slots=True)
class SecretDeleted:
    secret_id: UUID


@event("workflows.run_started.v1", label=_("Started a workflow"))
@dataclass(frozen=True, slots=True)
class RunStarted:
    run_id: UUID
    definition_id: UUID
    number: int
    cause: str


@event("workflows.run_changed.v1", label=_("Steered a run of a workflow"))
@dataclass(frozen=True, slots=True)
class RunChanged:
    """``change``: paused, resumed or retried."""

    run_id: UUID
    change: str


@event("workflows.run_waited.v1")
@dataclass(frozen=True, slots=True)
class RunWaited:
    """It can do nothing more for now. ``waits_for``: stage, choice, event, time, retry, run, or what a function waits for."""

    run_id: UUID
    waits_for: str


@event("workflows.run_completed.v1", label=_("A workflow came to its end"))
@dataclass(frozen=True, slots=True)
class RunCompleted:
    run_id: UUID
    definition_id: UUID


@event("workflows.run_failed.v1")
@dataclass(frozen=True, slots=True)
class RunFailed:
    """``reason`` is the code of the error that nobody caught."""

    run_id: UUID
    definition_id: UUID
    reason: str


@event("workflows.run_cancelled.v1", label=_("Cancelled a run of a workflow"))
@dataclass(frozen=True, slots=True)
class RunCancelled:
    run_id: UUID
    definition_id: UUID


@event("workflows.run_advanced.v1", public="workflow.advanced", label=_("A run reached a stage"))
@dataclass(frozen=True, slots=True)
class RunAdvanced:
    """``place`` is the number of the stage, from 1. ``is_override``: its requirements were not met, and a manager said why it goes on."""

    run_id: UUID
    step_id: UUID
    place: int
    is_override: bool


@event("workflows.gate_overridden.v1", label=_("Let a run pass a closed gate"))
@dataclass(frozen=True, slots=True)
class GateOverridden:
    """``missing``: so many requirements of stage ``place`` were not met. Why a manager let it go on is in the step, which the run shows."""

    run_id: UUID
    step_id: UUID
    place: int
    missing: int


@event("workflows.run_blocked.v1", public="workflow.blocked")
@dataclass(frozen=True, slots=True)
class RunBlocked:
    """It waits before a stage. ``missing``: how many of its requirements are not met; 0: somebody has to let it go on."""

    run_id: UUID
    step_id: UUID
    place: int
    missing: int


@event("workflows.stage_approved.v1", label=_("Approved a stage"))
@dataclass(frozen=True, slots=True)
class StageApproved:
    run_id: UUID
    place: int


@event("workflows.choice_asked.v1")
@dataclass(frozen=True, slots=True)
class ChoiceAsked:
    run_id: UUID
    choice_id: UUID


@event("workflows.choice_answered.v1", label=_("Answered a choice of a workflow"))
@dataclass(frozen=True, slots=True)
class ChoiceAnswered:
    """``is_decided``: it was the answer that decided."""

    run_id: UUID
    choice_id: UUID
    is_decided: bool


@event("workflows.choice_decided.v1")
@dataclass(frozen=True, slots=True)
class ChoiceDecided:
    """``status``: decided or expired. Runs that listen hear which question it was and what was chosen, too."""

    run_id: UUID
    choice_id: UUID
    status: str


@event("workflows.run_rolled_back.v1", label=_("Rolled a run of a workflow back"))
@dataclass(frozen=True, slots=True)
class RunRolledBack:
    """So many steps; ``set_back`` records were set back, ``kept`` were changed by somebody since and stay."""

    run_id: UUID
    steps: int
    set_back: int
    kept: int


@event("workflows.run_unwound.v1")
@dataclass(frozen=True, slots=True)
class RunUnwound:
    """After a way back: how many effects of the run were taken back in all, and how many could not be."""

    run_id: UUID
    undone: int
    failed: int


@event("workflows.signal_emitted.v1")
@dataclass(frozen=True, slots=True)
class SignalEmitted:
    """An ``emit`` task. What it says is in the step."""

    run_id: UUID
    step_id: UUID
