"""What Django and allauth tell about sign-ins becomes ours. (Signals of libraries; between our apps there are none.)"""

from __future__ import annotations

from typing import Any

from allauth.account.signals import email_changed, password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from apps.accounts import actors
from apps.accounts.addresses import client_address
from apps.accounts.models import User
from apps.accounts.services import people, sessions
from apps.accounts.types import SessionKind


@receiver(user_logged_in, dispatch_uid="accounts.begin_session")
def begin_session(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    if request.session.session_key is None:
        request.session.create()
    else:
        request.session.cycle_key()  # also when the same person signs in again: what was fixed before opens nothing
    sessions.begin_session(
        user=user,
        kind=SessionKind.COOKIE,
        session_key=request.session.session_key,
        address=client_address(request),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
    )


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
    people.note_email_changed(user=user)
