"""A new password for somebody who can read their mail."""

from __future__ import annotations

from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.forms import ResetPasswordForm, UserTokenForm, default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts import actors, letters
from apps.accounts.addresses import client_address, counted_as
from apps.accounts.models import User
from apps.accounts.rules import rules_in, rules_of
from apps.accounts.services import mailboxes, sessions
from apps.accounts.services.people import require_good_password
from apps.accounts.types import ResetNotValid, SsoNeeded
from apps.accounts.words import language_asked
from apps.core import limits
from apps.core.errors import FieldError
from apps.core.ids import uuid7

BY_ADDRESS = limits.Limit(20 / 60, 20)
BY_ACCOUNT = limits.Limit(5 / 300, 5)


def limit_mail(*, request: HttpRequest, name: str, email: str = "", user_id: UUID | None = None) -> None:
    """Nobody floods a mailbox, or makes accounts by the hundred, through us. ``user_id``: who asks, where somebody is signed in.
    Without ``email`` only the network is counted. Raises ``LimitReached`` (429).
    """
    if settings.PARLANCE_LIMITS:
        asked_by = [limits.Bucket(f"{name}.person", user_id, BY_ACCOUNT)] if user_id else []
        if email:
            mailbox = actors.hash_token(email.strip().lower()).hex()
            asked_by.append(limits.Bucket(f"{name}.account", mailbox, BY_ACCOUNT))
        limits.take_from(
            [
                limits.Bucket(f"{name}.address", counted_as(client_address(request)), BY_ADDRESS),
                *asked_by,
            ]
        )


def request_reset(*, request: HttpRequest, email: str) -> None:
    """Mail a link if somebody has this address. The caller cannot tell."""
    limit_mail(request=request, name="reset", email=email)
    form = ResetPasswordForm(data={"email": email})
    if form.is_valid():
        mail_link(email=form.cleaned_data["email"], users=form.users)


def mail_link(*, email: str, users: list[User]) -> None:
    """To the one of ``users`` if there is one who may have a password. For nobody the same is done and taken back, so that neither
    what the database is asked nor the time it takes tells who is known.

    Only to the address that somebody signs in with: one that a change is on its way to is nobody's yet, whoever has its mailbox.
    """
    users = [each for each in users if not each.is_service and each.email.lower() == email.lower()]
    user = users[0] if users else User(name=_("Somebody"), password=make_password(None), language=language_asked())
    with transaction.atomic():
        may = rules_of(user.pk).providers is None
        if not users:
            rules_in(uuid7())  # as of the organizations of somebody
            EmailAddress.objects.filter(user_id=user.pk, email=email).exists()  # as allauth does for its token
        key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
        letters.send_reset(user=user, recipient=email, link=get_adapter().get_reset_password_from_key_url(key))
        if not users or not may:
            transaction.set_rollback(True)


@transaction.atomic
def reset_password(*, token: str, password: str) -> None:
    """``token`` is the end of the mailed address. Good once, for a few hours; all sessions of the person end.

    Raises ``ResetNotValid`` (400) for every other token, and ``PasswordRefused``.
    """
    uid, _dash, key = token.partition("-")
    form = UserTokenForm(data={"uidb36": uid, "key": key})
    if not form.is_valid():
        raise ResetNotValid(fields=[FieldError("token", "reset_not_valid", str(ResetNotValid.default_detail))])
    user = User.objects.select_for_update().get(pk=form.reset_user.pk)
    if not UserTokenForm(data={"uidb36": uid, "key": key}).is_valid() or not user.is_active:
        raise ResetNotValid  # somebody was quicker with the same token
    require_password_way(user=user)
    require_good_password(password, email=user.email, name=user.name)
    mailboxes.clear_unproved(user=user, how="password_reset")
    user.set_password(password)
    user.save(update_fields=["password", "epoch", "updated_at"])
    sessions.note_password_changed(actor=actors.member(user), user_id=user.pk)


def require_password_way(*, user: User) -> None:
    """Raises ``SsoNeeded`` (403)."""
    if rules_of(user.pk).providers is not None:
        raise SsoNeeded
