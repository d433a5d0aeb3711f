"""Every write: ``ledger`` (calls and what they cost), ``budgets``, ``providers`` (and their models), ``embedders``, ``operators``, ``environment``."""

from apps.llm.services.budgets import set_budget
from apps.llm.services.embedders import ensure_embedder
from apps.llm.services.environment import ensure_environment_providers
from apps.llm.services.ledger import close_attempt, open_attempt, settle_lost_attempts, sweep_lost_attempts
from apps.llm.services.operators import forget_failures, switch_provider
from apps.llm.services.providers import (
    add_known_models,
    create_provider,
    delete_provider,
    draft_provider,
    note_check,
    record_models,
    reset_breaker,
    set_defaults,
    update_model,
    update_provider,
)

__all__ = [
    "add_known_models",
    "close_attempt",
    "create_provider",
    "delete_provider",
    "draft_provider",
    "ensure_embedder",
    "ensure_environment_providers",
    "forget_failures",
    "note_check",
    "open_attempt",
    "record_models",
    "reset_breaker",
    "set_budget",
    "set_defaults",
    "settle_lost_attempts",
    "sweep_lost_attempts",
    "switch_provider",
    "update_model",
    "update_provider",
]
