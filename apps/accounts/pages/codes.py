"""The page that asks an unusual sign-in for the code that was mailed."""

from __future__ import annotations

from typing import Any

from allauth.account.stages import LoginStageController
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts import knocks
from apps.accounts.models import SignInAttempt
from apps.accounts.services import codes
from apps.accounts.stages import CodeStage
from apps.accounts.types import RiskVerdict, SecondFactorNotValid


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code from the mail"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


@method_decorator([never_cache, sensitive_post_parameters("code")], name="dispatch")
class SignInCodeView(View):
    """Only for a session in the middle of a sign-in; everybody else is sent to the beginning."""

    stage: CodeStage
    attempt: SignInAttempt

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        stage = LoginStageController.enter(request, CodeStage.key)
        attempt = knocks.held_attempt(request)
        if stage is None or attempt is None or attempt.verdict != RiskVerdict.STEP_UP:
            return redirect("account_login")
        if attempt.user_id != stage.login.user.pk:
            return stage.abort()
        self.stage, self.attempt = stage, attempt
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "again" in request.POST:
            codes.send_code(attempt=self.attempt)
            messages.success(request, _("A new code is on its way. The one before no longer works."))
            return redirect("accounts:sign_in_code")
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                codes.take_code(attempt_id=self.attempt.pk, code=form.cleaned_data["code"])
            except SecondFactorNotValid as error:
                form.add_error("code", error.detail)
            else:
                return self.stage.exit()
        return self._page(form, status=400)

    def _page(self, form: CodeForm, status: int = 200) -> HttpResponse:
        user = self.attempt.user
        address = masked(user.email) if user else ""
        return render(self.request, "accounts/code.html", {"form": form, "masked": address}, status=status)


def masked(email: str) -> str:
    """``i…@example.org``: enough for who owns it to know where to look."""
    name, _at, host = email.partition("@")
    return f"{name[:1]}…@{host}"
