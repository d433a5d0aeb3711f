"""Hand an organization over: to whom, and the password once more."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts import knocks, policies, selectors
from apps.accounts.pages import right_forms
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import attempts, organizations
from apps.accounts.types import SignInFailed


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class TransferView(SettingsView):
    template_name = "settings/transfer.html"
    handlers = {"transfer": "transfer"}

    def _form(self, data: Any = None) -> right_forms.TransferForm:
        rows = selectors.visible_members(self.actor).filter(
            organization=self.organization(), user__is_service=False, user__is_active=True
        )
        return right_forms.TransferForm(
            data, members=self.offered(rows.exclude(user=self.actor.user_id).order_by("user__name"))
        )

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        policies.require(policies.can_transfer_ownership(self.actor, self.role()))
        return {"form": form or self._form()}

    def transfer(self) -> BaseForm | HttpResponse:
        policies.require(policies.can_transfer_ownership(self.actor, self.role()))
        form = self._form(self.request.POST)
        if not form.is_valid():
            return form
        try:
            attempts.require_fresh_proof(
                actor=self.actor, password=form.cleaned_data["password"], caller=knocks.caller_of(self.request)
            )
        except SignInFailed:
            form.add_error("password", _("This is not your password."))
            return form
        organizations.transfer_ownership(actor=self.actor, member_id=identifier(form.cleaned_data["member"]))
        messages.success(self.request, _("Handed over. Sign in again: you are an admin now."))
        return redirect("account_login")
