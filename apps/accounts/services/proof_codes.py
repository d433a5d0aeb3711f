"""A code by mail as a fresh proof, for who has neither a password nor a second factor. ``services/codes.py`` has those of a sign-in."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts import letters, policies
from apps.accounts.models import User
from apps.accounts.services import mailboxes, second_factors
from apps.accounts.types import Actor, CodeRefused

DIGITS = 8
LIFETIME = timedelta(minutes=10)


def send_code(*, actor: Actor) -> dict[str, str]:
    """For who has neither password nor factor: mail a code. What is returned is kept in the session until it is typed."""
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    letters.send_proof_code(user=user, code=f"{code[:4]} {code[4:]}")
    return {"hash": _hash(user, code), "until": (timezone.now() + LIFETIME).isoformat()}


def check_code(*, actor: Actor, code: str, kept: dict[str, str] | None) -> None:
    """``CodeRefused`` (401) for a wrong one, one that is over, or none; ``TooManyAttempts`` (429) after five wrong ones."""
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    guess = second_factors.count_guess(user=user, guesser=second_factors.Guesser(session_id=actor.session_id))
    typed = "".join(code.split()).replace("-", "")[:40]
    is_over = kept is None or datetime.fromisoformat(kept["until"]) < timezone.now()
    if kept is None or is_over or not hmac.compare_digest(kept["hash"], _hash(user, typed)):
        raise CodeRefused
    second_factors.note_good_guess(guess=guess)
    mailboxes.note_proved(user_id=user.pk)


def _hash(user: User, code: str) -> str:
    """Keyed, and for this person and epoch alone."""
    return salted_hmac("parlance.fresh-proof", f"{user.pk}:{user.epoch}:{code}", algorithm="sha256").hexdigest()
