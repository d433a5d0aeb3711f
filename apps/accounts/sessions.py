"""The session engine: Django's rows, tied to ours when the key changes."""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

from apps.accounts.models import UserSession


class SessionStore(DatabaseSessionStore):
    """A new key at log-in or password change moves the ``UserSession`` along; the old key opens nothing."""

    def cycle_key(self) -> None:
        before = self.session_key
        super().cycle_key()
        if before is not None:
            UserSession.objects.filter(session_key=before).update(session_key=self.session_key)
