"""What Django and allauth tell about sign-ins becomes ours. (Signals of libraries; between our apps there are none.)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from allauth.account.signals import email_changed, password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.signals import social_account_added
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from apps.accounts import actors, knocks, rules
from apps.accounts.addresses import client_address
from apps.accounts.identity.known import find_known
from apps.accounts.models import User
from apps.accounts.pages.code_forms import COUNTER
from apps.accounts.second_factor import FACTORS
from apps.accounts.services import attempts, identity, people, second_factors, sessions, sign_in_rules
from apps.accounts.types import SYSTEM, SessionKind
from apps.core.doors.consumers import LoggedEvent


@receiver(user_logged_in, dispatch_uid="accounts.begin_session")
def begin_session(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    if request.session.session_key is None:
        request.session.create()
    else:
        request.session.cycle_key()  # also when the same person signs in again: what was fixed before opens nothing
    attempt = knocks.held_attempt(request)
    device = knocks.keep_device(request, user)
    proofs = knocks.kept_proofs(request, user)
    sessions.begin_session(
        user=user,
        kind=SessionKind.COOKIE,
        method=proofs.method,
        auth_level=proofs.level,
        identity_provider_id=identity.find_provider_id(slug=proofs.provider),
        session_key=request.session.session_key,
        address=client_address(request),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        device=device,
    )
    if attempt is not None and attempt.user_id == user.pk:
        attempts.admit(attempt=attempt, device=device)


@receiver(user_logged_out, dispatch_uid="accounts.end_session")
def end_session(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    if request.session.session_key is not None:
        sessions.end_cookie_session(session_key=request.session.session_key)


def _note_password(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    own = request.user.is_authenticated and request.user.pk == user.pk
    sessions.note_password_changed(
        actor=actors.member(user), user_id=user.pk, kept_session_key=request.session.session_key if own else None
    )


password_changed.connect(_note_password, dispatch_uid="accounts.password_changed")
password_set.connect(_note_password, dispatch_uid="accounts.password_set")
password_reset.connect(_note_password, dispatch_uid="accounts.password_reset")


@receiver(email_changed, dispatch_uid="accounts.email_changed")
def note_email_changed(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    former = kwargs.get("from_email_address")
    people.note_email_changed(user=user, former=former.email if former else "")


@receiver(authenticator_added, dispatch_uid="accounts.second_factor_added")
@receiver(authenticator_reset, dispatch_uid="accounts.second_factor_reset")
def note_second_factor(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    is_app = authenticator.type == Authenticator.Type.TOTP
    counter = getattr(request, COUNTER, None) if is_app else None
    is_told = authenticator.type in FACTORS or kwargs.get("signal") is authenticator_reset
    second_factors.note_added(user=user, kind=authenticator.type, counter=counter, is_told=is_told)
    if authenticator.type in FACTORS and request.session.session_key is not None:
        second_factors.finish_waiting(session_key=request.session.session_key, user=user)


@receiver(authenticator_removed, dispatch_uid="accounts.second_factor_removed")
def note_second_factor_gone(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    second_factors.note_removed(user=user, kind=authenticator.type)


@receiver(social_account_added, dispatch_uid="accounts.identity_connected")
def note_identity(sender: Any, request: HttpRequest, sociallogin: SocialLogin, **kwargs: Any) -> None:
    slug = sociallogin.account.provider
    known = find_known(slug)
    identity.note_connected(actor=actors.member(sociallogin.user), slug=slug, name=known.name if known else slug)


def follow_settings(event: LoggedEvent) -> None:
    """Rules are settings, which commands change too; safe to repeat. What ends by a rule is told as done for who set it."""
    if event.payload.get("key") in rules.KEYS and event.payload.get("target_id"):
        asker = replace(SYSTEM, user_id=event.actor_id, key_id=event.actor_key_id)
        sign_in_rules.enforce(organization_id=UUID(event.payload["target_id"]), actor=asker)
