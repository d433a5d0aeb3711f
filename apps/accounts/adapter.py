"""How allauth makes, checks and mails people: its pages, our rules."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress
from allauth.core import context as allauth_context
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import knocks, letters
from apps.accounts.addresses import client_address
from apps.accounts.identity.known import list_connected
from apps.accounts.models import User
from apps.accounts.proofs import Proofs
from apps.accounts.rules import rules_of
from apps.accounts.services import attempts, fresh_proofs, identity, people
from apps.accounts.types import SERVICE_DOMAIN, SignInFailed, SsoNeeded
from apps.accounts.words import language_asked
from apps.accounts.zones import zone_asked
from apps.core import mail
from apps.core.letters import letter_of_text, queue_letter

LINK_SENT = "account/messages/email_confirmation_sent.txt"


class AccountAdapter(DefaultAccountAdapter):
    # In our words, and the same as the API's.
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": SignInFailed.default_detail,
        "incorrect_password": gettext_lazy("This is not your password."),
    }

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Nothing is said to be on its way where no mail goes out."""
        if message_template != LINK_SENT or mail.is_delivered():
            super().add_message(request, level, message_template, *args, **kwargs)

    def populate_username(self, request: HttpRequest, user: Any) -> None:
        """People have no user name."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return people.is_sign_up_open()

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Never the one that somebody signs in with, confirmed or not."""
        is_own = email_address.email.lower() == email_address.user.email.lower()
        return not is_own and super().can_delete_email(email_address)

    def save_user(self, request: HttpRequest, user: Any, form: BaseForm, commit: bool = True) -> Any:  # noqa: FBT001,FBT002
        user.name = form.cleaned_data.get("name", "")
        user.language, user.time_zone = language_asked(), zone_asked()
        return super().save_user(request, user, form, commit)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """One check of passwords for all doors. ``TooManyAttempts`` goes through to the error page (429)."""
        email = credentials.get("email") or credentials.get("username") or ""
        try:
            proof = attempts.check_password(
                email=str(email), password=str(credentials.get("password") or ""), **knocks.caller_of(request)
            )
        except SignInFailed:
            return None
        request.sign_in_attempt = proof.attempt  # type: ignore[attr-defined]
        return proof.user

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse | None:
        """Whatever the proof was: who may not come in this way hears so (``SsoNeeded``, 403), and the attempt is judged."""
        proofs = Proofs.of(get_authentication_records(request, user))
        if not rules_of(user.pk).allows(proofs.method, identity.find_provider_id(slug=proofs.provider)):
            clear_login(request)
            raise SsoNeeded
        if (response := super().pre_login(request, user, **kwargs)) is not None:
            return response
        knocks.judge(request, user)
        return None

    def login(self, request: HttpRequest, user: Any) -> None:
        """Django empties a session that an earlier password left behind, with what the sign-in proved in it."""
        knocks.keep_proofs(request, user)
        super().login(request, user)

    def get_login_stages(self) -> list[str]:
        """Last, so that who has a second factor of their own gave it before and is not asked for a code."""
        return [*super().get_login_stages(), "apps.accounts.stages.CodeStage"]

    def reauthenticate(self, user: Any, password: str) -> bool:
        """Allauth would look for a confirmed address; people sign in with the one in their row. Counted, and not judged."""
        found = self.authenticate(allauth_context.request, email=user.email, password=password)
        attempt = knocks.drop_attempt(allauth_context.request)
        is_right = found is not None and found.pk == user.pk
        if is_right and attempt is not None:
            attempts.admit(attempt=attempt)
        return is_right

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Who proved it lately is not asked again. Whom allauth knows no proof of (it means: always fresh) is asked by us."""
        if not super().is_reauthentication_required(app=app, **kwargs) or self._is_fresh():
            return False
        if not get_reauthentication_flows(self.request.user):
            raise ReauthenticationRequired
        return True

    def _is_fresh(self) -> bool:
        """By what this browser noted, which is all there is of a session that waits for a second factor; else by its row."""
        records = get_authentication_records(self.request, self.request.user)
        most = fresh_proofs.FRESH_FOR.total_seconds()
        return any(time.time() - record["at"] < most for record in records) or fresh_proofs.is_fresh(
            actor=self.request.actor
        )

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """allauth's, the person's identity providers, and for who has neither password nor factor of their own a mailed code.

        The first one answers a form, so it is a page of ours: the content security policy lets no form end elsewhere.
        """
        own = {"reauthenticate": _("Use your password"), "mfa_reauthenticate": _("Use a code")}
        own["mfa_reauthenticate:webauthn"] = _("Use a passkey")
        methods = super().get_reauthentication_methods(user)
        methods = [method | {"description": own.get(method["id"], method["description"])} for method in methods]
        if not user.is_authenticated:
            return methods
        if not methods:
            url = reverse("accounts:proof_code")
            methods.append({"id": "mail_code", "description": _("Mail me a code"), "url": url})
        for known in list_connected(user):
            words = _("Continue with %(name)s") % {"name": known.name}
            methods.append({"id": "sso", "description": words, "url": reverse("accounts:sso_again", args=[known.slug])})
        return methods

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """The link asks nobody who they are: what the change needed when it began is asked again."""
        with transaction.atomic():
            people.hold_address(address=email_address)
            return super().confirm_email(request, email_address)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A row of ours, sent by a job: no request waits for a mail server. Programs get none."""
        if email.lower().endswith(f"@{SERVICE_DOMAIN}"):
            return
        user = context.get("user")
        match template_prefix:
            case "account/email/password_reset_key":
                letters.send_reset(user=context["user"], recipient=email, link=context["password_reset_url"])
            case "account/email/email_confirmation" | "account/email/email_confirmation_signup":
                letters.send_confirmation(user=context["user"], recipient=email, link=context["activate_url"])
            case _:
                with translation.override(user.language if isinstance(user, User) else language_asked()):
                    context = {"request": allauth_context.request, **context}
                    message = self.render_mail(template_prefix, email, context)
                    letter = letter_of_text(subject=message.subject, text=str(message.body))
                    queue_letter(recipient=email, letter=letter)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request) or "0.0.0.0"  # noqa: S104  (a word for "unknown", not an address to bind)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The configured address, whatever ``Host`` the request claimed."""
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return settings.PARLANCE_URL + path.replace("UID-KEY", key)

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return settings.PARLANCE_URL + reverse("account_confirm_email", args=[emailconfirmation.key])
