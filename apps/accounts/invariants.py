"""What ``doctor`` looks at here: the audit chains (I6), and that nothing of one organization hangs on another (I7)."""

from __future__ import annotations

from django.db.models import Exists, F, OuterRef

from apps.accounts import audit
from apps.accounts.models import (
    ApiKey,
    Denial,
    Invitation,
    Organization,
    OrganizationMember,
    ProjectMember,
    ProjectTeam,
    TeamMember,
)
from apps.accounts.types import OrganizationRole
from apps.core.doors.invariants import Invariant, Violation, invariants

FEW = 20


def find_broken_chains() -> list[Violation]:
    _count, broken = audit.verify()
    return [
        Violation(
            f"audit log of organization {found.organization_id}: row {found.number} {found.reason}",
            "Somebody with the rights of the database's owner changed the log. Compare with a backup, and with the signed heads.",
        )
        for found in broken[:FEW]
    ]


def find_strays() -> list[Violation]:
    """Rows whose organization is not that of what they belong to."""
    belongs = OrganizationMember.objects.filter(organization=OuterRef("organization"), user=OuterRef("user"))
    strays = {
        "project member": ProjectMember.objects.exclude(organization=F("project__organization")),
        "project member without membership": ProjectMember.objects.filter(~Exists(belongs)),
        "team member": TeamMember.objects.exclude(organization=F("team__organization")),
        "team member without membership": TeamMember.objects.filter(~Exists(belongs)),
        "team in a project": ProjectTeam.objects.exclude(
            organization=F("project__organization"), team__organization=F("project__organization")
        ),
        "denial of a team": Denial.objects.exclude(team=None).exclude(organization=F("team__organization")),
        "denial in a project": Denial.objects.exclude(project=None).exclude(organization=F("project__organization")),
        "API key": ApiKey.objects.exclude(project=None).exclude(organization=F("project__organization")),
        "invitation": Invitation.objects.exclude(project=None).exclude(organization=F("project__organization")),
    }
    return [
        Violation(f"{what} {pk} belongs to another organization than it should", "Delete the row.")
        for what, rows in strays.items()
        for pk in rows.values_list("pk", flat=True)[:FEW]
    ]


def find_without_owner() -> list[Violation]:
    owners = OrganizationMember.objects.filter(
        organization=OuterRef("pk"), role=OrganizationRole.OWNER, user__is_service=False
    )
    members = OrganizationMember.objects.filter(organization=OuterRef("pk"))
    rows = Organization.objects.filter(Exists(members), ~Exists(owners), deleted_at=None)
    return [
        Violation(f"organization {pk} has no owner", "Make one of its members an owner.")
        for pk in rows.values_list("pk", flat=True)[:FEW]
    ]


def register() -> None:
    for name, promise, says, check in (
        ("accounts.audit", "I6", "The audit log is as it was written.", find_broken_chains),
        ("accounts.tenancy", "I7", "Members, keys and invitations stay in their organization.", find_strays),
        ("accounts.owners", "I7", "Every organization with people has an owner.", find_without_owner),
    ):
        invariants.register(name, Invariant(name, promise, says, check))
