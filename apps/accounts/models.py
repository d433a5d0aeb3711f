"""People, the organizations and projects they share, and the keys and sessions they act through."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import (
    Actor,
    ActorKind,
    AuditOutcome,
    ErasureKind,
    OrganizationRole,
    ProjectAccess,
    ProjectRole,
    SessionEnd,
    SessionKind,
    roles_from,
)
from apps.core.ids import uuid7
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
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    epoch = models.PositiveIntegerField(default=1, editable=False)
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
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
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


class ProjectQuerySet(models.QuerySet["Project"]):
    """``visible_to`` is called by selectors only; ``policies.effective_role`` says the same in Python."""

    def with_roles_of(self, user_id: UUID | None) -> Self:
        """Adds ``organization_role`` and ``member_role`` of that person, None where there is none."""
        return self.annotate(
            organization_role=Subquery(
                OrganizationMember.objects.filter(organization=OuterRef("organization"), user=user_id).values("role")[
                    :1
                ]
            ),
            member_role=Subquery(ProjectMember.objects.filter(project=OuterRef("pk"), user=user_id).values("role")[:1]),
        )

    def visible_to(self, viewer: Actor, *, at_least: ProjectRole = ProjectRole.VIEWER) -> Self:
        alive = self.filter(deleted_at=None, organization__deleted_at=None)
        if viewer.kind == ActorKind.SYSTEM:
            return alive
        if viewer.user_id is None or viewer.kind not in {ActorKind.MEMBER, ActorKind.KEY}:
            return self.none()
        if viewer.organization_id is not None:
            alive = alive.filter(organization=viewer.organization_id)
        if viewer.project_id is not None:
            alive = alive.filter(pk=viewer.project_id)
        memberships = OrganizationMember.objects.filter(organization=OuterRef("organization"), user=viewer.user_id)
        added = ProjectMember.objects.filter(project=OuterRef("pk"), user=viewer.user_id)
        by_default = Exists(memberships.filter(role=OrganizationRole.MEMBER)) & Q(access=ProjectAccess.ORGANIZATION)
        return alive.filter(
            Exists(memberships.filter(role__in=[OrganizationRole.OWNER, OrganizationRole.ADMIN]))
            | (Exists(memberships) & Exists(added.filter(role__in=roles_from(at_least))))
            | (by_default & ~Exists(added) if at_least != ProjectRole.MANAGER else Q(pk__in=[]))
        )


class Project(TenantModel):
    version = models.PositiveIntegerField(default=1, editable=False)
    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("description"), max_length=500, blank=True)
    access = models.CharField(max_length=12, choices=ProjectAccess.choices, default=ProjectAccess.ORGANIZATION)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        indexes = [models.Index(fields=["organization", "created_at"], name="accounts_project_organization")]

    def __str__(self) -> str:
        return self.name


class ProjectMember(TenantModel):
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.EDITOR)

    class Meta:
        verbose_name = _("project member")
        verbose_name_plural = _("project members")
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "user"], name="accounts_projectmember_once"),
            models.CheckConstraint(condition=Q(role__in=ProjectRole.values), name="accounts_projectmember_role"),
        ]
        indexes = [models.Index(fields=["user", "project"], name="accounts_projectmember_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Invitation(TenantModel):
    """A place for one e-mail address. The token is 256 random bits, kept hashed."""

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    project_role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.EDITOR)
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
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


class ApiKey(TenantModel):
    """Sent as ``pk_<random>``; shown once, kept as SHA-256. Belongs to one organization, perhaps to one project."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(_("name"), max_length=120)
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    scopes = models.JSONField(default=list, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} …{self.hint}"


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def in_force(self) -> Self:
        return self.filter(
            ended_at=None, expires_at__gt=Now(), epoch=F("user__epoch"), user__is_active=True, user__anonymized_at=None
        )


class UserSession(BaseModel):
    """One sign-in, by cookie or by token pair, in force until it ends or its person's epoch has moved on.

    Every request asks this row, so that ending it ends cookies, tokens and sockets without anything kept in Redis.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=SessionKind.choices, default=SessionKind.COOKIE)
    session_key = models.CharField(max_length=40, null=True, blank=True, unique=True, editable=False)
    refresh_id = models.UUIDField(null=True, blank=True, editable=False)
    epoch = models.PositiveIntegerField(editable=False)
    auth_level = models.PositiveSmallIntegerField(default=1)
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
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

    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("sign-in link")
        verbose_name_plural = _("sign-in links")

    def __str__(self) -> str:
        return str(self.pk)


class SignInAttempt(BaseModel):
    """One try at a password. Written before the password is looked at, so that parallel guesses count each other."""

    account_hash = models.BinaryField(max_length=32, editable=False)
    address = models.GenericIPAddressField(null=True, blank=True)
    is_familiar = models.BooleanField(default=False)
    has_succeeded = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("sign-in attempt")
        verbose_name_plural = _("sign-in attempts")
        indexes = [
            models.Index(fields=["account_hash", "created_at"], name="accounts_attempt_account"),
            models.Index(fields=["address", "created_at"], name="accounts_attempt_address"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Pseudonym(BaseModel):
    """The name the audit log has for a person. Deleting the row on erasure unlinks their entries; the chain stays valid."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("audit name")
        verbose_name_plural = _("audit names")

    def __str__(self) -> str:
        return str(self.pk)


class AuditEntry(models.Model):
    """One link of an organization's chain: ``digest`` = SHA-256(previous digest ‖ canonical row, RFC 8785).

    Rows are only ever inserted; the application's database role can do nothing else. What happened outside any
    organization is in the chain of the zero id.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(editable=False)
    number = models.BigIntegerField(editable=False)
    event_id = models.UUIDField(unique=True, editable=False)
    occurred_at = models.DateTimeField(editable=False)
    action = models.CharField(max_length=100, editable=False)
    outcome = models.CharField(max_length=8, choices=AuditOutcome.choices, editable=False)
    actor_kind = models.CharField(max_length=16, editable=False)
    actor = models.UUIDField(null=True, editable=False)
    key_id = models.UUIDField(null=True, editable=False)
    subject_type = models.CharField(max_length=60, blank=True, editable=False)
    subject_id = models.UUIDField(null=True, editable=False)
    details = models.JSONField(default=dict, editable=False)
    correlation_id = models.CharField(max_length=64, blank=True, editable=False)
    previous = models.BinaryField(max_length=32, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        constraints = [models.UniqueConstraint(fields=["organization_id", "number"], name="accounts_audit_number")]
        indexes = [models.Index(fields=["organization_id", "occurred_at"], name="accounts_audit_time")]

    def __str__(self) -> str:
        return f"{self.organization_id}#{self.number}"


class Erasure(BaseModel):
    """The receipt of an erasure: what, by its id, and how many rows each app kept. Only ever inserted; it names nobody."""

    kind = models.CharField(max_length=12, choices=ErasureKind.choices, editable=False)
    subject_id = models.UUIDField(editable=False)
    requested_by = models.CharField(max_length=8, editable=False)
    rows = models.JSONField(default=dict, editable=False)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"
