"""A new password for somebody who can read their mail."""

from __future__ import annotations

from allauth.account.forms import ResetPasswordForm, UserTokenForm
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from apps.accounts import actors
from apps.accounts.addresses import client_address
from apps.accounts.models import User
from apps.accounts.rules import rules_of
from apps.accounts.services import sessions
from apps.accounts.services.people import require_good_password
from apps.accounts.types import ResetNotValid, SsoNeeded
from apps.core import limits
from apps.core.errors import FieldError

BY_ADDRESS = limits.Limit(20 / 60, 20)
BY_ACCOUNT = limits.Limit(5 / 300, 5)


def limit_mail(*, request: HttpRequest, name: str, email: str) -> None:
    """Nobody floods a mailbox, or makes accounts by the hundred, through us."""
    if settings.PARLANCE_LIMITS:
        limits.take_from(
            [
                limits.Bucket(f"{name}.address", client_address(request), BY_ADDRESS),
                limits.Bucket(f"{name}.account", actors.hash_token(email.strip().lower()).hex(), BY_ACCOUNT),
            ]
        )


def request_reset(*, request: HttpRequest, email: str) -> None:
    """Mail a link if somebody has this address. The caller cannot tell."""
    limit_mail(request=request, name="reset", email=email)
    form = ResetPasswordForm(data={"email": email})
    if has_password_way(email=email) and form.is_valid():
        form.save(request)


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
    user.set_password(password)
    user.save(update_fields=["password", "epoch", "updated_at"])
    sessions.note_password_changed(actor=actors.member(user), user_id=user.pk)


def has_password_way(*, email: str) -> bool:
    """False for somebody whose organization lets nobody in by a password. The caller cannot tell either way."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    return user is None or rules_of(user.pk).providers is None


def require_password_way(*, user: User) -> None:
    """Raises ``SsoNeeded`` (403)."""
    if rules_of(user.pk).providers is not None:
        raise SsoNeeded
