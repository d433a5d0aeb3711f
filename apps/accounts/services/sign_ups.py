"""Sign-up where mail goes out: nobody is anybody before the link that was mailed is opened, and the page says of no address whether it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from apps.accounts import letters
from apps.accounts.models import User
from apps.accounts.services import people
from apps.accounts.types import LinkNotValid
from apps.accounts.words import language_asked
from apps.core import rules

LIFETIME = timedelta(days=1)
SALT = "accounts.sign_up"


@dataclass(frozen=True, slots=True)
class Asked:
    email: str
    name: str


def ask(*, email: str, name: str) -> None:
    """Mail a link that makes the account; whoever has one with this address is mailed that they have. One letter, one cost."""
    email = rules.MAIL(email, field="email").lower()
    token = signing.dumps([email, name], salt=SALT, compress=True)
    found = User.objects.filter(email__iexact=email, is_service=False).first()
    if found is not None:
        letters.send_known(user=found)
    else:
        link = settings.PARLANCE_URL + reverse("accounts:sign_up", args=[token])
        letters.send_sign_up(recipient=email, link=link, language=language_asked())


def find_asked(*, token: str) -> Asked | None:
    """None for a link that is no longer good: a day is over, the address has an account, or nobody may come by themselves any more."""
    try:
        email, name = signing.loads(token, salt=SALT, max_age=LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if not people.is_sign_up_open() or User.objects.filter(email__iexact=email).exists():
        return None
    return Asked(email, name)


@transaction.atomic
def finish(*, token: str, name: str, password: str) -> User:
    """The person, with an organization of their own. Raises ``LinkNotValid``, ``EmailTaken``, ``PasswordRefused``."""
    asked = find_asked(token=token)
    if asked is None:
        raise LinkNotValid
    user = people.create_user(email=asked.email, password=password, name=name, how="sign_up")
    people.settle_in(user=user)
    return user
