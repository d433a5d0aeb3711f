"""The session engine: Django's rows, tied to ours when the key changes."""

from __future__ import annotations

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

from apps.accounts.models import UserSession

ANONYMOUS_SECONDS = 3600


class SessionStore(DatabaseSessionStore):
    """A new key at log-in or password change moves the ``UserSession`` along; the old key opens nothing."""

    def cycle_key(self) -> None:
        before = self.session_key
        super().cycle_key()
        if before is not None:
            UserSession.objects.filter(session_key=before).update(session_key=self.session_key)

    def get_session_cookie_age(self) -> int:
        """Nobody's session is what a sign-in is in the middle of, and anybody can begin any number of them."""
        age = super().get_session_cookie_age()
        return age if SESSION_KEY in self else min(age, ANONYMOUS_SECONDS)


def clear_expired() -> None:
    """Safe to repeat."""
    SessionStore.clear_expired()
