"""How one signs in: password, second factors, passkeys; and the page for who has to set one up first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import knocks
from apps.accounts.actors import waiting_session
from apps.accounts.identity.known import find_all, list_offered
from apps.accounts.pages.settings import SettingsView
from apps.accounts.pages.sso import connect_word
from apps.accounts.services import identity
from apps.core.errors import NotFound

#: Of a number that a bigint column holds.
DIGITS = 18


def second_factors_of(user: Any) -> dict[str, Any]:
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    recovery = next((row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
    return {
        "app": next((row for row in rows if row.type == Authenticator.Type.TOTP), None),
        "passkeys": [row for row in rows if row.type == Authenticator.Type.WEBAUTHN],
        "recovery": recovery,
        "codes_left": len(recovery.wrap().get_unused_codes()) if recovery else 0,
    }


@dataclass(frozen=True, slots=True)
class Connection:
    """``name``: what the provider is called, or its short name once it is off."""

    id: int
    name: str
    is_on: bool
    since: datetime
    last_used_at: datetime


class SecurityView(SettingsView):
    template_name = "settings/security.html"
    handlers = {"disconnect": "disconnect"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        knocks.note_proofs(self.request)  # somebody may have come back from giving one
        accounts = list(SocialAccount.objects.filter(user=self.request.user).order_by("pk"))  # type: ignore[misc]
        known = find_all({account.provider for account in accounts})
        connected = [
            Connection(
                account.pk,
                known[account.provider].name if account.provider in known else account.provider,
                account.provider in known,
                account.date_joined,
                account.last_login,
            )
            for account in accounts
        ]
        offered = [each for each in list_offered() if each.slug not in {account.provider for account in accounts}]
        return {
            **second_factors_of(self.request.user),
            "connections": connected,
            "connectable": offered,
            "connect_word": connect_word(self.request) if offered else "",
            "has_password": self.request.user.has_usable_password(),  # type: ignore[union-attr]
        }

    def disconnect(self) -> None:
        raw = self.request.POST.get("account", "")
        if not raw.isascii() or not raw.isdecimal() or len(raw) > DIGITS:
            raise NotFound
        identity.disconnect(actor=self.actor, account_id=int(raw))
        messages.success(self.request, _("Disconnected. It no longer signs you in."))


class SecondFactorsView(LoginRequiredMixin, View):
    """allauth's index: the settings page, or for who has to set one up, what there is to choose from."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.actor.is_somebody:
            return redirect("accounts:settings_security")
        return render(request, "mfa/set_up.html")


def is_waiting(request: HttpRequest) -> bool:
    return not request.user.is_authenticated and waiting_session(request) is not None
