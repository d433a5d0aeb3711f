"""Second factors: codes are looked at here, whatever the door, and what is set up or removed is announced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from apps.accounts import actors, events, letters, policies, second_factor
from apps.accounts.models import CodeGuess, SignInAttempt, User, UserSession
from apps.accounts.services import sessions
from apps.accounts.types import (
    SYSTEM,
    Actor,
    CodeRefused,
    SecondFactorNeeded,
    SessionEnd,
    SessionKind,
    TooManyAttempts,
)
from apps.core.errors import NotFound
from apps.core.events import emit
from apps.core.types import Scope

GUESS_WINDOW = timedelta(minutes=5)
GUESSES = 5
#: From wherever the person is not known, all together: many addresses guess no longer than a few.
GUESSES_ELSEWHERE = 10
PERIOD_SECONDS = 30
#: What a program can send, as ``methods`` of the problem names it.
METHODS = {Authenticator.Type.TOTP: "app", Authenticator.Type.RECOVERY_CODES: "recovery_code"}


@dataclass(frozen=True, slots=True)
class Guesser:
    """Who types a code: somebody who gave the password (``attempt``), or whoever sits at an open session."""

    attempt: SignInAttempt | None = None
    session_id: UUID | None = None


def check_code(*, user: User, code: str, guesser: Guesser) -> Authenticator:
    """What the code belongs to: the app or the recovery codes. Each code is good once; that is kept in the row.

    ``CodeRefused`` (401), and ``TooManyAttempts`` (429) as ``count_guess`` raises it.
    """
    guess = count_guess(user=user, guesser=guesser)
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user=user, type__in=second_factor.SECRET_OF)
        found = next((row for row in rows.order_by("-type") if _takes(row, code)), None)
        if found is not None:
            found.last_used_at = timezone.now()
            found.save(update_fields=["data", "last_used_at"])
    if found is None:
        _note_refusal(user, CodeRefused.code)
        raise CodeRefused
    note_good_guess(guess=guess)
    return found


def check_first_code(*, user: User, secret: str, code: str, guesser: Guesser) -> int | None:
    """While an app is being set up: the step that the code belongs to."""
    guess = count_guess(user=user, guesser=guesser)
    counter = _find_counter(secret, code)
    if counter is not None:
        note_good_guess(guess=guess)
    return counter


def count_guess(*, user: User, guesser: Guesser) -> CodeGuess:
    """Before any code of theirs is looked at. ``TooManyAttempts`` after five wrong ones in five minutes.

    Whoever has the password does not lock out its owner: each session, each device that the person knows and each address where
    they were lately has a count of its own. Elsewhere each address has one, and all of them together twice as many guesses.
    An attempt of somebody else is none: its count is theirs.
    """
    attempt = guesser.attempt if guesser.attempt and guesser.attempt.user_id == user.pk else None
    guess = CodeGuess.objects.create(user=user, attempt=attempt, session_id=guesser.session_id)
    if any(rows.count() > most for rows, most in _counted_with(guess)):
        _note_refusal(user, TooManyAttempts.code)
        raise TooManyAttempts(retry_after_seconds=int(GUESS_WINDOW.total_seconds()))
    return guess


def _counted_with(guess: CodeGuess) -> Iterator[tuple[QuerySet[CodeGuess], int]]:
    """The wrong codes of these minutes that are looked at beside this one, and how many of them there may be."""
    wrong = CodeGuess.objects.filter(user=guess.user_id, has_succeeded=False, created_at__gt=Now() - GUESS_WINDOW)
    attempt = guess.attempt
    if attempt is None:
        yield wrong.filter(attempt=None, session=guess.session_id), GUESSES
        return
    own = SignInAttempt.objects.filter(user=guess.user_id).alike(attempt)
    if not attempt.is_familiar:
        yield wrong.filter(attempt__in=own), GUESSES_ELSEWHERE
        own = own.from_address(attempt.address) if attempt.address else own
    yield wrong.filter(attempt__in=own), GUESSES


def note_good_guess(*, guess: CodeGuess) -> None:
    CodeGuess.objects.filter(pk=guess.pk).update(has_succeeded=True)


def _takes(row: Authenticator, code: str) -> bool:
    """Says whether the code is good, and notes in ``row.data`` that it was used."""
    if row.type == Authenticator.Type.RECOVERY_CODES:
        second_factor.open_for(row.user_id, row.data["seed"])
        codes = row.wrap()
        for number, expected in enumerate(codes.generate_codes()):
            if compare_user_code(actual=code, expected=expected) and not row.data["used_mask"] & (1 << number):
                row.data["used_mask"] |= 1 << number
                return True
        return False
    secret = second_factor.open_for(row.user_id, row.data["secret"])
    counter = _find_counter(secret, code, after=row.data.get("last_counter", 0))
    if counter is not None:
        row.data["last_counter"] = counter
    return counter is not None


def _find_counter(secret: str, code: str, *, after: int = 0) -> int | None:
    """RFC 6238, only the step of now: a code lives no longer than half a minute (ASVS 6.5.5). A used one is never taken again."""
    current = int(time.time()) // PERIOD_SECONDS
    steps = range(current - settings.MFA_TOTP_TOLERANCE, current + settings.MFA_TOTP_TOLERANCE + 1)
    for counter in steps:
        expected = format_hotp_value(hotp_value(secret, counter))
        if counter > after and compare_user_code(actual=code, expected=expected):
            return counter
    return None


def require_for_token(*, user: User, code: str | None, attempt: SignInAttempt) -> int:
    """The level of a session for a program. Raises ``SecondFactorNeeded`` (401) when the person has one and no code came.

    Its ``methods`` are those that the person has. A passkey is none of them: only a browser can ask for it.
    """
    if not second_factor.has_second_factor(user.pk):
        return 1
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    methods = [name for kind, name in METHODS.items() if kind in kinds]
    if not methods:
        raise SecondFactorNeeded(
            _("Your second factor is a passkey, and only a browser asks for it: sign in there, and make an API key."),
            methods=["passkey"],
        )
    if not code:
        raise SecondFactorNeeded(methods=methods)
    check_code(user=user, code=code, guesser=Guesser(attempt=attempt))
    return 2


@transaction.atomic
def note_added(*, user: User, kind: str, counter: int | None = None, is_told: bool = True) -> None:
    """After allauth has stored it. ``counter``: the step whose code activated an app; that code does not sign in again.

    ``is_told``: by mail; not of recovery codes that came with a factor.
    """
    if counter is not None:
        row = Authenticator.objects.select_for_update().get(user=user, type=Authenticator.Type.TOTP)
        row.data["last_counter"] = counter
        row.save(update_fields=["data"])
    _announce(events.SecondFactorAdded(user_id=user.pk, kind=kind), user.pk, actors.member(user))
    if is_told:
        letters.send_way_in(user=user, what=_words_of(user, kind), is_added=True)


@transaction.atomic
def note_removed(*, user: User, kind: str) -> None:
    """Recovery codes go with the last factor, and nobody is told of them."""
    _announce(events.SecondFactorRemoved(user_id=user.pk, kind=kind), user.pk, actors.member(user))
    if kind != Authenticator.Type.RECOVERY_CODES:
        letters.send_way_in(user=user, what=_words_of(user, kind), is_added=False)


def _words_of(user: User, kind: str) -> str:
    names = {
        Authenticator.Type.TOTP: gettext_noop("Authenticator app"),
        Authenticator.Type.WEBAUTHN: gettext_noop("Passkey"),
        Authenticator.Type.RECOVERY_CODES: gettext_noop("Recovery codes"),
    }
    with translation.override(user.language):
        return gettext(names[Authenticator.Type(kind)])


@transaction.atomic
def finish_waiting(*, session_key: str, user: User) -> None:
    """The session that had to set a second factor up has done so, and proved it while doing it."""
    rows = UserSession.objects.not_over().filter(session_key=session_key, user=user, kind=SessionKind.COOKIE)
    rows.update(is_waiting=False, auth_level=2)


@transaction.atomic
def remove_all(*, actor: Actor, user_id: UUID) -> int:
    """For somebody who lost theirs and has no recovery code left. Their sessions end. Returns how many there were."""
    policies.require(policies.can_operate(actor))
    user = User.objects.select_for_update().filter(pk=user_id, anonymized_at=None).first()
    if user is None:
        raise NotFound
    kinds = remove_each(user=user, actor=actor)
    if kinds:
        sessions.end_all_sessions(user_id=user.pk, reason=SessionEnd.OPERATOR, actor=actor)
        for kind in kinds:
            letters.send_way_in(user=user, what=_words_of(user, kind), is_added=False)
    return len(kinds)


def remove_each(*, user: User, actor: Actor) -> list[str]:
    """For services, within their transaction: no factor of this person is left. Which kinds there were."""
    kinds = list(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    Authenticator.objects.filter(user=user).delete()
    for kind in kinds:
        _announce(events.SecondFactorRemoved(user_id=user.pk, kind=kind), user.pk, actor)
    return kinds


@transaction.atomic
def _note_refusal(user: User, reason: str) -> None:
    _announce(events.SignInRefused(user_id=user.pk, reason=reason), user.pk, SYSTEM)


def _announce(fact: object, user_id: UUID, actor: Actor) -> None:
    emit(fact, actor=actor, scope=Scope(events.user_topic(user_id)), subject=("user", user_id))


def forget_old() -> None:
    """Guesses after a day. Safe to repeat."""
    CodeGuess.objects.filter(created_at__lt=Now() - timedelta(days=1)).delete()
