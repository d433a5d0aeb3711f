"""Every shared read of providers, models, calls and budgets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import SYSTEM, Actor
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.leases import scaled
from apps.llm import catalogue, policies
from apps.llm.models import AttemptStatus, Budget, CallAttempt, Model, ModelDefaults, Provider, ProviderSource
from apps.llm.presets import ProviderKind
from apps.llm.routes import LOCAL_FIRST_BYTE_SECONDS, ModelRoute, OrganizationRoutes, Prices, ProviderRoute
from apps.llm.types import Purpose, Timeouts

UNREAD_AT_ONCE, HINT_SECONDS = 100, 60

# Models


def list_enabled_models(*, organization_id: UUID) -> QuerySet[Model]:
    """For callers that have settled who asks. The catalogue's favourites first when sorted by ``rank``."""
    return Model.objects.select_related("provider").filter(
        organization_id=organization_id, is_enabled=True, provider__is_enabled=True, provider__deleted_at=None
    )


def find_default_model(*, organization_id: UUID) -> Model | None:
    """Who answers when nobody is named: the chosen default, else the best that is switched on; the demo only when nothing else works."""
    enabled = list_enabled_models(organization_id=organization_id)
    chosen = ModelDefaults.objects.filter(organization_id=organization_id).values("default")
    if found := enabled.filter(pk__in=chosen).first():
        return found
    return best_of(list(enabled))


def find_fallback_model(*, organization_id: UUID) -> Model | None:
    """Who steps in for a model that fails, where somebody has chosen one that is switched on."""
    chosen = ModelDefaults.objects.filter(organization_id=organization_id).values("fallback")
    return list_enabled_models(organization_id=organization_id).filter(pk__in=chosen).first()


def best_of(models: Sequence[Model]) -> Model | None:
    """Providers in the order in which they came, within one the catalogue's favourite; then the demo, and last what never worked."""
    key = [
        (
            model.provider.has_never_worked,
            model.provider.kind == ProviderKind.DEMO,
            model.provider.created_at,
            model.rank,
            model.name,
        )
        for model in models
    ]
    return models[key.index(min(key))] if models else None


def get_model(*, organization_id: UUID, reference: str) -> Model:
    """``reference`` is an id, ``provider/name`` or a bare name that is unique; else ``Invalid``."""
    rows = list_enabled_models(organization_id=organization_id)
    try:
        found = list(rows.filter(pk=UUID(reference)))
    except ValueError:
        provider, slash, name = reference.partition("/")
        found = list(rows.filter(provider__name__iexact=provider, name=name)) if slash else []
        found = found or list(rows.filter(name=reference)[:2])
    if len(found) != 1:
        code = "ambiguous" if found else "unknown"
        raise Invalid(fields=[FieldError("model", code, _("No model, or more than one, is called that."))])
    return found[0]


def find_model_by_spoken_name(*, organization_id: UUID, said: str) -> Model | None:
    """The model whose name or label begins what was said after ``@`` (case-folded); the longest wins."""

    def fits(name: str) -> bool:
        folded = name.casefold()
        return bool(folded) and said.startswith(folded) and not said[len(folded) : len(folded) + 1].isalnum()

    found = [
        (len(name), model)
        for model in list_enabled_models(organization_id=organization_id)
        for name in (model.name, model.label, f"{model.provider.name}/{model.name}")
        if fits(name)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


# Lists for a viewer


def visible_providers(viewer: Actor) -> QuerySet[Provider]:
    """Everybody in an organization knows who answers there."""
    organizations = accounts.visible_organizations(viewer).values("pk")
    return Provider.objects.filter(organization__in=organizations, deleted_at=None)


def list_providers_with_counts(*, viewer: Actor, organization_id: UUID) -> QuerySet[Provider]:
    """With ``enabled_models``; the demo last."""
    enabled = Model.objects.filter(provider=OuterRef("pk"), is_enabled=True).order_by()
    counted = enabled.values("provider").annotate(count=Count("pk")).values("count")
    return (
        visible_providers(viewer)
        .filter(organization=organization_id)
        .annotate(enabled_models=Coalesce(Subquery(counted), 0))
        .order_by(Case(When(kind=ProviderKind.DEMO, then=1), default=0), "created_at")
    )


def visible_models(viewer: Actor) -> QuerySet[Model]:
    organizations = accounts.visible_organizations(viewer).values("pk")
    return Model.objects.select_related("provider").filter(organization__in=organizations, provider__deleted_at=None)


def get_provider(*, provider_id: UUID, viewer: Actor) -> Provider:
    if (found := visible_providers(viewer).filter(pk=provider_id).first()) is None:
        raise NotFound
    return found


def lock_provider(*, provider_id: UUID, viewer: Actor) -> Provider:
    if (found := visible_providers(viewer).select_for_update(of=("self",)).filter(pk=provider_id).first()) is None:
        raise NotFound
    return found


def get_visible_model(*, model_id: UUID, viewer: Actor) -> Model:
    if (found := visible_models(viewer).filter(pk=model_id).first()) is None:
        raise NotFound
    return found


def lock_model(*, model_id: UUID, viewer: Actor) -> Model:
    if (found := visible_models(viewer).select_for_update(of=("self",)).filter(pk=model_id).first()) is None:
        raise NotFound
    return found


def get_defaults(*, organization_id: UUID, viewer: Actor) -> ModelDefaults:
    """What was chosen; an unsaved empty row where nobody has."""
    organization = accounts.get_organization(organization_id, viewer)
    rows = ModelDefaults.objects.select_related("default__provider", "fallback__provider")
    return rows.filter(organization=organization).first() or ModelDefaults(organization=organization, version=0)


def can_manage(*, organization_id: UUID, viewer: Actor) -> bool:
    return policies.can_manage_providers(viewer, accounts.organization_role(viewer, organization_id))


def list_active_organizations(count: int) -> list[UUID]:
    """Those with the newest calls; before there are any, all the first ones."""
    recent = CallAttempt.objects.order_by("-started_at").values_list("organization_id", flat=True)[: count * 20]
    return list(dict.fromkeys(recent))[:count] or list_organizations()[:count]


def has_key(provider: Provider) -> bool:
    """Without opening it."""
    if provider.source == ProviderSource.ENVIRONMENT:
        return bool(os.environ.get(provider.preset.environment)) if provider.preset.environment else False
    return bool(provider.__dict__.get("api_key"))


# What the engine reads


def list_organizations() -> list[UUID]:
    return list(accounts.visible_organizations(SYSTEM).order_by("created_at").values_list("pk", flat=True))


def list_unread_organizations() -> list[dict[str, UUID]]:
    """Those with a provider of the environment that nobody has asked for its models yet: the hint was lost, or who followed it."""
    rows = Provider.objects.filter(source=ProviderSource.ENVIRONMENT, is_enabled=True, deleted_at=None, checked_at=None)
    rows = rows.exclude(kind=ProviderKind.DEMO).filter(created_at__lt=Now() - timedelta(seconds=scaled(HINT_SECONDS)))
    return [
        {"organization_id": pk} for pk in rows.values_list("organization_id", flat=True).distinct()[:UNREAD_AT_ONCE]
    ]


def read_routes(*, organization_id: UUID) -> OrganizationRoutes:
    """Everything that calls of this organization need, in three queries."""
    reachable = Model.objects.select_related("provider").filter(
        organization_id=organization_id, provider__is_enabled=True, provider__deleted_at=None
    )
    callable_ones = list(reachable.filter(Q(is_enabled=True) | Q(can_embed=True)))
    rows = [row for row in callable_ones if row.is_enabled]
    providers: dict[UUID, ProviderRoute] = {}
    for row in callable_ones:
        if row.provider_id not in providers:
            providers[row.provider_id] = route_of_provider(row.provider)
    models = {row.pk: route_of_model(row, providers[row.provider_id]) for row in callable_ones}
    chosen = ModelDefaults.objects.filter(organization_id=organization_id).first()
    default_id = chosen.default_id if chosen else None
    if default_id is None:
        best = best_of(rows)
        default_id = best.pk if best else None
    return OrganizationRoutes(
        organization_id=organization_id,
        models=models,
        default_id=default_id,
        fallback_id=chosen.fallback_id if chosen else None,
        has_budget=Budget.objects.filter(organization_id=organization_id).exists(),
    )


def route_of_provider(provider: Provider) -> ProviderRoute:
    """With the key in the clear: for the engine and never for an answer."""
    preset = provider.preset
    is_from_environment = provider.source == ProviderSource.ENVIRONMENT
    standard = Timeouts(first_byte_seconds=LOCAL_FIRST_BYTE_SECONDS) if preset.is_local else Timeouts()
    timeouts = Timeouts(
        connect_seconds=provider.connect_timeout_seconds or standard.connect_seconds,
        first_byte_seconds=provider.first_byte_timeout_seconds or standard.first_byte_seconds,
        gap_seconds=provider.gap_timeout_seconds or standard.gap_seconds,
        total_seconds=provider.total_timeout_seconds or standard.total_seconds,
    )
    return ProviderRoute(
        id=provider.pk,
        version=provider.version,
        name=provider.name,
        preset=preset,
        base_url=provider.base_url or preset.base_url,
        # The environment's key is read where it is kept: no second copy in the database.
        api_key=os.environ.get(preset.environment, "").strip() if is_from_environment else provider.api_key,
        headers=provider.headers,
        timeouts=timeouts.scaled(scaled(1.0)),
        allows_private=is_from_environment,
    )


def route_of_model(row: Model, provider: ProviderRoute) -> ModelRoute:
    return ModelRoute(
        id=row.pk,
        name=row.name,
        provider=provider,
        prices=prices_of(row),
        context_window=row.context_window,
        max_output_tokens=row.max_output_tokens,
        can_see=row.can_see,
        can_call_tools=row.can_call_tools,
        enforces_schemas=_enforces_schemas(row, provider),
    )


def _enforces_schemas(row: Model, provider: ProviderRoute) -> bool | None:
    """What a person or the catalogue says; of a model that neither knows nobody can tell."""
    if row.can_structure or provider.is_demo:
        return True
    return False if row.is_customized or catalogue.find_known(provider.preset.kind, row.name) is not None else None


def prices_of(row: Model) -> Prices:
    return Prices(
        input=row.input_price_per_million_tokens,
        output=row.output_price_per_million_tokens,
        cached=row.cached_price_per_million_tokens,
        currency=row.currency,
    )


def nothing_answers() -> Invalid:
    return Invalid(fields=[FieldError("model", "unknown", _("No model answers here yet."))])


# Money and use


def current_month() -> date:
    return timezone.now().astimezone(UTC).date().replace(day=1)


def month_begin(month: date) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def visible_budgets(viewer: Actor) -> QuerySet[Budget]:
    """Those who may change budgets see them."""
    return Budget.objects.filter(organization__in=list_managed_organizations(viewer))


def visible_calls(viewer: Actor) -> QuerySet[CallAttempt]:
    """One's own calls; those who manage budgets see all of the organization."""
    mine = Q(organization__in=accounts.visible_organizations(viewer).values("pk"), user_id=viewer.user_id)
    if viewer.project_id is not None:
        return CallAttempt.objects.filter(mine, project_id=viewer.project_id)
    return CallAttempt.objects.filter(mine | Q(organization__in=list_managed_organizations(viewer)))


def list_managed_organizations(viewer: Actor) -> list[UUID]:
    return [
        organization.pk
        for organization in accounts.visible_organizations(viewer)
        if policies.can_manage_budget(viewer, accounts.role_of(viewer, organization))
    ]


@dataclass(frozen=True, slots=True)
class TurnUsage:
    """All attempts of a turn's chat together; ``provider`` and ``model`` of the newest."""

    input_tokens: int
    output_tokens: int
    cost: Decimal
    currency: str
    estimated: bool
    attempts: int
    provider: str
    model: str


def usage_of_turn(*, turn_id: UUID) -> TurnUsage:
    """For those who have settled that the turn may be seen. Titles are not the turn's own."""
    rows = list(
        CallAttempt.objects.filter(turn_id=turn_id, purpose="chat")
        .order_by("attempt")
        .values_list("input_tokens", "output_tokens", "cost", "currency", "estimated", "provider_name", "model_name")
    )
    return TurnUsage(
        input_tokens=sum(row[0] for row in rows),
        output_tokens=sum(row[1] for row in rows),
        cost=sum((row[2] for row in rows), Decimal(0)),
        currency=next((row[3] for row in rows if row[2]), "USD"),
        estimated=any(row[4] for row in rows),
        attempts=len(rows),
        provider=rows[-1][5] if rows else "",
        model=rows[-1][6] if rows else "",
    )


@dataclass(frozen=True, slots=True)
class UsageLine:
    provider: str
    model: str
    purpose: str
    currency: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal
    has_unknown_cost: bool


def list_open_calls(*, turn_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(call, turn) of the answers of those turns that the ledger has no end of. For the engine and its checks."""
    rows = CallAttempt.objects.filter(turn_id__in=turn_ids, purpose="chat", status=AttemptStatus.STARTED)
    return [(pk, turn_id) for pk, turn_id in rows.values_list("pk", "turn_id") if turn_id]


def stats_usage(
    *, viewer: Actor, organization_id: UUID, begin: datetime, end: datetime, project_id: UUID | None = None
) -> list[UsageLine]:
    """Who was asked how much between two times, the dearest first. What a call of a model without a price cost is unknown, but for
    the demo's: they cost nothing.
    """
    accounts.get_organization(organization_id, viewer)
    rows = visible_calls(viewer).filter(organization_id=organization_id, started_at__gte=begin, started_at__lt=end)
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    demos = Provider.objects.filter(organization_id=organization_id, kind=ProviderKind.DEMO).values("pk")
    grouped = (
        rows.values("provider_name", "model_name", "purpose", "currency")
        .annotate(
            calls=Count("pk"),
            input=Sum("input_tokens"),
            output=Sum("output_tokens"),
            total=Sum("cost"),
            unknown=Count("pk", filter=Q(prices={}) & ~Q(provider_id__in=demos)),
        )
        .order_by("-total", "provider_name", "model_name", "purpose")
    )
    return [
        UsageLine(
            provider=row["provider_name"],
            model=row["model_name"],
            purpose=row["purpose"],
            currency=row["currency"],
            calls=row["calls"],
            input_tokens=row["input"],
            output_tokens=row["output"],
            cost=row["total"],
            has_unknown_cost=row["unknown"] > 0,
        )
        for row in grouped
    ]


def count_asked(user_id: UUID, organization_id: UUID, within: timedelta) -> int:
    """Answers that a person asked for without a conversation, through ``/v1``; attempts after the first are the same answer."""
    rows = CallAttempt.objects.filter(user_id=user_id, organization=organization_id, purpose=Purpose.API, attempt=1)
    return rows.filter(started_at__gt=Now() - within).count()
