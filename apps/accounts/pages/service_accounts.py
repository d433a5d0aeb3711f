"""Settings pages: service accounts, and the keys of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts import policies, rights, selectors
from apps.accounts.models import ServiceAccount
from apps.accounts.pages import right_forms
from apps.accounts.pages.keys import KeysView
from apps.accounts.pages.settings import SettingsView
from apps.accounts.services import service_accounts
from apps.accounts.types import OrganizationRole


class ServiceAccountListView(SettingsView):
    template_name = "settings/service_accounts.html"
    handlers = {"create": "create"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        policies.require(policies.can_manage_service_accounts(self.actor, self.role()))
        rows = rights.visible_service_accounts(self.actor).filter(organization=self.organization())
        shown = self.part_of(rows.order_by("user__name", "pk"))
        return {
            "form": form or right_forms.ServiceAccountForm(),
            "part": shown,
            "accounts": [
                (row, OrganizationRole(row.role).label)  # type: ignore[attr-defined]
                for row in shown
            ],
        }

    def create(self) -> BaseForm | HttpResponse:
        form = right_forms.ServiceAccountForm(self.request.POST)
        if not form.is_valid():
            return form
        data = form.cleaned_data | {"role": OrganizationRole(form.cleaned_data["role"])}
        made = service_accounts.create_service_account(actor=self.actor, organization_id=self.organization().pk, **data)
        return redirect(reverse("accounts:settings_service_account", args=[made.pk]))


class ServiceAccountView(KeysView):
    template_name = "settings/service_account.html"
    handlers = {
        "create": "create",
        "revoke": "revoke",
        "account": "save",
        "disable": "disable",
        "enable": "enable",
    }

    def service_account_id(self) -> UUID | None:
        return self.kwargs["service_account_id"]

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        account = rights.get_service_account(self.kwargs["service_account_id"], self.actor)
        keys = selectors.visible_api_keys(self.actor).filter(user=account.user_id, revoked_at=None)
        is_details = isinstance(form, right_forms.ServiceAccountDetailsForm)
        return {
            "account": account,
            "role_label": OrganizationRole(account.role).label,  # type: ignore[attr-defined]
            "details_form": form if is_details else self._details(account),
            "form": form if form and not is_details else self.key_form(),
            "keys": self.part_of(keys.order_by("-created_at", "pk")),
        }

    def _details(self, account: ServiceAccount, data: Any = None) -> right_forms.ServiceAccountDetailsForm:
        details = {"name": account.user.name, "description": account.description}
        return right_forms.ServiceAccountDetailsForm(data, initial=details)

    def save(self, **ids: Any) -> BaseForm:
        form = self._details(
            rights.get_service_account(self.kwargs["service_account_id"], self.actor), self.request.POST
        )
        if form.is_valid():
            service_accounts.change_service_account(actor=self.actor, **ids, **form.changed())
            messages.success(self.request, _("Saved."))
        return form

    def disable(self, **ids: Any) -> None:
        service_accounts.disable_service_account(actor=self.actor, **ids)
        messages.success(self.request, _("Switched off: none of its keys opens anything."))

    def enable(self, **ids: Any) -> None:
        service_accounts.enable_service_account(actor=self.actor, **ids)
        messages.success(self.request, _("Switched on: its keys work again."))
