"""Devices: a random token in a cookie, or kept by a program, that tells a browser somebody signed in from before."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from apps.accounts import events, policies, sign_in_selectors
from apps.accounts.actors import hash_token
from apps.accounts.models import Device, SignInAttempt, User, UserSession
from apps.accounts.services import fresh_proofs, sessions
from apps.accounts.services.attempts import printable
from apps.accounts.types import Actor, SessionEnd
from apps.core.db import database_now
from apps.core.events import emit
from apps.core.types import Scope

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")
KEPT_UNUSED = timedelta(days=400)  # as long as the cookie
#: What was made for one sign-in and never came back, as every program that does not send its device again makes one.
KEPT_ONCE = timedelta(days=90)


def is_token(text: str | None) -> bool:
    return bool(text and TOKEN.match(text))


@transaction.atomic
def remember_device(
    *, user: User, device_token: str | None, user_agent: str = "", now: datetime | None = None
) -> tuple[Device, str]:
    """The device and its token, a new one where none came along. One that was forgotten is known again."""
    token = device_token if device_token and is_token(device_token) else secrets.token_urlsafe(32)
    device, _made = Device.objects.update_or_create(
        user=user,
        token_hash=hash_token(token),
        defaults={
            "user_agent": printable(user_agent)[:300],
            "last_seen_at": now or database_now(),
            "forgotten_at": None,
        },
    )
    return device, token


@transaction.atomic
def forget_device(*, actor: Actor, device_id: UUID) -> None:
    """It counts as new from now on, and is signed out where it was signed in; the session that asks goes on.

    Takes a fresh proof, as ending a session does. ``NotFound`` for devices of others and for one that is forgotten already.
    """
    policies.require(policies.can_change_own_account(actor))
    fresh_proofs.require_fresh(actor=actor)
    device = sign_in_selectors.lock_own_device(device_id=device_id, viewer=actor)
    device.forgotten_at = database_now()
    device.save(update_fields=["forgotten_at", "updated_at"])
    theirs = UserSession.objects.filter(device=device).exclude(pk=actor.session_id)
    sessions.end_listed(theirs, SessionEnd.REVOKED, actor)
    emit(
        events.DeviceForgotten(user_id=device.user_id, device_id=device.pk),
        actor=actor,
        scope=Scope(events.user_topic(device.user_id)),
        subject=("device", device.pk),
    )


def forget_unused_devices() -> None:
    """Those whose cookie is over, and those that were seen only once, once no attempt or session names them. Safe to repeat."""
    now = database_now()
    seen_once = Q(last_seen_at__lt=now - KEPT_ONCE) & Q(last_seen_at__lt=F("created_at") + timedelta(hours=1))
    old = Device.objects.filter(Q(last_seen_at__lt=now - KEPT_UNUSED) | seen_once)
    old.exclude(Exists(SignInAttempt.objects.filter(device=OuterRef("pk")))).exclude(
        Exists(UserSession.objects.filter(device=OuterRef("pk")))
    ).delete()
