"""Providers that the machine's environment names: made, brought up to date and switched off with it, and the demo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.events import emit
from apps.core.types import Scope
from apps.llm import catalogue, events, policies, shared_state
from apps.llm.adapters.demo import DEMO_MODEL
from apps.llm.models import Model, Provider, ProviderSource
from apps.llm.presets import PRESETS, Preset, ProviderKind
from apps.llm.services.providers import insert_known_models

READ_AGAIN_AFTER = timedelta(days=1)


def wanted_presets(local: Sequence[tuple[ProviderKind, str]] = ()) -> list[tuple[Preset, str]]:
    """Kind and address of everything the environment names; ``local`` are model servers found on this machine."""
    found: list[tuple[Preset, str]] = []
    for preset in PRESETS.values():
        base_url = (
            os.environ.get(preset.base_url_environment, "").strip().rstrip("/") if preset.base_url_environment else ""
        )
        if preset.environment and (os.environ.get(preset.environment, "").strip() or base_url):
            found.append((preset, base_url or preset.base_url))
    return found + [(PRESETS[kind], base_url) for kind, base_url in local]


@transaction.atomic
def ensure_environment_providers(
    *, actor: Actor, organization_id: UUID, local: Sequence[tuple[ProviderKind, str]] | None = None
) -> list[UUID]:
    """Safe to repeat. Returns the ids of providers whose own list of models should be read now: new and moved ones, those that did not
    answer the last time, and after a day all. Undoes only its own switching: what a person or an operator switched off stays off.

    ``local`` None: nobody has looked for local servers, so those that are known stay as they are.
    """
    accounts.lock_organization(organization_id, actor)
    policies.require(policies.can_record_calls(actor))
    rows = Provider.objects.filter(organization_id=organization_id, source=ProviderSource.ENVIRONMENT, deleted_at=None)
    present = {row.kind: row for row in rows}
    wanted = wanted_presets(local or ())
    fresh: list[UUID] = []
    changed = False
    for preset, base_url in wanted:
        row = present.get(preset.kind)
        if row is None:
            row = _create(organization_id, preset, base_url, actor)
            fresh.append(row.pk)
        elif row.base_url != base_url or row.is_absent:
            row.base_url, row.is_enabled, row.is_absent = base_url, row.is_enabled or row.is_absent, False
            row.version += 1
            row.save(update_fields=["base_url", "is_enabled", "is_absent", "version", "updated_at"])
            if row.is_enabled:
                fresh.append(row.pk)
            changed = True
        elif row.is_enabled and _is_due(row):
            fresh.append(row.pk)
    kept = {preset.kind.value for preset, _url in wanted} | {ProviderKind.DEMO.value}
    if local is None:
        kept |= {kind.value for kind, preset in PRESETS.items() if preset.is_local}
    for row in present.values():
        if row.kind not in kept and row.is_enabled:
            row.is_enabled, row.is_absent = False, True
            row.version += 1
            row.save(update_fields=["is_enabled", "is_absent", "version", "updated_at"])
            changed = True
    if ProviderKind.DEMO.value not in present:
        _create_demo(organization_id, actor)
        changed = True
    if fresh or changed:
        transaction.on_commit(lambda: shared_state.announce_change(organization_id))
    return fresh


def _is_due(row: Provider) -> bool:
    return row.checked_at is None or bool(row.check_code) or row.checked_at < timezone.now() - READ_AGAIN_AFTER


def _create(organization_id: UUID, preset: Preset, base_url: str, actor: Actor) -> Provider:
    label = str(preset.kind.label)
    taken = set(
        Provider.objects.filter(
            Q(name__istartswith=label), organization_id=organization_id, deleted_at=None
        ).values_list("name", flat=True)
    )
    name = label if label not in taken else f"{label} (environment)"
    provider = Provider.objects.create(
        organization_id=organization_id,
        kind=preset.kind,
        name=name,
        base_url=base_url,
        source=ProviderSource.ENVIRONMENT,
    )
    insert_known_models(provider)
    _tell(provider, actor)
    return provider


def _create_demo(organization_id: UUID, actor: Actor) -> None:
    provider = Provider.objects.create(
        organization_id=organization_id,
        kind=ProviderKind.DEMO,
        name=str(ProviderKind.DEMO.label),
        source=ProviderSource.ENVIRONMENT,
    )
    known = catalogue.find_known(ProviderKind.DEMO, DEMO_MODEL)
    assert known is not None
    Model.objects.create(
        organization_id=organization_id,
        provider=provider,
        name=DEMO_MODEL,
        label=known.label,
        context_window=known.context_window,
        can_call_tools=True,
        can_structure=True,
    )
    _tell(provider, actor)


def _tell(provider: Provider, actor: Actor) -> None:
    organization_id = provider.organization_id
    emit(
        events.ProviderCreated(provider.pk, provider.kind),
        actor=actor,
        scope=Scope(topic=f"organization:{organization_id}", organization_id=organization_id),
        subject=("llm.provider", provider.pk),
    )
