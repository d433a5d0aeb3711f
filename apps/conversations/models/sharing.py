"""Who may see one conversation beside those who have a role in its project, who may not, and links for people outside."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from guardian.managers import UserObjectPermissionManager
from guardian.models import BaseObjectPermission, UserObjectPermissionBase

from apps.accounts.models import Team, TeamMember, TenantModel
from apps.accounts.types import Permission
from apps.conversations.models.conversations import Conversation
from apps.conversations.types import VIEW_OR_POST


def teams_of(user_id: UUID | OuterRef | None) -> QuerySet[TeamMember, Any]:
    """Ids of the teams in which that person is."""
    return TeamMember.objects.filter(user=user_id, team__deleted_at=None).values("team")


def teams_in(organization_id: UUID) -> QuerySet[Team, Any]:
    """(id, name) of the teams of an organization, by name."""
    rows = Team.objects.filter(organization=organization_id, deleted_at=None)
    return rows.order_by("name").values_list("pk", "name")


def members_of(teams: QuerySet[Any, Any] | Collection[UUID | None]) -> QuerySet[Any, UUID]:
    """Ids of the people who are in one of these teams."""
    return TeamMember.objects.filter(team__in=teams, team__deleted_at=None).values_list("user_id", flat=True)


def places_in(teams: QuerySet[Any, Any]) -> QuerySet[Any, tuple[UUID, UUID]]:
    """(team, person) of these teams."""
    return TeamMember.objects.filter(team__in=teams, team__deleted_at=None).values_list("team_id", "user_id")


class ConversationGrant(TenantModel, UserObjectPermissionBase):
    """What one person may do in one conversation, whatever their role in its project: a row for each permission.

    django-guardian's direct kind, so ``guardian.shortcuts`` read and write these rows too. Who may write has both rows.
    """

    content_object = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+", db_index=False)
    granted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar[UserObjectPermissionManager] = UserObjectPermissionManager()

    class Meta:
        verbose_name = _("access of a person")
        verbose_name_plural = _("access of people")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "content_object", "user", "permission"], name="conversations_grant_once"
            )
        ]
        indexes = [models.Index(fields=["user", "content_object"], name="conversations_grant_user")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Whoever writes it through guardian names no organization."""
        self.organization_id = self.content_object.organization_id
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return f"{self.content_object_id} {self.user_id}"


class TeamGrant(TenantModel, BaseObjectPermission):
    """The same for all members of a team."""

    content_object = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="team_grants")
    team = models.ForeignKey("accounts.Team", on_delete=models.PROTECT, related_name="+", db_index=False)
    granted_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("access of a team")
        verbose_name_plural = _("access of teams")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "content_object", "team", "permission"], name="conversations_teamgrant_once"
            )
        ]
        indexes = [models.Index(fields=["team", "content_object"], name="conversations_teamgrant_team")]

    def __str__(self) -> str:
        return f"{self.content_object_id} {self.team_id}"


class ConversationDenial(TenantModel):
    """What one person or one team may not do in one conversation. It wins over roles and grants, its owner's too."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    team = models.ForeignKey("accounts.Team", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    permission = models.CharField(max_length=8, choices=VIEW_OR_POST, default=Permission.VIEW)
    denied_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("denial in a conversation")
        verbose_name_plural = _("denials in conversations")
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, team__isnull=False) | Q(user__isnull=False, team=None),
                name="conversations_denial_of_one",
            ),
            models.UniqueConstraint(
                fields=["organization", "conversation", "user", "team"],
                name="conversations_denial_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class ShareLink(TenantModel):
    """Lets whoever has the address read the conversation as it was at ``shared_at``, up to message ``up_to_number``.

    The token is 256 random bits, kept hashed; ``hint`` is its end, by which its owner knows it again.
    """

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=4, editable=False)
    created_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    up_to_number = models.PositiveIntegerField()
    shared_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("share link")
        verbose_name_plural = _("share links")

    def __str__(self) -> str:
        return f"{self.conversation_id} …{self.hint}"
