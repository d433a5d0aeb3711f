"""Codes by mail, for an unusual sign-in of somebody without another second factor."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.crypto import salted_hmac

from apps.accounts import letters
from apps.accounts.models import SignInAttempt, SignInCode
from apps.accounts.services import mailboxes
from apps.accounts.types import RiskVerdict, SecondFactorNotValid, TooManyAttempts
from apps.core.db import database_now

DIGITS = 8
LIFETIME = timedelta(minutes=10)
MAX_TRIES = 5
MAX_SENT = 3


@transaction.atomic
def send_code(*, attempt: SignInAttempt, now: datetime | None = None) -> None:
    """Mail a new code; the one before stops working. ``TooManyAttempts`` after the third of one attempt."""
    assert attempt.user is not None
    now = now or database_now()
    SignInAttempt.objects.select_for_update().get(pk=attempt.pk)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    earlier = SignInCode.objects.filter(attempt=attempt).first()
    if earlier is not None and earlier.sent >= MAX_SENT:
        raise TooManyAttempts(retry_after_seconds=int(LIFETIME.total_seconds()), most=MAX_SENT)
    SignInCode.objects.update_or_create(
        attempt=attempt,
        defaults={
            "code_hash": _hash(attempt.pk, code),
            "expires_at": now + LIFETIME,
            "tries": earlier.tries if earlier else 0,  # wrong ones count for all codes of the attempt together
            "sent": earlier.sent + 1 if earlier else 1,
        },
    )
    letters.send_code(user=attempt.user, attempt=attempt, code=f"{code[:4]} {code[4:]}")


def take_code(*, attempt_id: UUID, code: str, now: datetime | None = None) -> SignInAttempt:
    """The attempt, when its code is this one. Good once; ``SecondFactorNotValid`` (400) otherwise, and after five wrong ones.

    Whoever has what was asked before and reads the mailbox has confirmed the address with it.
    """
    now = now or database_now()
    typed = "".join(code.split()).replace("-", "")[:40]
    with transaction.atomic():
        row = (
            SignInCode.objects.select_for_update(of=("self",))
            .select_related("attempt__user", "attempt__device")
            .filter(
                attempt=attempt_id,
                attempt__verdict=RiskVerdict.STEP_UP,
                attempt__user__is_active=True,
                used_at=None,
                expires_at__gt=now,
                tries__lt=MAX_TRIES,
            )
            .first()
        )
        is_right = row is not None and hmac.compare_digest(bytes(row.code_hash), _hash(attempt_id, typed))
        if row is not None and is_right:
            row.used_at = now
            row.save(update_fields=["used_at", "updated_at"])
            assert row.attempt.user_id is not None  # looked for above
            mailboxes.note_proved(user_id=row.attempt.user_id)
        elif row is not None:
            row.tries += 1
            row.save(update_fields=["tries", "updated_at"])
    if row is None or not is_right:
        raise SecondFactorNotValid
    return row.attempt


def _hash(attempt_id: UUID, code: str) -> bytes:
    """Keyed: eight digits behind a bare hash are found in a second."""
    return salted_hmac("parlance.sign-in-code", f"{attempt_id}:{code}", algorithm="sha256").digest()
