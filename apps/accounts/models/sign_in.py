"""How people and programs prove who they are: keys, sessions, links, devices, identity providers."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.people import TenantModel
from apps.accounts.types import (
    UNUSED_AFTER,
    IdentityProviderKind,
    OrganizationRole,
    SessionEnd,
    SessionKind,
    SignInMethod,
)
from apps.core.crypto import EncryptedTextField
from apps.core.models import BaseModel


class ApiKey(TenantModel):
    """Sent as ``pk_<random>``; shown once, kept as SHA-256. Belongs to one organization, perhaps to one project.

    A key that was renewed opens by its secret before too, until ``previous_until``.
    """

    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(_("name"), max_length=120)
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    previous_hash = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    scopes = models.JSONField(default=list, blank=True)
    allowed_networks = ArrayField(models.CharField(max_length=43), default=list, db_default=[], blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} …{self.hint}"

    @property
    def is_unused(self) -> bool:
        """For so long that somebody should ask whether it is needed."""
        return timezone.now() - (self.last_used_at or self.created_at) > UNUSED_AFTER

    @property
    def old_secret_until(self) -> datetime | None:
        """While the secret before still opens."""
        is_in_force = self.previous_until is not None and self.previous_until > timezone.now()
        return self.previous_until if is_in_force else None


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def in_force(self) -> Self:
        """Those that open something. A session that waits for its person to set up a second factor does not."""
        return self.not_over().filter(is_waiting=False)

    def not_over(self) -> Self:
        return self.filter(
            Q(idle_after=None) | Q(last_seen_at__gt=Now() - F("idle_after")),
            ended_at=None,
            expires_at__gt=Now(),
            epoch=F("user__epoch"),
            user__is_active=True,
            user__is_service=False,
            user__anonymized_at=None,
        )


class UserSession(BaseModel):
    """One sign-in, by cookie or by token pair, in force until it ends or its person's epoch has moved on.

    Every request asks this row, so that ending it ends cookies, tokens and sockets without anything kept in Redis.
    ``auth_level``: 1 is one proof, 2 are two, or a passkey that asked its owner. ``is_waiting``: an organization asks for a
    second factor that the person does not have yet; until they have set one up it opens the pages for that and nothing else.
    ``proved_at``: when the person last proved who they are within it; empty is when it began. ``idle_after``: how long it
    lives without being used.
    """

    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=SessionKind.choices, default=SessionKind.COOKIE)
    session_key = models.CharField(max_length=40, null=True, blank=True, unique=True, editable=False)
    refresh_id = models.UUIDField(null=True, blank=True, editable=False)
    epoch = models.PositiveIntegerField(editable=False)
    auth_level = models.PositiveSmallIntegerField(default=1)
    is_waiting = models.BooleanField(default=False, db_default=False, editable=False)
    method = models.CharField(
        max_length=8,
        choices=SignInMethod.choices,
        default=SignInMethod.PASSWORD,
        db_default=SignInMethod.PASSWORD.value,
    )
    identity_provider = models.ForeignKey(
        "accounts.IdentityProvider", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    device = models.ForeignKey("accounts.Device", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    proved_at = models.DateTimeField(null=True, blank=True, editable=False)
    idle_after = models.DurationField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=16, choices=SessionEnd.choices, blank=True)

    objects = UserSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes = [models.Index(fields=["user", "ended_at"], name="accounts_session_user")]

    def __str__(self) -> str:
        return str(self.pk)


class SignInLink(BaseModel):
    """256 random bits, kept hashed, good once. Without a person it lets whoever opens it first claim the instance."""

    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("sign-in link")
        verbose_name_plural = _("sign-in links")

    def __str__(self) -> str:
        return str(self.pk)


class CodeGuess(BaseModel):
    """A code that was tried for a second factor. Written before it is looked at, so that parallel guesses count each other.

    ``attempt`` is the sign-in that it was to finish, ``session`` the open one that it was typed in: who guesses is told by them.
    """

    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    attempt = models.ForeignKey(
        "accounts.SignInAttempt", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    session = models.ForeignKey(
        "accounts.UserSession", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    has_succeeded = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("code that was tried")
        verbose_name_plural = _("codes that were tried")
        indexes = [models.Index(fields=["user", "created_at"], name="accounts_codeguess_user")]

    def __str__(self) -> str:
        return str(self.pk)


class Device(BaseModel):
    """A browser or program that a person signed in from; known by a random cookie, kept hashed."""

    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    token_hash = models.BinaryField(max_length=32, editable=False)
    user_agent = models.CharField(max_length=300, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        constraints = [models.UniqueConstraint(fields=["user", "token_hash"], name="accounts_device_once")]

    def __str__(self) -> str:
        return str(self.pk)


class IdentityProvider(TenantModel):
    """Where people of an organization prove who they are: an OpenID Connect issuer, or one of the well-known ones.

    ``domains`` are the mail domains it speaks for: only for these its word about an address counts. ``joins_as`` lets
    strangers with such an address become members by signing in; empty lets in only who belongs already or was invited.
    """

    version = models.PositiveIntegerField(default=1, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=IdentityProviderKind.choices)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    issuer = models.URLField(_("issuer"), max_length=500, blank=True)
    client_id = models.CharField(_("client id"), max_length=300)
    client_secret = EncryptedTextField(blank=True)
    domains = ArrayField(models.CharField(max_length=253), default=list, blank=True)
    joins_as = models.CharField(max_length=10, choices=OrganizationRole.choices, blank=True)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("identity provider")
        verbose_name_plural = _("identity providers")
        constraints = [
            models.CheckConstraint(
                condition=~Q(joins_as=OrganizationRole.OWNER), name="accounts_identityprovider_makes_no_owner"
            )
        ]

    def __str__(self) -> str:
        return self.name
