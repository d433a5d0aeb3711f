"""allauth's forms for codes. They ask ``services.second_factors``, which keeps in rows what was used and how often was guessed."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import auth
from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts import knocks, second_factor
from apps.accounts.services import second_factors
from apps.accounts.types import CodeRefused

COUNTER = "_totp_counter"


def dress(field: forms.Field) -> None:
    field.label = _("Code")
    field.widget.attrs |= {"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}
    field.widget.attrs.pop("placeholder", None)


class _Checked:
    """``TooManyAttempts`` goes through to the error page (429)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self.fields["code"])
        self.fields["code"].max_length = 40

    def clean_code(self) -> str:
        try:
            self.authenticator = second_factors.check_code(
                user=self.user, code=self.cleaned_data["code"], guesser=self.guesser()
            )
        except CodeRefused as error:
            raise forms.ValidationError(error.detail, code=error.code) from None
        return self.cleaned_data["code"]


class CodeForm(_Checked, AuthenticateForm):
    def guesser(self) -> second_factors.Guesser:
        """Who signs in; an open session of somebody in the same browser counts for nothing here."""
        return second_factors.Guesser(attempt=knocks.held_attempt(context.request))


class CodeAgainForm(_Checked, ReauthenticateForm):
    def guesser(self) -> second_factors.Guesser:
        return knocks.guesser_at(context.request)


class ActivateAppForm(ActivateTOTPForm):
    """The seed waits for its first code in the session, sealed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)
        dress(self.fields["code"])
        session = context.request.session
        sealed = session.get(auth.SECRET_SESSION_KEY) if self.is_bound else None
        if sealed is None:
            sealed = session[auth.SECRET_SESSION_KEY] = second_factor.seal_for(
                self.user.pk, auth.generate_totp_secret()
            )
        self.secret = second_factor.open_for(self.user.pk, sealed)

    def clean_code(self) -> str:
        counter = second_factors.check_first_code(
            user=self.user,
            secret=self.secret,
            code=self.cleaned_data["code"],
            guesser=knocks.guesser_at(context.request),
        )
        if counter is None:
            raise get_adapter().validation_error("incorrect_code")
        setattr(context.request, COUNTER, counter)
        return self.cleaned_data["code"]
