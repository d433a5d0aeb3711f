"""Every write of operations: what people ask for, the plan, who takes which items, how items and operations end."""

from apps.bulk.services.claims import claim_batch, renew_items
from apps.bulk.services.ends import apply_items, end_items, find_asker, give_back
from apps.bulk.services.operations import create_operation
from apps.bulk.services.planning import append_items, append_undoing, claim_planning, fail_planning, finish_planning
from apps.bulk.services.retrying import retry_some
from apps.bulk.services.steering import (
    cancel_operation,
    change_pace,
    pause_operation,
    resume_operation,
    retry_failed,
    start_operation,
    undo_operation,
)
from apps.bulk.services.upkeep import (
    close_stopping,
    expire_late,
    expire_unstarted,
    find_lost_cursors,
    forget_old,
    reap_lapsed,
    wake_due,
)

__all__ = [
    "append_items",
    "append_undoing",
    "apply_items",
    "cancel_operation",
    "change_pace",
    "claim_batch",
    "claim_planning",
    "close_stopping",
    "create_operation",
    "end_items",
    "expire_late",
    "expire_unstarted",
    "fail_planning",
    "find_asker",
    "find_lost_cursors",
    "finish_planning",
    "forget_old",
    "give_back",
    "pause_operation",
    "reap_lapsed",
    "renew_items",
    "resume_operation",
    "retry_failed",
    "retry_some",
    "start_operation",
    "undo_operation",
    "wake_due",
]
