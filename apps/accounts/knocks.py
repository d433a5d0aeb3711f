"""What a browser that signs in carries from one request to the next: its device, and the attempt it is in the middle of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.accounts.actors import cookie_session, waiting_session
from apps.accounts.addresses import client_address
from apps.accounts.models import Device, SignInAttempt, User
from apps.accounts.proofs import Proofs
from apps.accounts.services import attempts, devices, fresh_proofs, passwords, second_factors
from apps.accounts.types import Actor, RiskVerdict

SESSION_KEY = "sign_in_attempt"
DEVICE_COOKIE_SECONDS = 60 * 60 * 24 * 400  # the longest that browsers keep one


class Caller(TypedDict):
    address: str | None
    user_agent: str
    device_token: str | None


def caller_of(request: HttpRequest) -> Caller:
    return Caller(
        address=client_address(request),
        user_agent=request.headers.get("User-Agent", ""),
        device_token=request.COOKIES.get(settings.DEVICE_COOKIE_NAME),
    )


def hold_attempt(request: HttpRequest, attempt: SignInAttempt) -> None:
    request.sign_in_attempt = attempt  # type: ignore[attr-defined]
    request.session[SESSION_KEY] = str(attempt.pk)


def held_attempt(request: HttpRequest) -> SignInAttempt | None:
    """Of this request, else of the sign-in that its session is in the middle of."""
    if (held := getattr(request, "sign_in_attempt", None)) is not None:
        return held
    attempt_id = request.session.get(SESSION_KEY)
    return attempts.find_attempt(attempt_id=UUID(attempt_id)) if attempt_id else None


def drop_attempt(request: HttpRequest) -> SignInAttempt | None:
    attempt = held_attempt(request)
    request.sign_in_attempt = None  # type: ignore[attr-defined]
    request.session.pop(SESSION_KEY, None)
    return attempt


def verdict_of(request: HttpRequest) -> RiskVerdict:
    """What the attempt that this session is in the middle of was judged to be."""
    attempt = held_attempt(request)
    return RiskVerdict(attempt.verdict) if attempt else RiskVerdict.ALLOWED


def judge(request: HttpRequest, user: User) -> RiskVerdict:
    """The attempt of this request, else a new one by the proof that allauth noted. Raises as ``attempts.judge``.

    The session holds it from then on, and none that was refused: what it held is of the sign-in that it is still in.
    """
    attempt = getattr(request, "sign_in_attempt", None)
    if attempt is None or attempt.user_id != user.pk:
        method = Proofs.of(get_authentication_records(request, user)).method
        attempt = attempts.open_attempt(email=user.email, method=method, **caller_of(request))
    verdict = attempts.judge(attempt=attempt, user=user)
    hold_attempt(request, attempt)
    return verdict


def guesser_at(request: HttpRequest) -> second_factors.Guesser:
    """Whoever sits at the session that is open, or waits for its person to set up a factor."""
    session = cookie_session(request) or waiting_session(request)
    return second_factors.Guesser(session_id=session.pk if session else None)


def keep_proofs(request: HttpRequest, user: User) -> None:
    """From the session to the request, just before the session begins."""
    request.sign_in_attempt = held_attempt(request)  # type: ignore[attr-defined]
    request.sign_in_proofs = Proofs.of(get_authentication_records(request, user))  # type: ignore[attr-defined]


def kept_proofs(request: HttpRequest, user: User) -> Proofs:
    return getattr(request, "sign_in_proofs", None) or Proofs.of(get_authentication_records(request, user))


def note_proofs(request: HttpRequest) -> None:
    """What allauth noted of proofs within the open session goes to its row, which says how fresh they are for every door."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    proved = [each["at"] for each in get_authentication_records(request, request.user) if each.get("reauthenticated")]  # type: ignore[arg-type]
    session = cookie_session(request)
    if proved and session is not None and actor.session_id == session.pk:
        known = session.proved_at or session.created_at
        if max(proved) > known.timestamp():
            fresh_proofs.note_proof(actor=actor, at=datetime.fromtimestamp(max(proved), UTC))


def limit_proof_codes(request: HttpRequest) -> None:
    passwords.limit_mail(request=request, name="proof_code", email=request.user.email)  # type: ignore[union-attr]


def keep_device(request: HttpRequest, user: User) -> Device:
    """The session that begins is on this device; its cookie is set with the answer."""
    request.session.pop(SESSION_KEY, None)
    caller = caller_of(request)
    device, token = devices.remember_device(
        user=user, device_token=caller["device_token"], user_agent=caller["user_agent"]
    )
    request.kept_device_token = token  # type: ignore[attr-defined]
    return device


def set_device_cookie(request: HttpRequest, response: HttpResponse) -> None:
    if (token := getattr(request, "kept_device_token", None)) is not None:
        options: dict[str, Any] = {"secure": settings.IS_HTTPS, "httponly": True, "samesite": "Lax"}
        response.set_cookie(settings.DEVICE_COOKIE_NAME, token, max_age=DEVICE_COOKIE_SECONDS, **options)
