"""How one signs in: password, second factors, passkeys; and the page for who has to set one up first."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.mixins import LoginRequiredMixin
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from apps.accounts.actors import waiting_session
from apps.accounts.pages.settings import SettingsView


def second_factors_of(user: Any) -> dict[str, Any]:
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    recovery = next((row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
    return {
        "app": next((row for row in rows if row.type == Authenticator.Type.TOTP), None),
        "passkeys": [row for row in rows if row.type == Authenticator.Type.WEBAUTHN],
        "recovery": recovery,
        "codes_left": len(recovery.wrap().get_unused_codes()) if recovery else 0,
    }


class SecurityView(SettingsView):
    template_name = "settings/security.html"

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        return second_factors_of(self.request.user)


class SecondFactorsView(LoginRequiredMixin, View):
    """allauth's index: the settings page, or for who has to set one up, what there is to choose from."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.actor.is_somebody:
            return redirect("accounts:settings_security")
        return render(request, "mfa/set_up.html")


def is_waiting(request: HttpRequest) -> bool:
    return not request.user.is_authenticated and waiting_session(request) is not None
