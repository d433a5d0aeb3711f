"""Providers, models, the ledger and budgets for operators: read only, with actions that call services."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.core.admin import ServiceAdmin
from apps.core.errors import DomainError
from apps.llm import services
from apps.llm.models import Budget, BudgetReservation, CallAttempt, Model, ModelDefaults, Provider


@admin.register(Provider)
class ProviderAdmin(ServiceAdmin):
    list_display = ("name", "kind", "organization", "is_enabled", "source", "check_code", "checked_at", "deleted_at")
    list_filter = ("kind", "is_enabled", "source", "check_code", "organization")
    search_fields = ("name", "id", "organization__name")
    exclude = ("api_key", "sealed_headers")
    list_select_related = ("organization",)
    actions = ("switch_off", "switch_on", "reset_breaker")

    @admin.action(description=_("Switch these providers off"))
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        self._each(request, queryset, lambda **of: services.switch_provider(is_enabled=False, **of))

    @admin.action(description=_("Switch these providers on"))
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        self._each(request, queryset, lambda **of: services.switch_provider(is_enabled=True, **of))

    @admin.action(description=_("Forget the failures of these providers"))
    def reset_breaker(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        self._each(request, queryset, services.forget_failures)

    def _each(self, request: HttpRequest, rows: QuerySet[Provider], act: Callable[..., object]) -> None:
        done = 0
        for row in rows:
            try:
                act(actor=request.actor, provider_id=row.pk)  # type: ignore[attr-defined]
            except DomainError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
            else:
                done += 1
        if done:
            text = ngettext("%(count)d provider was changed.", "%(count)d providers were changed.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)


@admin.register(Model)
class ModelAdmin(ServiceAdmin):
    list_display = (
        "name",
        "provider",
        "organization",
        "is_enabled",
        "context_window",
        "output_price_per_million_tokens",
    )
    list_filter = ("is_enabled", "can_see", "can_call_tools", "provider__kind", "organization")
    search_fields = ("name", "label", "id")
    list_select_related = ("provider", "organization")


@admin.register(ModelDefaults)
class ModelDefaultsAdmin(ServiceAdmin):
    list_display = ("organization", "default", "fallback", "updated_at")
    search_fields = ("organization__name",)
    list_select_related = ("organization", "default", "fallback")


@admin.register(CallAttempt)
class CallAttemptAdmin(ServiceAdmin):
    list_display = (
        "started_at",
        "provider_name",
        "model_name",
        "purpose",
        "attempt",
        "status",
        "error_code",
        "input_tokens",
        "output_tokens",
        "cost",
        "first_token_ms",
        "duration_ms",
    )
    list_filter = ("status", "error_code", "purpose", "provider_name", "estimated", "organization")
    search_fields = ("id", "turn_id", "correlation_id", "model_name")
    date_hierarchy = "started_at"


@admin.register(Budget)
class BudgetAdmin(ServiceAdmin):
    list_display = ("organization", "month", "limit", "spent", "reserved", "currency")
    list_filter = ("month", "currency")
    search_fields = ("organization__name",)
    list_select_related = ("organization",)


@admin.register(BudgetReservation)
class BudgetReservationAdmin(ServiceAdmin):
    list_display = ("created_at", "organization", "amount", "settled_at", "attempt_id")
    list_filter = (("settled_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("attempt_id",)
    list_select_related = ("organization",)
