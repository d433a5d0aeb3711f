"""Whether the person at an open session proved lately who they are: asked before what nobody at an unlocked screen must do.

A sign-in is such a proof, and so is every later one within the session: password, passkey, code, identity provider.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models.functions import Coalesce, Now

from apps.accounts import policies
from apps.accounts.models import UserSession
from apps.accounts.types import Actor, FreshSignInNeeded

FRESH_FOR = timedelta(minutes=15)


def is_fresh(*, actor: Actor) -> bool:
    """Never for an actor without a session: a key proves nothing about who holds it now."""
    rows = UserSession.objects.in_force().filter(pk=actor.session_id, user=actor.user_id)
    return rows.annotate(fresh_at=Coalesce("proved_at", "created_at")).filter(fresh_at__gt=Now() - FRESH_FOR).exists()


def require_fresh(*, actor: Actor) -> None:
    """``FreshSignInNeeded`` (403), which pages answer with the page that asks for a proof. Callers are services."""
    policies.require(policies.can_change_own_account(actor))
    if actor.session_id is not None and not is_fresh(actor=actor):
        raise FreshSignInNeeded


def note_proof(*, actor: Actor, at: datetime) -> None:
    """After a proof within an open session; an earlier time than the one that is known changes nothing."""
    policies.require(policies.can_change_own_account(actor))
    rows = UserSession.objects.annotate(fresh_at=Coalesce("proved_at", "created_at"))
    rows.filter(pk=actor.session_id, user=actor.user_id, fresh_at__lt=at).update(proved_at=at)
