"""allauth's second factors with our keys: seeds and recovery codes are sealed, each for the person it belongs to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Case, When
from django.db.models.fields.json import KT

from apps.accounts.rules import rules_of
from apps.core import crypto

#: Which value of ``Authenticator.data`` is secret.
SECRET_OF = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}
#: What proves somebody besides a password; recovery codes alone are no second factor.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def seal_for(user_id: object, text: str) -> str:
    """``<person>/<sealed>``: allauth's hooks name no row, so the text says whose it is and opens for nobody else."""
    return f"{user_id}/{crypto.seal(text, bound_to=_place(user_id))}"


def open_for(user_id: object, sealed: str) -> str:
    """Raises ``KeysDoNotFit`` for a seed that was copied from somebody else."""
    owner, _slash, stored = sealed.partition("/")
    if owner != str(user_id):
        raise crypto.KeysDoNotFit
    return crypto.unseal(stored, bound_to=_place(user_id))


def _place(user_id: object) -> str:
    return f"accounts.second_factor:{user_id}"


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return seal_for(context.request.user.pk, text)

    def decrypt(self, encrypted_text: str) -> str:
        return open_for(encrypted_text.partition("/")[0], encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        others = Authenticator.objects.filter(user=authenticator.user_id, type__in=FACTORS).exclude(pk=authenticator.pk)
        return others.exists() or not rules_of(authenticator.user_id).needs_second_factor


def has_second_factor(user_id: UUID) -> bool:
    return Authenticator.objects.filter(user=user_id, type__in=FACTORS).exists()


# For ``manage.py rotate_keys``


def _old(key: str) -> Any:
    rows = Authenticator.objects.filter(type__in=SECRET_OF).annotate(
        sealed=Case(*(When(type=kind, then=KT(f"data__{name}")) for kind, name in SECRET_OF.items()))
    )
    return rows.exclude(sealed__contains=f"/{crypto.VERSION}:{key}:")


def count_sealed_with_old_keys(key: str) -> int:
    return _old(key).count()


@transaction.atomic
def reseal(key: str, limit: int) -> int:
    rows = list(_old(key).select_for_update(skip_locked=True).order_by("pk")[:limit])
    for row in rows:
        name = SECRET_OF[Authenticator.Type(row.type)]
        row.data[name] = seal_for(row.user_id, open_for(row.user_id, row.data[name]))
        row.save(update_fields=["data"])
    return len(rows)
