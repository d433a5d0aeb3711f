"""What this app announces of people's addresses. Topics as in ``events``."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("accounts.mailbox_proved.v1", label=_("Proved the e-mail address for the first time"))
@dataclass(frozen=True, slots=True)
class MailboxProved:
    """By ``how`` (password_reset, sso), without what was set up before: so many keys, second factors, identities and sessions of
    then are over, and so many organizations that nobody else was in are put away.
    """

    user_id: UUID
    how: str
    keys: int
    second_factors: int
    identities: int
    sessions: int
    organizations: int = 0


@event("accounts.email_change_begun.v1", label=_("Asked for another e-mail address"))
@dataclass(frozen=True, slots=True)
class EmailChangeBegun:
    """A link went to a new address; nothing has changed yet, and the address so far was told."""

    user_id: UUID


@event("accounts.email_changed.v1", label=_("Changed the e-mail address"))
@dataclass(frozen=True, slots=True)
class EmailChanged:
    """A new address was confirmed."""

    user_id: UUID
