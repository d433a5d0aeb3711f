"""Who is named to see a collection that not everyone in its project sees."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Team, TeamMember, TenantModel
from apps.extraction.models.records import Collection


def teams_of(user_id: UUID | None) -> QuerySet[TeamMember, Any]:
    """Ids of the teams in which that person is."""
    return TeamMember.objects.filter(user=user_id, team__deleted_at=None).values("team")


def teams_in(organization_id: UUID) -> QuerySet[Team, Any]:
    """(id, name) of the teams of an organization, by name."""
    rows = Team.objects.filter(organization=organization_id, deleted_at=None)
    return rows.order_by("name").values_list("pk", "name")


def places_in(teams: QuerySet[Any, Any]) -> QuerySet[Any, tuple[UUID, UUID]]:
    """(team, person) of these teams."""
    return TeamMember.objects.filter(team__in=teams, team__deleted_at=None).values_list("team_id", "user_id")


class CollectionReader(TenantModel):
    """One person, or one team, by whom a collection is seen that says it is for who is named.

    It gives no right: what they may do there is what their role in the project says, and without a role they see nothing.
    """

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    team = models.ForeignKey("accounts.Team", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("reader of a collection")
        verbose_name_plural = _("readers of collections")
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, team__isnull=False) | Q(user__isnull=False, team=None),
                name="extraction_reader_of_one",
            ),
            models.UniqueConstraint(
                fields=["organization", "collection", "user", "team"],
                name="extraction_reader_once",
                nulls_distinct=False,
            ),
        ]
        # The key that makes them unique begins with the organization.
        indexes = [models.Index(fields=["collection"], name="extraction_reader_list")]

    def __str__(self) -> str:
        return f"{self.collection_id} {self.user_id or self.team_id}"
