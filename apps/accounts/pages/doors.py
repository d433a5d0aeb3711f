"""Ways in besides the sign-in form: links that sign in once, the claim of a fresh installation, invitations."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import unstash_login
from allauth.account.models import get_emailconfirmation_model
from allauth.account.utils import perform_login
from allauth.account.views import ConfirmEmailView, EmailView, LoginView, PasswordResetFromKeyView, SignupView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts import knocks
from apps.accounts.actors import waiting_session
from apps.accounts.identity.known import list_offered
from apps.accounts.models import User
from apps.accounts.pages.answers import add_errors
from apps.accounts.pages.forms import AskToSignUpForm, NewPersonForm
from apps.accounts.proofs import LINK
from apps.accounts.services import invitations, mailboxes, passwords, people, sessions, sign_ups
from apps.accounts.types import EmailTaken, InvitationNotValid, LinkNotValid, PasswordRefused
from apps.core.errors import Invalid
from apps.core.mail import is_delivered

BACKEND = settings.AUTHENTICATION_BACKENDS[0]


class ResetFromKeyView(PasswordResetFromKeyView):
    """allauth's, with the status that says it: a link that is not good is 400. What a new password ends is said before."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        is_unproved = self.reset_user is not None and mailboxes.is_unproved(user=self.reset_user)
        return super().get_context_data(**kwargs) | {"is_unproved": is_unproved}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        response = super().render_to_response(context, **kwargs)
        if context.get("token_fail"):
            response.status_code = 400
        return response


class SignInView(LoginView):
    """allauth's. Who still has to set up a second factor is sent there."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET" and waiting_session(request) is not None:
            return redirect("accounts:second_factors")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"identity_providers": list_offered()}


class ConfirmView(ConfirmEmailView):
    """allauth's, for who is signed in to the account, or in the middle of it in this browser.

    Of anybody else the link says only that they read the mailbox: opened by its owner, it would confirm the account of a stranger
    who typed the address, and whatever that stranger has set up with it.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        found = get_emailconfirmation_model().from_key(kwargs["key"])
        if found is None or self._is_theirs(request, found.email_address.user_id):
            return super().dispatch(request, *args, **kwargs)
        self.logout_other_user(found)
        messages.info(request, _("Sign in to confirm the address. You have no account here? Then do nothing."))
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.path})}")

    def _is_theirs(self, request: HttpRequest, user_id: UUID) -> bool:
        waiting = unstash_login(request, peek=True)
        signing_in = waiting.user.pk if waiting is not None and waiting.user else None
        return user_id in {request.user.pk, signing_in}


class SignUpView(SignupView):
    """allauth's. Where mail goes out a letter comes first, whoever has the address: the page is the same for known ones."""

    def get_form_class(self) -> Any:
        return AskToSignUpForm if is_delivered() else super().get_form_class()

    def form_valid(self, form: Any) -> HttpResponse:
        if not isinstance(form, AskToSignUpForm):
            return super().form_valid(form)
        passwords.limit_mail(request=self.request, name="sign_up", email=form.cleaned_data["email"])
        sign_ups.ask(**form.cleaned_data)
        return redirect("account_email_verification_sent")


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class FinishSignUpView(View):
    """What the mailed link leads to: the name once more, and a password."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        asked = sign_ups.find_asked(token=token)
        name = asked.name if asked else ""
        return self._page(request, token, NewPersonForm(initial={"name": name}, fixed_email="asked"))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        form = NewPersonForm(request.POST, fixed_email="asked")
        if form.is_valid():
            try:
                return sign_in(request, sign_ups.finish(token=token, **form.cleaned_data))
            except LinkNotValid:
                pass  # the page says so
            except (EmailTaken, PasswordRefused) as error:
                add_errors(form, error)
        return self._page(request, token, form, status=400)

    def _page(self, request: HttpRequest, token: str, form: NewPersonForm, status: int = 200) -> HttpResponse:
        asked = sign_ups.find_asked(token=token)
        if asked is None:
            return render(request, "accounts/link_used.html", status=400)
        return render(request, "accounts/sign_up.html", {"form": form, "email": asked.email}, status=status)


class AddressView(EmailView):
    """allauth's. The link is mailed again no more often than it is mailed."""

    def _action_send(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        passwords.limit_mail(request=request, name="change", email=request.POST["email"], user_id=request.user.pk)
        return super()._action_send(request, *args, **kwargs)


def sign_in(request: HttpRequest, user: User) -> HttpResponse:
    """Somebody who was made this minute, and has no second factor yet. The way in was a link: it always lets in, and is listed."""
    record_authentication(request, user, LINK)
    knocks.judge(request, user)
    login(request, user, backend=BACKEND)
    return redirect(settings.LOGIN_REDIRECT_URL)


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class LinkView(View):
    """``GET`` only shows what the link is for: programs that look at links in mails must not use them up."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        link = sessions.find_sign_in_link(token=token)
        if link is None:
            return render(request, "accounts/link_used.html", status=400)
        if link.user is None:
            return self._claim(request, NewPersonForm())
        return render(request, "accounts/link.html")

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        link = sessions.find_sign_in_link(token=token)
        if link is None:
            return render(request, "accounts/link_used.html", status=400)
        if link.user is not None:
            user = sessions.use_sign_in_link(token=token)
            record_authentication(request, user, LINK)
            return perform_login(request, user)
        form = NewPersonForm(request.POST)
        if form.is_valid():
            try:
                return sign_in(request, people.claim_instance(token=token, **form.cleaned_data))
            except Invalid as error:
                add_errors(form, error)
        return self._claim(request, form, status=400)

    def _claim(self, request: HttpRequest, form: NewPersonForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "others_sign_up": settings.PARLANCE_SIGN_UP == "open"}
        return render(request, "accounts/claim.html", context, status=status)


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class InvitationView(View):
    """Join with the account one is signed in with, or make one for the invited address."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(request, token, NewPersonForm(fixed_email="invited"))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.user.is_authenticated:
            invitations.accept_invitation(actor=request.actor, token=token, mark=self._mark())
            return redirect(settings.LOGIN_REDIRECT_URL)
        form = NewPersonForm(request.POST, fixed_email="invited")
        if form.is_valid():
            try:
                return sign_in(request, self._join(token, form))
            except InvitationNotValid:
                pass  # the page says so
            except (EmailTaken, PasswordRefused) as error:
                add_errors(form, error)
        return self._page(request, token, form, status=400)

    def _join(self, token: str, form: NewPersonForm) -> User:
        return invitations.join_by_invitation(token=token, mark=self._mark(), **form.cleaned_data)

    def _mark(self) -> str:
        return self.request.GET.get(invitations.MAILED, "")

    def _page(self, request: HttpRequest, token: str, form: NewPersonForm, status: int = 200) -> HttpResponse:
        invitation = invitations.find_invitation(token=token)
        if invitation is None:
            return render(request, "accounts/link_used.html", status=400)
        context = {
            "invitation": invitation,
            "form": None if request.user.is_authenticated else form,
            "login_url": f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}",
        }
        return render(request, "accounts/invitation.html", context, status=status)
