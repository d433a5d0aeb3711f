"""What operators may do in every organization, under their own name: switch a provider, forget its failures."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts.types import SYSTEM, Actor
from apps.llm import events, policies, selectors, shared_state
from apps.llm.models import Provider
from apps.llm.services.providers import announce


@transaction.atomic
def switch_provider(*, actor: Actor, provider_id: UUID, is_enabled: bool) -> Provider:
    """In force with the next call of every process."""
    policies.require(policies.can_operate(actor))
    provider = selectors.lock_provider(provider_id=provider_id, viewer=SYSTEM)
    provider.is_enabled, provider.is_absent = is_enabled, False
    provider.version += 1
    provider.save(update_fields=["is_enabled", "is_absent", "version", "updated_at"])
    announce(provider, events.ProviderChanged(provider.pk, ("is_enabled",), is_enabled), actor)
    return provider


@transaction.atomic
def forget_failures(*, actor: Actor, provider_id: UUID) -> None:
    """The next call in every process asks the provider again."""
    policies.require(policies.can_operate(actor))
    provider = selectors.lock_provider(provider_id=provider_id, viewer=SYSTEM)
    breaker = selectors.route_of_provider(provider).breaker
    announce(provider, events.BreakerReset(provider.pk), actor)
    transaction.on_commit(lambda: shared_state.close_breaker(breaker))
