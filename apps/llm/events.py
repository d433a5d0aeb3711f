"""Facts about providers, models and budgets: ids and numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("llm.provider_created.v1", label=_("Added a provider"))
@dataclass(frozen=True, slots=True)
class ProviderCreated:
    provider_id: UUID
    kind: str


@event("llm.provider_changed.v1", label=_("Changed a provider"))
@dataclass(frozen=True, slots=True)
class ProviderChanged:
    """``fields`` names what changed, never the values: addresses and keys stay out of the log."""

    provider_id: UUID
    fields: tuple[str, ...]
    is_enabled: bool


@event("llm.provider_deleted.v1", label=_("Deleted a provider"))
@dataclass(frozen=True, slots=True)
class ProviderDeleted:
    provider_id: UUID


@event("llm.models_listed.v1", label=_("Read a provider's list of models"))
@dataclass(frozen=True, slots=True)
class ModelsListed:
    provider_id: UUID
    added: int
    gone: int


@event("llm.model_changed.v1", label=_("Changed a model"))
@dataclass(frozen=True, slots=True)
class ModelChanged:
    model_id: UUID
    fields: tuple[str, ...]
    is_enabled: bool


@event("llm.defaults_set.v1", label=_("Chose who answers"))
@dataclass(frozen=True, slots=True)
class DefaultsSet:
    default_id: UUID | None
    fallback_id: UUID | None


@event("llm.breaker_reset.v1", label=_("Forgot a provider's failures"))
@dataclass(frozen=True, slots=True)
class BreakerReset:
    provider_id: UUID


@event("llm.budget_set.v1", label=_("Set the budget"))
@dataclass(frozen=True, slots=True)
class BudgetSet:
    budget_id: UUID
    old_limit: Decimal | None
    new_limit: Decimal | None
