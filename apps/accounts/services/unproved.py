"""What an account may not do while nobody has confirmed its address, where mail goes out and confirming it takes a minute.

Whoever made it may be somebody else than the owner of the mailbox: it takes part in what it was invited to, and makes nothing that outlasts a
session, lets others in or leads out of the installation.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db.models import F
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import Actor
from apps.core.errors import Conflict
from apps.core.mail import is_delivered


class AddressNotConfirmed(Conflict):
    code = "address_not_confirmed"
    default_detail = _("Confirm your e-mail address first: your profile leads to the page that sends you the link.")


def require_proved(*, actor: Actor) -> None:
    """Raises ``AddressNotConfirmed`` (409). For services; programs and the platform have no address.

    Without a mail server nobody could confirm anything, and nobody is asked to.
    """
    if not is_delivered():
        return
    waiting = EmailAddress.objects.alias(typed=Lower("email"), own=Lower("user__email"))
    if (
        actor.user_id
        and waiting.filter(user=actor.user_id, verified=False, user__is_service=False, typed=F("own")).exists()
    ):
        raise AddressNotConfirmed
