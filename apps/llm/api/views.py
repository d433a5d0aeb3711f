"""``providers/``, ``models/``, ``usage/``, ``budgets/``, ``text/analyze/``."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page, etag, expected_version
from apps.llm import advice, remote, selectors, services
from apps.llm.api import serializers as shapes
from apps.llm.models import Model, ModelDefaults, Provider
from apps.llm.presets import ProviderKind

TAGS = ["models"]
OLDEST_FIRST = Order("created_at", descending=False)


def provider_data(provider: Provider, *, may_manage: bool) -> dict[str, object]:
    """The address and what belongs to it are for those who may change it."""
    data = {
        "id": provider.pk,
        "organization_id": provider.organization_id,
        "kind": provider.kind,
        "name": provider.name,
        "source": provider.source,
        "is_enabled": provider.is_enabled,
        "has_key": selectors.has_key(provider),
        "checked_at": provider.checked_at,
        "check_code": provider.check_code,
        "version": provider.version,
    }
    if may_manage:
        names = ("connect", "first_byte", "gap", "total")
        data |= {
            "base_url": provider.base_url or provider.preset.base_url,
            "headers": sorted(provider.headers),
            "timeouts": {name: getattr(provider, f"{name}_timeout_seconds") for name in names},
        }
    return dict(shapes.ProviderOut(data).data)


def _provider(request: Request, provider: Provider, status: int = 200) -> Response:
    may = selectors.can_manage(organization_id=provider.organization_id, viewer=request.actor)
    return Response(provider_data(provider, may_manage=may), status=status, headers={"ETag": etag(provider.version)})


def _model(model: Model) -> Response:
    return Response(shapes.ModelOut(model).data, headers={"ETag": etag(model.version)})


def _defaults(row: ModelDefaults) -> Response:
    return Response(shapes.DefaultsOut(row).data, headers={"ETag": etag(row.version)})


class ProviderListView(APIView):
    @extend_schema(
        operation_id="providers_list",
        tags=TAGS,
        parameters=[shapes.InOrganizationQuery],
        responses=shapes.ProviderPageOut,
    )
    def get(self, request: Request) -> Response:
        query = shapes.InOrganizationQuery.parse_query(request)
        rows = selectors.visible_providers(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=OLDEST_FIRST, cursor=query.get("cursor"), limit=query["limit"])
        managed = set(selectors.list_managed_organizations(request.actor))
        return Response(page.answer(lambda row: provider_data(row, may_manage=row.organization_id in managed)))

    @extend_schema(
        operation_id="providers_create",
        tags=TAGS,
        request=shapes.ProviderIn,
        responses={201: shapes.ProviderOut},
        examples=[
            OpenApiExample(
                "provider",
                {
                    "organization": "01980000-0000-7000-8000-000000000000",
                    "kind": "openai",
                    "name": "OpenAI",
                    "api_key": "sk-…",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """The key is stored encrypted and never shown again. It is saved whether it answers or not: nobody is asked here, ``test/`` asks
        for its models. One whose test failed answers for nobody unasked until it has worked once.
        """
        data = shapes.ProviderIn.parse(request)
        kind = ProviderKind(data.pop("kind"))
        if base_url := data.get("base_url"):
            remote.refuse_private_address(base_url)
        organization_id = data.pop("organization")
        provider = services.create_provider(actor=request.actor, organization_id=organization_id, kind=kind, **data)
        return _provider(request, provider, 201)


class ProviderView(APIView):
    @extend_schema(operation_id="providers_read", tags=TAGS, responses=shapes.ProviderOut)
    def get(self, request: Request, provider_id: UUID) -> Response:
        return _provider(request, selectors.get_provider(provider_id=provider_id, viewer=request.actor))

    @extend_schema(
        operation_id="providers_change", tags=TAGS, request=shapes.ProviderChangeIn, responses=shapes.ProviderOut
    )
    def patch(self, request: Request, provider_id: UUID) -> Response:
        data = shapes.ProviderChangeIn.parse(request)
        if base_url := data.get("base_url"):
            remote.refuse_private_address(base_url)
        changed = services.update_provider(
            actor=request.actor, provider_id=provider_id, version=expected_version(request), **data
        )
        return _provider(request, changed)

    @extend_schema(operation_id="providers_delete", tags=TAGS, request=None, responses={204: None})
    def delete(self, request: Request, provider_id: UUID) -> Response:
        """The key is forgotten and its models answer no more; what they answered stays."""
        services.delete_provider(actor=request.actor, provider_id=provider_id, version=expected_version(request))
        return Response(status=204)


class ProviderTestView(APIView):
    @extend_schema(operation_id="providers_test", tags=TAGS, request=None, responses=shapes.ProviderOut)
    def post(self, request: Request, provider_id: UUID) -> Response:
        """Ask the provider for its models and keep them. ``check_code`` says how it went; empty is well."""
        return _provider(request, remote.test_connection(actor=request.actor, provider_id=provider_id))


class ProviderResetView(APIView):
    @extend_schema(operation_id="providers_reset", tags=TAGS, request=None, responses={204: None})
    def post(self, request: Request, provider_id: UUID) -> Response:
        """Forget the provider's failures: the next call asks it again."""
        services.reset_breaker(actor=request.actor, provider_id=provider_id)
        return Response(status=204)


class ModelListView(APIView):
    @extend_schema(operation_id="models_list", tags=TAGS, parameters=[shapes.ModelQuery], responses=shapes.ModelPageOut)
    def get(self, request: Request) -> Response:
        query = shapes.ModelQuery.parse_query(request)
        rows = selectors.visible_models(request.actor)
        filters = {name: query[name] for name in ("organization", "provider", "is_enabled") if name in query}
        page = Page.of(rows.filter(**filters), order=OLDEST_FIRST, cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.ModelOut(row).data))


class ModelView(APIView):
    @extend_schema(operation_id="models_read", tags=TAGS, responses=shapes.ModelOut)
    def get(self, request: Request, model_id: UUID) -> Response:
        return _model(selectors.get_visible_model(model_id=model_id, viewer=request.actor))

    @extend_schema(operation_id="models_change", tags=TAGS, request=shapes.ModelChangeIn, responses=shapes.ModelOut)
    def patch(self, request: Request, model_id: UUID) -> Response:
        """Price, window, label, abilities, on or off. What is set here outlives the next reading of the provider's list."""
        changed = services.update_model(
            actor=request.actor,
            model_id=model_id,
            version=expected_version(request),
            **shapes.ModelChangeIn.parse(request),
        )
        return _model(changed)


class ModelDefaultsView(APIView):
    @extend_schema(
        operation_id="models_defaults_read", tags=TAGS, parameters=[shapes.DefaultsQuery], responses=shapes.DefaultsOut
    )
    def get(self, request: Request) -> Response:
        query = shapes.DefaultsQuery.parse_query(request)
        return _defaults(selectors.get_defaults(organization_id=query["organization"], viewer=request.actor))

    @extend_schema(
        operation_id="models_defaults_set", tags=TAGS, request=shapes.DefaultsIn, responses=shapes.DefaultsOut
    )
    def put(self, request: Request) -> Response:
        """Who answers when nobody is named, and who steps in when that one fails before its first word."""
        data = shapes.DefaultsIn.parse(request)
        row = services.set_defaults(
            actor=request.actor,
            organization_id=data["organization"],
            default_id=data["default"],
            fallback_id=data["fallback"],
            version=expected_version(request),
        )
        return _defaults(row)


class ModelRouteView(APIView):
    @extend_schema(operation_id="models_route", tags=TAGS, request=shapes.RouteIn, responses=shapes.RouteOut)
    def post(self, request: Request) -> Response:
        """Who would answer, and why; nothing is called."""
        data = shapes.RouteIn.parse(request)
        choice = advice.choose_model(viewer=request.actor, organization_id=data.pop("organization"), **data)
        return Response(shapes.RouteOut(choice).data)


class TextAnalyzeView(APIView):
    @extend_schema(operation_id="text_analyze", tags=TAGS, request=shapes.AnalyzeIn, responses=shapes.AnalyzeOut)
    def post(self, request: Request) -> Response:
        """Tokens (estimated), language, and what each model would cost; nothing is called."""
        data = shapes.AnalyzeIn.parse(request)
        analysis = advice.analyze_text(viewer=request.actor, organization_id=data.pop("organization"), **data)
        return Response(shapes.AnalyzeOut(analysis).data)


class UsageView(APIView):
    @extend_schema(
        operation_id="usage_read", tags=TAGS, parameters=[shapes.UsageQuery], responses=shapes.OrganizationUsageOut
    )
    def get(self, request: Request) -> Response:
        """One's own use; those who manage budgets see the organization's."""
        query = shapes.UsageQuery.parse_query(request)
        begin = query.get("begin") or selectors.month_begin(selectors.current_month())
        end = query.get("end") or timezone.now()
        lines = selectors.stats_usage(
            viewer=request.actor,
            organization_id=query["organization"],
            begin=begin,
            end=end,
            project_id=query.get("project"),
        )
        return Response(shapes.OrganizationUsageOut({"begin": begin, "end": end, "results": lines}).data)


class BudgetListView(APIView):
    @extend_schema(
        operation_id="budgets_list", tags=TAGS, parameters=[shapes.InOrganizationQuery], responses=shapes.BudgetPageOut
    )
    def get(self, request: Request) -> Response:
        """A row for each month, the newest first; for those who manage budgets."""
        query = shapes.InOrganizationQuery.parse_query(request)
        rows = selectors.visible_budgets(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("month"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.BudgetOut(row).data))

    @extend_schema(operation_id="budgets_set", tags=TAGS, request=shapes.BudgetIn, responses=shapes.BudgetOut)
    def put(self, request: Request) -> Response:
        """The limit of this month and the following ones; null lifts it."""
        data = shapes.BudgetIn.parse(request)
        budget = services.set_budget(
            actor=request.actor,
            organization_id=data["organization"],
            limit=data["limit"],
            currency=data["currency"],
            version=expected_version(request),
        )
        return Response(shapes.BudgetOut(budget).data, headers={"ETag": etag(budget.version)})
