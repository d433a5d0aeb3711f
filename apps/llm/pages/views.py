"""Settings for who answers and what it may cost. Everybody sees who answers; owners and admins change it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from apps.accounts import places
from apps.accounts.types import Actor
from apps.core.errors import DomainError, NotFound
from apps.llm import policies, remote, selectors, services
from apps.llm.models import Budget, Model, ModelDefaults, Provider, ProviderSource
from apps.llm.pages import kept_key
from apps.llm.pages.forms import BudgetForm, DefaultsForm, ModelForm, ProviderChangeForm, ProviderForm, take_errors
from apps.llm.pages.words import check_words
from apps.llm.presets import ProviderKind

MODEL_FIELDS = tuple(name for name in ModelForm.base_fields if name != "shown")
MODELS_SHOWN = 200


class SettingsView(LoginRequiredMixin, View):
    """One organization's settings: the one the viewer is in."""

    @property
    def actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined]

    def organization(self) -> places.Organization:
        if (found := places.find_organization(self.request)) is None:
            raise NotFound
        return found

    def can_manage(self) -> bool:
        return selectors.can_manage(organization_id=self.organization().pk, viewer=self.actor)


class ProvidersPage(SettingsView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(request, ProviderForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """It is asked first. One that does not answer is saved only by who says so (``anyway``); its page lets it be mended then."""
        organization_id = self.organization().pk
        kept = kept_key.open_for(self.actor, organization_id, request.POST) or (
            None if request.POST.get("kept") else ""
        )
        form = ProviderForm(request.POST, kept=kept)
        if not form.is_valid():
            return self._show(request, form, status=400)
        given = {**form.cleaned_data, "kind": ProviderKind(form.cleaned_data["kind"])}
        answer = None
        try:
            if "anyway" not in request.POST:
                answer = remote.try_out(actor=self.actor, organization_id=organization_id, **given)
                if answer.code:
                    return self._show(request, form, status=422, trouble=check_words(answer.code))
            made = services.create_provider(actor=self.actor, organization_id=organization_id, **given)
        except DomainError as error:
            take_errors(form, error)
            return self._show(request, form, status=400)
        if answer is None:
            return answer_check(request, remote.test_connection(actor=self.actor, provider_id=made.pk))
        return answer_check(request, remote.keep_answer(actor=self.actor, provider_id=made.pk, answer=answer))

    def _show(self, request: HttpRequest, form: ProviderForm, status: int = 200, *, trouble: str = "") -> HttpResponse:
        organization = self.organization()
        is_key_wrong = "api_key" in form.errors
        providers = selectors.list_providers_with_counts(viewer=self.actor, organization_id=organization.pk)
        context = {
            "providers": [_line(provider) for provider in providers],
            "form": form,
            "trouble": trouble,
            "kept": "" if is_key_wrong else kept_key.keep(self.actor, organization.pk, request.POST),
            "can_manage": self.can_manage(),
        }
        return render(request, "settings/providers.html", context, status=status)


class ProviderPage(SettingsView):
    def get(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        provider = self._find(provider_id)
        return self._show(request, provider, _provider_form(provider))

    def post(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        provider = self._find(provider_id)
        match request.POST.get("form"):
            case "test":
                return answer_check(request, remote.test_connection(actor=self.actor, provider_id=provider.pk))
            case "toggle":
                is_on = request.POST.get("on") == "yes"
                services.update_provider(actor=self.actor, provider_id=provider.pk, is_enabled=is_on)
            case "reset":
                services.reset_breaker(actor=self.actor, provider_id=provider.pk)
                messages.success(request, _("The next call asks %(name)s again.") % {"name": provider.name})
            case "delete":
                services.delete_provider(actor=self.actor, provider_id=provider.pk)
                messages.success(request, _("%(name)s is gone, and its key with it.") % {"name": provider.name})
            case _:
                return self._save(request, provider)
        return redirect("llm:settings_providers")

    def _save(self, request: HttpRequest, provider: Provider) -> HttpResponse:
        form = _provider_form(provider, request.POST)
        if form.is_valid():
            changes = {**form.changed(), "api_key": form.cleaned_data["api_key"] or None}
            try:
                services.update_provider(actor=self.actor, provider_id=provider.pk, **changes)
            except DomainError as error:
                take_errors(form, error)
            else:
                return answer_check(request, remote.test_connection(actor=self.actor, provider_id=provider.pk))
        return self._show(request, provider, form, status=400)

    def _find(self, provider_id: UUID) -> Provider:
        return selectors.get_provider(provider_id=provider_id, viewer=self.actor)

    def _show(self, request: HttpRequest, provider: Provider, form: ProviderForm, status: int = 200) -> HttpResponse:
        models = selectors.list_enabled_models(organization_id=provider.organization_id).filter(provider=provider)
        chosen = selectors.get_defaults(organization_id=provider.organization_id, viewer=self.actor)
        context = {
            "provider": _line(provider),
            "form": form,
            "can_manage": self.can_manage(),
            "used": [model.name for model in models],
            "is_chosen": provider.pk in {each.provider_id for each in (chosen.default, chosen.fallback) if each},
        }
        return render(request, "settings/provider.html", context, status=status)


class ModelsPage(SettingsView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        organization_id = self.organization().pk
        chosen = selectors.get_defaults(organization_id=organization_id, viewer=self.actor)
        form = self._form(organization_id, chosen, request.POST)
        if form.is_valid():
            kept = {"default": str(chosen.default_id or ""), "fallback": str(chosen.fallback_id or "")} | form.changed()
            try:
                services.set_defaults(
                    actor=self.actor,
                    organization_id=organization_id,
                    default_id=_uuid(kept["default"]),
                    fallback_id=_uuid(kept["fallback"]),
                    version=chosen.version,
                )
            except DomainError as error:
                take_errors(form, error)
            else:
                messages.success(request, _("Saved."))
                return redirect("llm:settings_models")
        return self._show(request, form, status=400)

    def _form(self, organization_id: UUID, chosen: ModelDefaults, data: Any = None) -> DefaultsForm:
        enabled = selectors.list_enabled_models(organization_id=organization_id).order_by("provider__name", "name")
        initial = {"default": str(chosen.default_id or ""), "fallback": str(chosen.fallback_id or "")}
        return DefaultsForm(data, initial=initial, models=enabled)

    def _show(self, request: HttpRequest, form: DefaultsForm | None = None, status: int = 200) -> HttpResponse:
        organization = self.organization()
        words = request.GET.get("q", "").strip()[:100]
        rows = selectors.visible_models(self.actor).filter(organization=organization.pk)
        found = rows.filter(name__icontains=words) if words else rows
        chosen = selectors.get_defaults(organization_id=organization.pk, viewer=self.actor)
        form = form or self._form(organization.pk, chosen)
        context = {
            "models": Paginator(
                found.order_by("-is_enabled", "provider__name", "rank", "name", "pk"), MODELS_SHOWN
            ).get_page(request.GET.get("page")),
            "more": f"&{urlencode({'q': words})}" if words else "",
            "chosen": chosen,
            "form": form,
            "q": words,
            "can_manage": self.can_manage(),
        }
        return render(request, "settings/models.html", context, status=status)


class ModelPage(SettingsView):
    def get(self, request: HttpRequest, model_id: UUID) -> HttpResponse:
        model = selectors.get_visible_model(model_id=model_id, viewer=self.actor)
        return self._show(request, model, self._form(model))

    def post(self, request: HttpRequest, model_id: UUID) -> HttpResponse:
        model = selectors.get_visible_model(model_id=model_id, viewer=self.actor)
        form = self._form(model, request.POST)
        if form.is_valid():
            try:
                services.update_model(actor=self.actor, model_id=model.pk, **form.changed())
            except DomainError as error:
                take_errors(form, error)
            else:
                messages.success(request, _("Saved."))
                return redirect("llm:settings_models")
        return self._show(request, model, form, status=400)

    def _form(self, model: Model, data: Any = None) -> ModelForm:
        return ModelForm(data, initial={name: getattr(model, name) for name in MODEL_FIELDS})

    def _show(self, request: HttpRequest, model: Model, form: ModelForm, status: int = 200) -> HttpResponse:
        context = {"edited": model, "form": form, "can_manage": self.can_manage()}
        return render(request, "settings/model.html", context, status=status)


class BudgetPage(SettingsView):
    def get(self, request: HttpRequest) -> HttpResponse:
        budget = self._budget()
        return self._show(request, budget, self._form(budget))

    def post(self, request: HttpRequest) -> HttpResponse:
        budget = self._budget()
        form = self._form(budget, request.POST)
        if form.is_valid():
            kept = _limit_of(budget) | form.changed()
            try:
                services.set_budget(
                    actor=self.actor,
                    organization_id=self.organization().pk,
                    version=budget.version if budget else None,
                    **kept,
                )
            except DomainError as error:
                take_errors(form, error)
            else:
                messages.success(request, _("Saved."))
                return redirect("llm:settings_budget")
        return self._show(request, budget, form, status=400)

    def _form(self, budget: Any, data: Any = None) -> BudgetForm:
        return BudgetForm(data, initial=_limit_of(budget))

    def _budget(self) -> Any:
        rows = selectors.visible_budgets(self.actor).filter(organization=self.organization().pk)
        return rows.filter(month=selectors.current_month()).first() or rows.order_by("-month").first()

    def _show(self, request: HttpRequest, budget: Any, form: BudgetForm, status: int = 200) -> HttpResponse:
        organization = self.organization()
        begin = selectors.month_begin(selectors.current_month())
        lines = selectors.stats_usage(
            viewer=self.actor, organization_id=organization.pk, begin=begin, end=begin + timedelta(days=32)
        )
        currency = budget.currency if budget else "USD"
        spent = sum((line.cost for line in lines if line.currency == currency), Decimal(0))
        limit = budget.limit if budget else None
        context = {
            "form": form,
            "can_manage": policies.can_manage_budget(self.actor, organization.role),  # type: ignore[attr-defined]
            "spent": spent,
            "reserved": budget.reserved if budget else Decimal(0),
            "limit": limit,
            "currency": currency,
            "share": min(100, int(spent / limit * 100)) if limit else None,
        }
        return render(request, "settings/budget.html", context, status=status)


def _limit_of(budget: Budget | None) -> dict[str, Any]:
    return {"limit": budget.limit, "currency": budget.currency} if budget else {"limit": None, "currency": "USD"}


class UsagePage(SettingsView):
    """A month of calls by model. Members see their own, those who manage budgets everybody's."""

    def get(self, request: HttpRequest) -> HttpResponse:
        month = _month(request.GET.get("month")) or selectors.current_month()
        following = (month + timedelta(days=32)).replace(day=1)
        organization = self.organization()
        lines = selectors.stats_usage(
            viewer=self.actor,
            organization_id=organization.pk,
            begin=selectors.month_begin(month),
            end=selectors.month_begin(following),
        )
        context = {
            "lines": lines,
            "month": month,
            "previous_month": (month - timedelta(days=1)).replace(day=1),
            "next_month": following if following <= selectors.current_month() else None,
            "calls": sum(line.calls for line in lines),
            "input_tokens": sum(line.input_tokens for line in lines),
            "output_tokens": sum(line.output_tokens for line in lines),
            "costs": _by_currency(lines),
            "has_unknown_cost": any(line.has_unknown_cost for line in lines),
            "sees_all": policies.can_see_usage(self.actor, organization.role),  # type: ignore[attr-defined]
        }
        return render(request, "settings/usage.html", context)


def answer_check(request: HttpRequest, provider: Provider) -> HttpResponse:
    """What failed is mended where it is: the provider's own page says why, with all that was chosen."""
    if provider.check_code:
        return redirect("llm:settings_provider", provider.pk)
    count = selectors.visible_models(request.actor).filter(provider=provider).count()  # type: ignore[attr-defined]
    said = ngettext("%(name)s answers. %(count)s model found.", "%(name)s answers. %(count)s models found.", count)
    messages.success(request, said % {"name": provider.name, "count": count})
    return redirect("llm:settings_providers")


def _line(provider: Provider) -> dict[str, Any]:
    """What a row of the list says: where it is, how it fares, what can be done."""
    address = provider.base_url or provider.preset.base_url
    is_from_environment = provider.source == ProviderSource.ENVIRONMENT
    return {
        "id": provider.pk,
        "name": provider.name,
        "kind": provider.kind,
        "kind_label": provider.get_kind_display(),
        "address": address.removeprefix("https://").removeprefix("http://"),
        "is_enabled": provider.is_enabled,
        "is_demo": provider.kind == ProviderKind.DEMO,
        "is_from_environment": is_from_environment,
        "has_key": bool(provider.api_key) or is_from_environment,
        "checked_at": provider.checked_at,
        "trouble": check_words(provider.check_code) if provider.check_code else "",
        "models": getattr(provider, "enabled_models", None),
    }


def _provider_form(provider: Provider, data: Any = None) -> ProviderForm:
    return ProviderChangeForm(
        data,
        initial={"name": provider.name, "base_url": provider.base_url},
        has_key=bool(provider.api_key),
        kind=ProviderKind(provider.kind),
    )


def _by_currency(lines: list[selectors.UsageLine]) -> list[tuple[str, Decimal]]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.cost
    return sorted(sums.items(), key=lambda pair: -pair[1])


def _month(text: str | None) -> date | None:
    try:
        return date.fromisoformat(f"{text}-01") if text else None
    except ValueError:
        return None


def _uuid(text: str) -> UUID | None:
    return UUID(text) if text else None
