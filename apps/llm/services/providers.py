"""Providers, their models, and who answers when nobody is named. Owners and admins of the organization change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.services import unproved
from apps.accounts.types import Actor
from apps.core import rules
from apps.core.addresses import PUBLIC, AddressRefused, check_url
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit
from apps.core.types import Scope
from apps.core.versions import require_version
from apps.llm import catalogue, currencies, events, policies, selectors, shared_state
from apps.llm.errors import ProviderFromEnvironment, ProviderNameTaken
from apps.llm.models import Model, ModelDefaults, Provider, ProviderSource
from apps.llm.presets import ProviderKind
from apps.llm.types import RemoteModel

MAX_MODELS = 2000
# A provider that lists hundreds (OpenRouter) would drown the picker: beyond the catalogue so many are switched on.
MAX_UNKNOWN_ENABLED = 20
FORBIDDEN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "authorization", "x-api-key"}
)


def draft_provider(
    *,
    actor: Actor,
    organization_id: UUID,
    kind: ProviderKind,
    name: str,
    base_url: str = "",
    api_key: str = "",
    headers: Mapping[str, str] | None = None,
    **timeouts: float | None,
) -> Provider:
    """As ``create_provider`` would save it, and not saved. ``Invalid`` for an address that may not be called or a kind that needs one,
    ``ProviderNameTaken``, ``AddressNotConfirmed`` (409).
    """
    organization = accounts.get_organization(organization_id, actor)
    policies.require(policies.can_manage_providers(actor, accounts.role_of(actor, organization)))
    unproved.require_proved(actor=actor)
    provider = Provider(
        organization_id=organization_id,
        kind=kind,
        name=name,
        base_url=base_url.rstrip("/"),
        api_key=api_key,
        headers=dict(headers or {}),
        **timeouts,
    )
    _check(provider)
    if Provider.objects.filter(organization_id=organization_id, name__iexact=name, deleted_at=None).exists():
        raise ProviderNameTaken
    return provider


@transaction.atomic
def create_provider(*, actor: Actor, organization_id: UUID, **fields: Any) -> Provider:
    """With the models that the catalogue knows for its kind; ``refresh`` asks the provider itself afterwards. ``fields`` and refusals
    are those of ``draft_provider``.
    """
    accounts.lock_organization(organization_id, actor)
    provider = draft_provider(actor=actor, organization_id=organization_id, **fields)
    _save(provider, force_insert=True)
    insert_known_models(provider)
    announce(provider, events.ProviderCreated(provider.pk, provider.kind), actor)
    return provider


@transaction.atomic
def update_provider(*, actor: Actor, provider_id: UUID, version: int | None = None, **changes: Any) -> Provider:
    """``api_key`` None or absent keeps the stored one; a changed address forgets it and the headers,
    so that they never go to another host. ``AddressNotConfirmed`` (409) for another address.
    """
    provider = selectors.lock_provider(provider_id=provider_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, provider)))
    require_version(provider.version, version)
    if changes.get("api_key", "") is None:
        del changes["api_key"]
    if provider.source == ProviderSource.ENVIRONMENT and set(changes) - {"is_enabled"}:
        raise ProviderFromEnvironment
    if "base_url" in changes:
        changes["base_url"] = changes["base_url"].rstrip("/")
        if changes["base_url"] != provider.base_url:
            unproved.require_proved(actor=actor)
            changes.setdefault("api_key", "")
            changes.setdefault("headers", {})
            provider.worked_at = None
    for field, value in changes.items():
        setattr(provider, field, value)
    _check(provider)
    provider.is_absent = provider.is_absent and "is_enabled" not in changes
    provider.version += 1
    columns = ["sealed_headers" if name == "headers" else name for name in changes]
    _save(provider, update_fields=[*columns, "is_absent", "worked_at", "version", "updated_at"])
    fields = tuple(sorted(changes))
    announce(provider, events.ProviderChanged(provider.pk, fields, provider.is_enabled), actor)
    return provider


@transaction.atomic
def delete_provider(*, actor: Actor, provider_id: UUID, version: int | None = None) -> None:
    """The row stays for what refers to its models; the key goes, and nothing is answered by it any more."""
    provider = selectors.lock_provider(provider_id=provider_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, provider)))
    require_version(provider.version, version)
    if provider.source == ProviderSource.ENVIRONMENT:
        raise ProviderFromEnvironment
    provider.deleted_at, provider.is_enabled, provider.api_key, provider.headers = timezone.now(), False, "", {}
    provider.version += 1
    provider.save(update_fields=["deleted_at", "is_enabled", "api_key", "sealed_headers", "version", "updated_at"])
    models = Model.objects.filter(provider=provider)
    models.update(is_enabled=False)
    rows = ModelDefaults.objects.filter(organization_id=provider.organization_id)
    rows.filter(default__in=models).update(default=None)
    rows.filter(fallback__in=models).update(fallback=None)
    announce(provider, events.ProviderDeleted(provider.pk), actor)


@transaction.atomic
def note_check(*, actor: Actor, provider_id: UUID, code: str) -> Provider:
    """The outcome of a test: empty when the provider answered, else the error's code."""
    provider = selectors.lock_provider(provider_id=provider_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, provider)))
    had_never_worked = provider.has_never_worked
    provider.checked_at, provider.check_code = timezone.now(), code
    if not code:
        provider.worked_at = provider.checked_at
    provider.save(update_fields=["checked_at", "check_code", "worked_at", "updated_at"])
    if provider.has_never_worked != had_never_worked:  # then another model may be the best that is there
        transaction.on_commit(lambda: shared_state.announce_change(provider.organization_id))
    return provider


@transaction.atomic
def record_models(*, actor: Actor, provider_id: UUID, listed: Sequence[RemoteModel]) -> int:
    """Take over the provider's own list. New ones come with what the catalogue knows; gone ones are switched off until they
    are listed again. What a person has set stays, and what would be paid in another currency than the budget stays off. Returns how many
    models are there now.
    """
    _lock_organization_of(provider_id, actor)
    provider = selectors.lock_provider(provider_id=provider_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, provider)))
    kind = ProviderKind(provider.kind)
    offered = {model.name: model for model in listed[:MAX_MODELS] if catalogue.can_talk(model.name)}
    present = {model.name: model for model in Model.objects.select_for_update().filter(provider=provider)}
    added = [
        _new_model(provider, kind, model, place=place)
        for place, (name, model) in enumerate(offered.items())
        if name not in present
    ]
    back = [model for name, model in present.items() if name in offered and model.is_absent]
    fits = currencies.fitting(provider.organization_id)
    Model.objects.filter(pk__in=[model.pk for model in back]).update(is_absent=False)
    Model.objects.filter(pk__in=[model.pk for model in back if fits(model)]).update(is_enabled=True)
    enabled = sum(model.is_enabled or model.is_absent for name, model in present.items() if name in offered)
    _switch_on(kind, added, already=enabled)
    _insert(provider, added)
    gone = [m for name, m in present.items() if name not in offered and m.is_enabled and not m.is_customized]
    Model.objects.filter(pk__in=[model.pk for model in gone]).update(is_enabled=False, is_absent=True)
    announce(provider, events.ModelsListed(provider.pk, len(added), len(gone)), actor)
    return len(offered)


@transaction.atomic
def add_known_models(*, actor: Actor, provider_id: UUID) -> None:
    """For a provider without a list of its own: what the catalogue knows of its kind. One that has models keeps them."""
    _lock_organization_of(provider_id, actor)
    provider = selectors.lock_provider(provider_id=provider_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, provider)))
    if Model.objects.filter(provider=provider).exists():
        return
    announce(provider, events.ModelsListed(provider.pk, _insert_known(provider), 0), actor)


def _lock_organization_of(provider_id: UUID, actor: Actor) -> None:
    """Before the provider, as ``currencies`` asks."""
    accounts.lock_organization(selectors.get_provider(provider_id=provider_id, viewer=actor).organization_id, actor)


@transaction.atomic
def update_model(*, actor: Actor, model_id: UUID, version: int | None = None, **changes: Any) -> Model:
    """Label, limits, prices, abilities, on or off. What is set here is kept when the provider's list is read again."""
    accounts.lock_organization(
        selectors.get_visible_model(model_id=model_id, viewer=actor).organization_id, actor
    )  # as ``currencies`` asks
    model = selectors.lock_model(model_id=model_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, model.provider)))
    require_version(model.version, version)
    for field, value in changes.items():
        setattr(model, field, value)
    currencies.refuse_model(model)
    model.is_customized = True
    model.is_absent = model.is_absent and "is_enabled" not in changes
    model.version += 1
    model.save(update_fields=[*changes, "is_customized", "is_absent", "version", "updated_at"])
    announce(model.provider, events.ModelChanged(model.pk, tuple(sorted(changes)), model.is_enabled), actor)
    return model


@transaction.atomic
def set_defaults(
    *,
    actor: Actor,
    organization_id: UUID,
    default_id: UUID | None,
    fallback_id: UUID | None,
    version: int | None = None,
) -> ModelDefaults:
    """Who answers when nobody is named, and who steps in. The demo steps in for nobody: it would pass for an answer."""
    organization = accounts.lock_organization(organization_id, actor)
    policies.require(policies.can_manage_providers(actor, accounts.role_of(actor, organization)))
    chosen = {"default": default_id, "fallback": fallback_id}
    enabled = selectors.list_enabled_models(organization_id=organization_id).in_bulk(
        [model_id for model_id in chosen.values() if model_id]
    )
    wrong = [
        FieldError(name, "unknown", _("No such model.")) for name, pk in chosen.items() if pk and pk not in enabled
    ]
    if not wrong and fallback_id:
        if fallback_id == default_id:
            wrong = [FieldError("fallback", "same", _("Choose another model than the default."))]
        elif enabled[fallback_id].provider.kind == ProviderKind.DEMO:
            wrong = [FieldError("fallback", "demo", _("The demo does not stand in for a model."))]
        else:
            wrong = currencies.problems_of_pair(enabled[default_id] if default_id else None, enabled[fallback_id])
    if wrong:
        raise Invalid(fields=wrong)
    row = ModelDefaults.objects.select_for_update().filter(organization_id=organization_id).first()
    row = row or ModelDefaults(organization_id=organization_id, version=0)
    require_version(row.version, version)
    row.default_id, row.fallback_id, row.version = default_id, fallback_id, row.version + 1
    row.save()
    emit(
        events.DefaultsSet(default_id, fallback_id),
        actor=actor,
        scope=Scope(topic=f"organization:{organization_id}", organization_id=organization_id),
        subject=("llm.modeldefaults", row.pk),
    )
    transaction.on_commit(lambda: shared_state.announce_change(organization_id))
    return row


@transaction.atomic
def reset_breaker(*, actor: Actor, provider_id: UUID) -> None:
    """Forget the provider's failures: the next call in every process asks it again."""
    provider = selectors.lock_provider(provider_id=provider_id, viewer=actor)
    policies.require(policies.can_manage_providers(actor, _role(actor, provider)))
    breaker = selectors.route_of_provider(provider).breaker
    announce(provider, events.BreakerReset(provider.pk), actor)
    transaction.on_commit(lambda: shared_state.close_breaker(breaker))


def _role(actor: Actor, provider: Provider) -> Any:
    return accounts.organization_role(actor, provider.organization_id)


def _check(provider: Provider) -> None:
    wrong: list[FieldError] = []
    if provider.base_url and provider.source == ProviderSource.PERSON:
        try:
            check_url(provider.base_url, PUBLIC, resolves=False)
        except AddressRefused as error:
            wrong.append(FieldError("base_url", error.code, error.detail))
    if provider.kind == ProviderKind.DEMO and provider.source == ProviderSource.PERSON:
        wrong.append(FieldError("kind", "invalid", _("The demo is always there.")))
    elif not provider.base_url and not provider.preset.base_url and provider.kind != ProviderKind.DEMO:
        wrong.append(FieldError("base_url", "required", _("This kind needs an address.")))
    for name, value in _written_headers(provider).items():
        if name.lower() in FORBIDDEN_HEADERS or not _is_header(name, value):
            wrong.append(FieldError("headers", "invalid", _("This header cannot be set.")))
    if any(ord(character) < 32 or ord(character) > 126 for character in _written_key(provider)):  # noqa: PLR2004
        wrong.append(FieldError("api_key", "invalid", _("A key is plain text without spaces around it.")))
    if wrong:
        raise Invalid(fields=wrong)


def _is_header(name: str, value: str) -> bool:
    try:
        rules.HEADER_NAME(name)
        rules.HEADER_VALUE(str(value))
    except rules.RuleBroken:
        return False
    return True


def _written_headers(provider: Provider) -> dict[str, str]:
    """As with the key: only when they were just set."""
    return provider.headers if isinstance(provider.__dict__.get("sealed_headers"), str) else {}


def _written_key(provider: Provider) -> str:
    """The key only when it was just set: a stored one is not opened for a check."""
    value = provider.__dict__.get("api_key", "")
    return value if isinstance(value, str) else ""


def _save(provider: Provider, **options: Any) -> None:
    try:
        with transaction.atomic():
            provider.save(**options)
    except IntegrityError as error:
        if "llm_provider_name_once" in str(error):
            raise ProviderNameTaken from error
        raise


def insert_known_models(provider: Provider) -> None:
    """Under the lock of the organization."""
    if provider.is_elsewhere:
        return  # somebody else's server: only it knows what it has
    _insert_known(provider)


def _insert_known(provider: Provider) -> int:
    kind = ProviderKind(provider.kind)
    rows = [_new_model(provider, kind, RemoteModel(known.name)) for known in catalogue.list_known(kind)]
    _insert(provider, rows)
    return len(rows)


def _insert(provider: Provider, rows: list[Model]) -> None:
    """New ones; what would be paid in another currency than the budget is there, and off."""
    fits = currencies.fitting(provider.organization_id)
    for row in rows:
        row.is_enabled = row.is_enabled and fits(row)
    Model.objects.bulk_create(rows)


def _new_model(provider: Provider, kind: ProviderKind, remote: RemoteModel, *, place: int = 0) -> Model:
    known = catalogue.find_known(kind, remote.name)
    row = Model(organization_id=provider.organization_id, provider=provider, name=remote.name)
    row.context_window = remote.context_window or (known.context_window if known else None)
    if known is None:
        row.rank = catalogue.UNKNOWN_RANK + place  # in the order of the provider's own list
        row.can_call_tools = not provider.preset.is_local
        return row
    row.label = known.label if remote.name.lower() == known.name.lower() else ""
    row.rank = known.rank
    row.max_output_tokens = known.max_output_tokens
    row.input_price_per_million_tokens = known.input
    row.output_price_per_million_tokens = known.output
    row.cached_price_per_million_tokens = known.cached
    row.currency = known.currency
    row.can_see, row.can_call_tools = known.can_see, known.can_call_tools
    row.can_reason, row.can_structure = known.can_reason, known.can_structure
    return row


def _switch_on(kind: ProviderKind, added: list[Model], *, already: int) -> None:
    """All that the catalogue names (dated twins of a listed model stay off), then so many others as a picker can hold."""
    room = MAX_UNKNOWN_ENABLED - already
    for model in added:
        known = catalogue.find_known(kind, model.name)
        if known is not None:
            twin = model.name.lower() != known.name.lower() and any(m.name.lower() == known.name.lower() for m in added)
            model.is_enabled = not twin
        else:
            model.is_enabled = room > 0
            room -= 1


def announce(provider: Provider, fact: Any, actor: Actor) -> None:
    organization_id = provider.organization_id
    emit(
        fact,
        actor=actor,
        scope=Scope(topic=f"organization:{organization_id}", organization_id=organization_id),
        subject=("llm.provider", provider.pk),
    )
    transaction.on_commit(lambda: shared_state.announce_change(organization_id))
