"""Attempts to sign in: counted before the proof is looked at, judged after it, admitted when a session begins.

A door calls ``check_password`` (or ``open_attempt``, when the proof is another), then ``judge``, and ``admit`` once the session
is there. ``now`` is the database's clock unless a test says otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.accounts import events, geography, letters, policies, risk
from apps.accounts.actors import hash_token
from apps.accounts.models import BlockedNetwork, Device, SignInAttempt, SignInCode, SignInSignal, User, UserSession
from apps.accounts.models.risk import SignInAttemptQuerySet
from apps.accounts.second_factor import has_second_factor
from apps.accounts.services import fresh_proofs
from apps.accounts.types import (
    SYSTEM,
    Actor,
    FreshSignInNeeded,
    RiskSignal,
    RiskVerdict,
    SignInFailed,
    SignInMethod,
    SignInRefusedByRisk,
    TooManyAttempts,
)
from apps.core.db import database_now
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.mail import is_delivered
from apps.core.types import Scope

ATTEMPT_WINDOW = timedelta(minutes=5)
FAMILIAR_FOR = timedelta(days=30)
LOOK_BACK = timedelta(seconds=risk.LOOK_BACK_SECONDS)
KEEP_OF_PEOPLE = timedelta(days=90)
KEEP_OF_OTHERS = timedelta(days=1)
MOST_ADDRESSES = 1000


@dataclass(frozen=True, slots=True)
class Proof:
    """Whose password it was, and the attempt that the door goes on with."""

    user: User
    attempt: SignInAttempt


def check_password(
    *,
    email: str,
    password: str,
    address: str | None,
    user_agent: str = "",
    device_token: str | None = None,
    now: datetime | None = None,
) -> Proof:
    """The person, or ``SignInFailed``; ``TooManyAttempts`` (429) beyond the limits. Unknown people cost the same.

    Where others guessed too often at the account the right password still passes: ``judge`` then asks for a second step.
    """
    now = now or database_now()
    attempt = open_attempt(email=email, address=address, user_agent=user_agent, device_token=device_token, now=now)
    user = attempt.user
    if user is None:
        User().set_password(password)  # the hash of nobody takes as long as that of somebody
    elif user.check_password(password) and user.is_active:
        _require_steps_left(attempt)
        return Proof(user, attempt)
    refused = _too_many() if _is_guessed_at(attempt) else SignInFailed()
    _note_refusal(attempt, refused.code)
    raise refused


def require_fresh_proof(*, actor: Actor, password: str, caller: Mapping[str, Any]) -> None:
    """Before what cannot be taken back: the password once more; who has none gave another proof a few minutes ago.

    ``caller`` is what ``check_password`` asks of the request. Raises ``SignInFailed``, ``TooManyAttempts`` or ``FreshSignInNeeded``.
    """
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    if user.has_usable_password():
        proof = check_password(email=user.email, password=password, **caller)
        if _is_guessed_at(proof.attempt):  # no second step follows here
            raise _too_many()
        return
    if not fresh_proofs.is_fresh(actor=actor):
        raise FreshSignInNeeded


def open_attempt(
    *,
    email: str,
    address: str | None,
    user_agent: str = "",
    device_token: str | None = None,
    method: SignInMethod = SignInMethod.PASSWORD,
    now: datetime | None = None,
) -> SignInAttempt:
    """Write the attempt, so that parallel ones count each other, and raise ``TooManyAttempts`` beyond the limits.

    Guesses from elsewhere never lock out a person: a device they know has a count of its own, and anywhere else the number
    of guesses at one account refuses wrong passwords only.
    """
    now = now or database_now()
    user = User.objects.filter(email__iexact=email.strip(), is_service=False).first()
    person = user.pk if user else uuid7()  # the same questions for nobody: their number must not tell
    device = _find_device(person, device_token)
    is_familiar = bool(device) or (
        bool(address)
        and UserSession.objects.filter(user=person, address=address, created_at__gt=now - FAMILIAR_FOR).exists()
    )
    place = geography.find_place(address)
    attempt = SignInAttempt.objects.create(
        created_at=now,
        account_hash=account_hash(email),
        user=user,
        device=device,
        method=method,
        address=address,
        country=place.country,
        latitude=place.latitude,
        longitude=place.longitude,
        user_agent=printable(user_agent)[:300],
        is_familiar=is_familiar,
    )
    if method == SignInMethod.PASSWORD:  # other proofs are not guessed, and must work while somebody guesses passwords
        _require_attempts_left(attempt)
    return attempt


def account_hash(email: str) -> bytes:
    return hashlib.sha256(email.strip().lower().encode("utf-8", "replace")).digest()


def printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _find_device(user_id: UUID, device_token: str | None) -> Device | None:
    token_hash = hash_token(device_token or "")
    return Device.objects.filter(user=user_id, token_hash=token_hash, forgotten_at=None).first()


def _require_attempts_left(attempt: SignInAttempt) -> None:
    """What refuses the right password too: guesses on the person's own device, and guesses at anybody from one address."""
    if attempt.device_id is not None:  # not asked what others do behind the same address
        is_over = _is_guessed_at(attempt)
    else:
        here = _failed_lately(attempt)
        is_over = (
            attempt.address is not None
            and here.from_address(attempt.address).count() > settings.PARLANCE_SIGN_IN_LIMITS["address"]
        )
    if is_over:
        _note_refusal(attempt, TooManyAttempts.code)
        raise _too_many()


def _require_steps_left(attempt: SignInAttempt) -> None:
    """Who has the password and does not finish is after the second step: neither its codes nor its mails come without end."""
    if _own_failures(attempt).exclude(judged_at=None).count() >= settings.PARLANCE_SIGN_IN_LIMITS["account"]:
        _note_refusal(attempt, TooManyAttempts.code)
        raise _too_many()


def _is_guessed_at(attempt: SignInAttempt) -> bool:
    return _own_failures(attempt).count() > settings.PARLANCE_SIGN_IN_LIMITS["account"]


def _own_failures(attempt: SignInAttempt) -> SignInAttemptQuerySet:
    """Of this account, by whom this one may be by."""
    return _failed_lately(attempt).filter(account_hash=attempt.account_hash).alike(attempt)


def _failed_lately(attempt: SignInAttempt) -> SignInAttemptQuerySet:
    return SignInAttempt.objects.filter(created_at__gt=attempt.created_at - ATTEMPT_WINDOW, has_succeeded=False)


def _too_many() -> TooManyAttempts:
    return TooManyAttempts(
        retry_after_seconds=int(ATTEMPT_WINDOW.total_seconds()), most=settings.PARLANCE_SIGN_IN_LIMITS["account"]
    )


@transaction.atomic
def _note_refusal(attempt: SignInAttempt, reason: str) -> None:
    """In the log of the person: the first of an account in each five minutes, and the first beyond the limit. Every attempt
    is a row already, and strangers do not fill the log of somebody.

    For nobody the same is written and taken back: what is asked of the database must not tell.
    """
    seconds = int(ATTEMPT_WINDOW.total_seconds())
    began = datetime.fromtimestamp(int(attempt.created_at.timestamp()) // seconds * seconds, tz=UTC)
    earlier = SignInAttempt.objects.filter(
        account_hash=attempt.account_hash, created_at__gte=began, created_at__lt=attempt.created_at, has_succeeded=False
    )
    is_first_beyond = _own_failures(attempt).count() == settings.PARLANCE_SIGN_IN_LIMITS["account"] + 1
    if earlier.exists() and not is_first_beyond:
        return
    _write_refusal(attempt.user_id or uuid7(), reason)
    if attempt.user_id is None:
        transaction.set_rollback(True)


def _write_refusal(user_id: UUID, reason: str) -> None:
    emit(
        events.SignInRefused(user_id=user_id, reason=reason),
        actor=SYSTEM,
        scope=Scope(events.user_topic(user_id)),
        subject=("user", user_id),
    )


# Judging


def judge(*, attempt: SignInAttempt, user: User, now: datetime | None = None) -> RiskVerdict:
    """After the proof was right, before a session begins: signals, score and verdict are stored with the attempt.

    ``SignInRefusedByRisk`` (403) above the second threshold, and the person is told by mail. Judging twice changes nothing.
    Where no mail goes out nobody without a factor of their own is asked for a second step: guesses of strangers would keep them out.
    """
    now = now or database_now()
    if attempt.judged_at is None:
        _judge(attempt, user, now)
    if attempt.verdict == RiskVerdict.REFUSED:
        raise SignInRefusedByRisk
    return RiskVerdict(attempt.verdict)


@transaction.atomic
def _judge(attempt: SignInAttempt, user: User, now: datetime) -> None:
    signals = risk.signals_of(circumstances_of(attempt=attempt, user=user, now=now))
    attempt.user = user
    attempt.judged_at = now
    attempt.score = risk.score_of(signal.points for signal in signals)
    thresholds = risk.Thresholds(*settings.PARLANCE_SIGN_IN_RISK)
    method = SignInMethod(attempt.method)
    is_guessed_at = method == SignInMethod.PASSWORD and _is_guessed_at(attempt)
    attempt.verdict = risk.verdict_of(attempt.score, method=method, thresholds=thresholds, is_guessed_at=is_guessed_at)
    if attempt.verdict == RiskVerdict.STEP_UP and not (is_delivered() or has_second_factor(user.pk)):
        attempt.verdict = RiskVerdict.WAIVED
    attempt.save(update_fields=["user", "judged_at", "score", "verdict", "updated_at"])
    SignInSignal.objects.bulk_create(
        SignInSignal(attempt=attempt, signal=signal.kind, points=signal.points, facts=signal.facts)
        for signal in signals
    )
    if attempt.verdict == RiskVerdict.REFUSED:
        _write_refusal(user.pk, SignInRefusedByRisk.code)
        hour = SignInAttempt.objects.filter(user=user, judged_at__gt=now - LOOK_BACK, verdict=RiskVerdict.REFUSED)
        if not hour.exclude(pk=attempt.pk).exists():  # one letter for a series: nobody floods a mailbox through us
            letters.send_refusal(user=user, attempt=attempt, signals=[signal.kind for signal in signals])
    elif attempt.verdict != RiskVerdict.ALLOWED:
        is_asked = attempt.verdict == RiskVerdict.STEP_UP
        fact = events.SecondFactorAsked if is_asked else events.SecondFactorWaived
        emit(
            fact(
                user_id=user.pk,
                attempt_id=attempt.pk,
                score=attempt.score,
                signals=[signal.kind.value for signal in signals],
            ),
            actor=SYSTEM,
            scope=Scope(events.user_topic(user.pk)),
            subject=("user", user.pk),
        )


def circumstances_of(*, attempt: SignInAttempt, user: User, now: datetime) -> risk.Circumstances:
    """What the signals look at. Networks are known from sessions, which only begin once everything asked was given.

    Where the person is familiar the guesses of others count for nothing: they come from elsewhere.
    """
    past = UserSession.objects.filter(user=user)
    addresses = past.exclude(address=None).order_by().values_list("address", flat=True).distinct()
    networks = {risk.network_of(address) for address in addresses[:MOST_ADDRESSES]}
    network = risk.network_of(attempt.address)
    hour = SignInAttempt.objects.filter(created_at__gt=now - LOOK_BACK, created_at__lte=now).exclude(pk=attempt.pk)
    strangers = hour.filter(account_hash=attempt.account_hash, is_familiar=False, has_succeeded=False)
    last = (
        SignInAttempt.objects.filter(user=user, has_succeeded=True, created_at__lte=now)
        .exclude(latitude=None)
        .order_by("-created_at")
        .first()
    )
    return risk.Circumstances(
        at=now,
        is_first=user.last_login is None and not past.exists() and not Device.objects.filter(user=user).exists(),
        knows_device=attempt.device_id is not None,
        knows_network=not network or network in networks,
        network=network,
        place=_place_of(attempt),
        last_place=_place_of(last) if last else risk.Place(),
        last_at=last.created_at if last else None,
        failures=0 if attempt.is_familiar else strangers.count(),
        other_accounts=_count_sprayed(attempt, hour),
        listed_as=_listed_as(attempt.address, now),
    )


def _place_of(attempt: SignInAttempt) -> risk.Place:
    return risk.Place(attempt.country, attempt.latitude, attempt.longitude)


def _count_sprayed(attempt: SignInAttempt, hour: SignInAttemptQuerySet) -> int:
    """Accounts that this address tried and never got into: who mistypes and then gets in is no pattern."""
    if attempt.address is None:
        return 0
    here = hour.from_address(attempt.address).exclude(account_hash=attempt.account_hash).order_by()
    got_in = here.filter(has_succeeded=True).values("account_hash")
    return here.exclude(account_hash__in=got_in).values("account_hash").distinct().count()


def _listed_as(address: str | None, now: datetime) -> str:
    around = risk.networks_around(address)
    rows = BlockedNetwork.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), network__in=around)
    return rows.values_list("network", flat=True).first() or "" if around else ""


# Afterwards


@transaction.atomic
def admit(*, attempt: SignInAttempt, device: Device | None = None, is_told: bool = True) -> None:
    """The session began. Who signed in from a new device, or in an unusual way, is told by mail (``is_told``: a browser, not a program)."""
    attempt.has_succeeded = True
    attempt.device = device or attempt.device
    attempt.save(update_fields=["has_succeeded", "device", "updated_at"])
    found = set(SignInSignal.objects.filter(attempt=attempt).values_list("signal", flat=True))
    is_new = RiskSignal.NEW_DEVICE in found and (is_told or RiskSignal.NEW_NETWORK in found)
    if attempt.user is not None and (is_new or attempt.verdict != RiskVerdict.ALLOWED):
        letters.send_alert(user=attempt.user, attempt=attempt)


def find_attempt(*, attempt_id: UUID) -> SignInAttempt | None:
    """For the door that opened it: one whose person may still sign in."""
    return SignInAttempt.objects.select_related("user", "device").filter(pk=attempt_id, user__is_active=True).first()


def forget_old_attempts() -> None:
    """Those of people after 90 days, of others after one; their signals and codes with them. Safe to repeat."""
    now = database_now()
    SignInCode.objects.filter(expires_at__lt=now - KEEP_OF_OTHERS).delete()
    SignInAttempt.objects.filter(
        Q(created_at__lt=now - KEEP_OF_PEOPLE) | Q(user=None, created_at__lt=now - KEEP_OF_OTHERS)
    ).delete()
