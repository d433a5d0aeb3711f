"""What is known of attempts to sign in."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.addresses import neighbours
from apps.accounts.types import (
    RiskSignal,
    RiskVerdict,
    SignInMethod,
)
from apps.core.models import BaseModel


class SignInAttemptQuerySet(models.QuerySet["SignInAttempt"]):
    def from_address(self, address: str) -> Self:
        return self.filter(address__range=neighbours(address))

    def alike(self, attempt: SignInAttempt) -> Self:
        """Those of one person that count together: on this device, at this address where the person was lately, or anywhere else."""
        if attempt.device_id is not None:
            return self.filter(device=attempt.device_id)
        if attempt.is_familiar:
            return self.filter(is_familiar=True, address=attempt.address, device=None)
        return self.filter(is_familiar=False)


class SignInAttempt(BaseModel):
    """One try to sign in. Written before the password is looked at, so that parallel guesses count each other.

    Judged once the proof was right: ``score`` is the sum of the points of its ``SignInSignal`` rows; ``verdict`` is what the
    score led to. ``has_succeeded``: a session began.
    """

    account_hash = models.BinaryField(max_length=32, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    device = models.ForeignKey("accounts.Device", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    method = models.CharField(
        max_length=8,
        choices=SignInMethod.choices,
        default=SignInMethod.PASSWORD,
        db_default=SignInMethod.PASSWORD.value,
    )
    address = models.GenericIPAddressField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True, db_default="")
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True, db_default="")
    is_familiar = models.BooleanField(default=False)
    has_succeeded = models.BooleanField(default=False)
    score = models.PositiveSmallIntegerField(default=0, db_default=0)
    verdict = models.CharField(
        max_length=8, choices=RiskVerdict.choices, default=RiskVerdict.ALLOWED, db_default=RiskVerdict.ALLOWED.value
    )
    judged_at = models.DateTimeField(null=True, blank=True)

    objects = SignInAttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("sign-in attempt")
        verbose_name_plural = _("sign-in attempts")
        indexes = [
            models.Index(fields=["account_hash", "created_at"], name="accounts_attempt_account"),
            models.Index(fields=["address", "created_at"], name="accounts_attempt_address"),
            models.Index(fields=["user", "-created_at"], name="accounts_attempt_user"),
            models.Index(fields=["created_at"], name="accounts_attempt_time"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class SignInSignal(BaseModel):
    """One reason for an attempt's score: which signal, how many points, and the facts that it saw."""

    attempt = models.ForeignKey(SignInAttempt, on_delete=models.CASCADE, related_name="signals")
    signal = models.CharField(max_length=20, choices=RiskSignal.choices)
    points = models.PositiveSmallIntegerField()
    facts = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("sign-in signal")
        verbose_name_plural = _("sign-in signals")
        constraints = [models.UniqueConstraint(fields=["attempt", "signal"], name="accounts_signal_once")]

    def __str__(self) -> str:
        return f"{self.signal} +{self.points}"


class SignInCode(BaseModel):
    """The code that was mailed for an attempt of which a second factor is asked: eight digits, kept as a keyed hash.

    A code sent again replaces the one before it. ``tries`` counts wrong ones; ``sent`` how many were mailed.
    """

    attempt = models.OneToOneField(SignInAttempt, on_delete=models.CASCADE, related_name="code")
    code_hash = models.BinaryField(max_length=32, editable=False)
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    sent = models.PositiveSmallIntegerField(default=1)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("sign-in code")
        verbose_name_plural = _("sign-in codes")

    def __str__(self) -> str:
        return str(self.pk)


class BlockedNetwork(BaseModel):
    """A network known for attacks, as an address range (CIDR): an entry of the operators' list."""

    network = models.CharField(_("network"), max_length=43, unique=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("blocked network")
        verbose_name_plural = _("blocked networks")

    def __str__(self) -> str:
        return self.network
