"""Every write of workflows."""

from apps.workflows.services.choices import MOST_MAILS, answer_choice, ask_choice, close_overdue, judge_open
from apps.workflows.services.definitions import (
    change_definition,
    check_definition,
    create_definition,
    delete_definition,
)
from apps.workflows.services.ends import fail_run, finish_run, keep_deadline, withdraw_steps
from apps.workflows.services.forking import fork_run
from apps.workflows.services.hearing import forget_heard, hear
from apps.workflows.services.others import emit_signal, note_collections, read_inner, require_asker, start_inner
from apps.workflows.services.rollback import roll_back
from apps.workflows.services.runs import (
    cancel_run,
    claim_run,
    give_back,
    keep_run,
    pause_run,
    resume_run,
    retry_run,
    start_run,
)
from apps.workflows.services.secrets import delete_secret, keep_secret
from apps.workflows.services.stages import advance_stage, approve_stage, check_stage, pass_gate
from apps.workflows.services.starts import (
    begin_due_run,
    begin_due_runs,
    hear_starts,
    pause_start,
    resume_start,
    withdraw_unproved,
)
from apps.workflows.services.steps import call_inside, change_step, write_step
from apps.workflows.services.undoing import end_unwinding, take_back, undo_inside

__all__ = [
    "MOST_MAILS",
    "advance_stage",
    "answer_choice",
    "approve_stage",
    "ask_choice",
    "begin_due_run",
    "begin_due_runs",
    "call_inside",
    "cancel_run",
    "change_definition",
    "change_step",
    "check_definition",
    "check_stage",
    "claim_run",
    "close_overdue",
    "create_definition",
    "delete_definition",
    "delete_secret",
    "emit_signal",
    "end_unwinding",
    "fail_run",
    "finish_run",
    "forget_heard",
    "fork_run",
    "give_back",
    "hear",
    "hear_starts",
    "judge_open",
    "keep_deadline",
    "keep_run",
    "keep_secret",
    "note_collections",
    "pass_gate",
    "pause_run",
    "pause_start",
    "read_inner",
    "require_asker",
    "resume_run",
    "resume_start",
    "retry_run",
    "roll_back",
    "start_inner",
    "start_run",
    "take_back",
    "undo_inside",
    "withdraw_steps",
    "withdraw_unproved",
    "write_step",
]
