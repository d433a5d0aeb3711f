"""Erase one's own account: what that means, and the password once more; and what is kept of oneself, to take along."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts import knocks, rights, selectors
from apps.accounts.pages import forms
from apps.accounts.pages.settings import SettingsView
from apps.accounts.services import attempts, erasure, personal
from apps.accounts.types import Actor, LastOperator, SignInFailed


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class EraseAccountView(SettingsView):
    template_name = "settings/erase.html"
    handlers = {"erase": "erase"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        if not self.request.user.has_usable_password():  # type: ignore[union-attr]
            self.require_fresh()  # asked before the page: it has no field for another proof
        return {
            "form": form or self._form(),
            "held_by": _why_held(self.actor),
        }

    def _form(self, data: Any = None) -> forms.EraseAccountForm:
        return forms.EraseAccountForm(data, asks_password=self.request.user.has_usable_password())  # type: ignore[union-attr]

    def erase(self) -> BaseForm | HttpResponse:
        form = self._form(self.request.POST)
        if not form.is_valid():
            return form
        user = self.request.user
        try:
            attempts.require_fresh_proof(
                actor=self.actor,
                password=form.cleaned_data.get("password", ""),
                caller=knocks.caller_of(self.request),
            )
        except SignInFailed:
            form.add_error("password", _("This is not your password."))
            return form
        erasure.erase_person(actor=self.actor, user_id=user.pk)  # type: ignore[arg-type]
        logout(self.request)
        messages.success(self.request, _("Your account was erased."))
        return redirect("account_login")


class TakeAlongView(LoginRequiredMixin, View):
    """What is kept of oneself, as a file."""

    def get(self, request: HttpRequest) -> HttpResponse:
        told = personal.export_person(actor=request.actor)  # type: ignore[attr-defined]
        name = f"parlance-{timezone.localdate().isoformat()}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return JsonResponse(told, headers=headers, json_dumps_params={"indent": 1})


def _why_held(viewer: Actor) -> str:
    """Said before they type their password: the same that would refuse them after it."""
    if selectors.is_only_operator(viewer):
        return str(LastOperator.default_detail)
    if names := [organization.name for organization in rights.list_only_owned(viewer)]:
        said = _("%(organizations)s would be left without an owner. Make somebody else an owner first.")
        return said % {"organizations": ", ".join(names)}
    return ""
