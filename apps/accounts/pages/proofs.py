"""Pages on which somebody who is signed in shows again that it is them; allauth has those for passwords, codes and passkeys."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import resume_request
from allauth.account.views import BaseReauthenticateView, PasswordSetView
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts import knocks
from apps.accounts.pages.codes import masked
from apps.accounts.pages.forms import SetPasswordForm
from apps.accounts.services import fresh_proofs, passwords, proof_codes
from apps.accounts.types import CodeRefused

KEPT = "proof_code"


class ProofCodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code from the mail"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


@method_decorator([never_cache, sensitive_post_parameters("code")], name="dispatch")
class ProofCodeView(LoginRequiredMixin, BaseReauthenticateView):  # type: ignore[misc]
    """For who has neither password nor second factor. Only the button sends a mail: to look at the page does nothing."""

    form_class = ProofCodeForm
    template_name = "account/proof_code.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "send" not in request.POST:
            return super().post(request, *args, **kwargs)
        knocks.limit_proof_codes(request)
        request.session[KEPT] = proof_codes.send_code(actor=request.actor)  # type: ignore[attr-defined]
        messages.success(request, _("A code is on its way."))
        return redirect(request.get_full_path())

    def form_valid(self, form: ProofCodeForm) -> HttpResponse:
        request = self.request
        try:
            proof_codes.check_code(
                actor=request.actor,  # type: ignore[attr-defined]
                code=form.cleaned_data["code"],
                kept=request.session.get(KEPT),
            )
        except CodeRefused as error:
            form.add_error("code", error.detail)
            return self.form_invalid(form)
        request.session.pop(KEPT, None)
        record_authentication(request, request.user, "mail_code", reauthenticated=True)  # type: ignore[arg-type]
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        said = {"is_sent": KEPT in self.request.session, "masked": masked(self.request.user.email)}  # type: ignore[union-attr]
        return super().get_context_data(**kwargs) | said


class ProofDoneView(LoginRequiredMixin, View):
    """Back from an identity provider: on with what was asked for."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return resume_request(request) or redirect(settings.LOGIN_REDIRECT_URL)


@method_decorator(sensitive_post_parameters("password1", "password2"), name="dispatch")
class SetFirstPasswordView(LoginRequiredMixin, PasswordSetView):  # type: ignore[misc]
    """allauth's asks for nothing: whoever finds the screen unlocked would have a way in for good."""

    form_class = SetPasswordForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            passwords.require_password_way(user=request.user)  # type: ignore[arg-type]
            knocks.note_proofs(request)
            if not fresh_proofs.is_fresh(actor=request.actor):  # type: ignore[attr-defined]
                raise ReauthenticationRequired
        return super().dispatch(request, *args, **kwargs)
