"""People, the organizations they belong to, and the teams and programs of these."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import (
    OrganizationRole,
    ProjectRole,
)
from apps.core.models import BaseModel, VersionedModel


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin, BaseModel):
    """A person. Never deleted, only anonymized: what they wrote keeps an author.

    ``epoch`` grows with every change of password or rights: a session or token made under an earlier one is over.
    """

    email = models.EmailField(_("e-mail"), max_length=254)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=8, default="en", choices=settings.LANGUAGES)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    #: The account of a program: it signs in by its keys only, and its address gets no mail.
    is_service = models.BooleanField(_("service account"), default=False, db_default=False, editable=False)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    epoch = models.PositiveIntegerField(default=1, editable=False)
    #: Of what people change in a profile: name, language, time zone.
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    anonymized_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_ci")]

    def __str__(self) -> str:
        return self.display_name

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.epoch += 1

    def check_password(self, raw_password: str) -> bool:
        epoch = self.epoch
        try:
            return super().check_password(raw_password)
        finally:
            self.epoch = epoch  # a better hash of the same password ends no session

    @property
    def display_name(self) -> str:
        return str(_("Somebody who was erased")) if self.anonymized_at else self.name or self.email.partition("@")[0]


class Organization(VersionedModel):
    """A tenant. ``is_home`` marks the one made at the first start, which the first person claims."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    is_home = models.BooleanField(default=False, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # While it is erased, piece by piece: who asked for it, as the receipt says it, and how many rows of each app have gone.
    erased_for = models.CharField(max_length=8, blank=True, default="", db_default="", editable=False)
    erased_rows = models.JSONField(default=dict, db_default={}, editable=False)

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        constraints = [
            models.UniqueConstraint(
                fields=["is_home"], name="accounts_organization_one_home", condition=Q(is_home=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class TenantModel(BaseModel):
    """A row of one organization, set once. Unique constraints begin with it."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="+", editable=False
    )

    class Meta:
        abstract = True


class OrganizationMember(TenantModel):
    version = models.PositiveIntegerField(default=1, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="accounts_organizationmember_once"),
            models.CheckConstraint(
                condition=Q(role__in=OrganizationRole.values), name="accounts_organizationmember_role"
            ),
        ]
        indexes = [models.Index(fields=["user", "organization"], name="accounts_member_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Team(TenantModel):
    """People of one organization who are given access together."""

    version = models.PositiveIntegerField(default=1, editable=False)
    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("description"), max_length=500, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        constraints = [
            models.UniqueConstraint(
                "organization", Lower("name"), name="accounts_team_name", condition=Q(deleted_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(TenantModel):
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    is_manager = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("team member")
        verbose_name_plural = _("team members")
        constraints = [
            models.UniqueConstraint(fields=["organization", "team", "user"], name="accounts_teammember_once")
        ]
        indexes = [models.Index(fields=["user", "team"], name="accounts_teammember_user")]

    def __str__(self) -> str:
        return f"{self.team_id} {self.user_id}"


class ServiceAccount(TenantModel):
    """A program of an organization. Its ``user`` row carries memberships, roles and authorship as a person's does."""

    user = models.OneToOneField("accounts.User", on_delete=models.PROTECT, related_name="+")
    description = models.CharField(_("description"), max_length=500, blank=True)
    created_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    disabled_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        verbose_name = _("service account")
        verbose_name_plural = _("service accounts")

    def __str__(self) -> str:
        return str(self.user_id)


class Invitation(TenantModel):
    """A place for one e-mail address. The token is 256 random bits, kept hashed."""

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    project_role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.EDITOR)
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                name="accounts_invitation_one_open",
                condition=Q(accepted_at=None, revoked_at=None),
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Pseudonym(BaseModel):
    """The name the audit log has for a person. Deleting the row on erasure unlinks their entries; the chain stays valid."""

    user = models.OneToOneField("accounts.User", on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("audit name")
        verbose_name_plural = _("audit names")

    def __str__(self) -> str:
        return str(self.pk)
