"""Models that make vectors of texts: named in a setting, and rows of their own from then on, so that calls have prices and a ledger."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts.types import Actor
from apps.core.ids import uuid7
from apps.llm import catalogue, currencies, policies, shared_state
from apps.llm.models import Model, Provider
from apps.llm.presets import ProviderKind, Wire


@transaction.atomic
def ensure_embedder(*, actor: Actor, organization_id: UUID, reference: str) -> Model | None:
    """``reference`` is ``provider/name``. None: the organization has no such provider, or one that makes no vectors, or what it costs is in
    another currency than the budget. Safe to repeat.
    """
    policies.require(policies.can_record_calls(actor))
    said, _slash, name = reference.partition("/")
    rows = Provider.objects.filter(organization_id=organization_id, is_enabled=True, deleted_at=None)
    provider = rows.filter(name__iexact=said.strip()).order_by("created_at").first()
    name = name.strip()[:200]
    if provider is None or not name or provider.preset.wire is not Wire.OPENAI:
        return None
    there = Model.objects.select_related("provider").filter(provider=provider, name=name)
    if (found := there.filter(can_embed=True).first()) is not None:
        return _fitting(found)
    price = catalogue.embedder_price(ProviderKind(provider.kind), name)
    row = Model(id=uuid7(), organization_id=organization_id, provider=provider, name=name, can_embed=True)
    row.is_enabled, row.input_price_per_million_tokens = False, price
    row.rank = catalogue.UNKNOWN_RANK
    Model.objects.bulk_create([row], ignore_conflicts=True)
    there.update(can_embed=True)
    transaction.on_commit(lambda: shared_state.announce_change(organization_id))
    return _fitting(there.first())


def _fitting(row: Model | None) -> Model | None:
    """It is never switched on for people, so its price is asked for here."""
    return row if row is not None and currencies.fitting(row.organization_id)(row) else None
