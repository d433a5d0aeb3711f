"""Who may make further organizations, and how many, and who may own one."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.accounts import policies
from apps.accounts.models import OrganizationMember
from apps.accounts.types import OrganizationRole
from apps.core import preferences
from apps.core.doors.settings import Level, Setting
from apps.core.errors import Conflict


class OwnerNotFit(Conflict):
    code = "owner_not_fit"
    default_detail = _("Owners are people whose account is in use.")


class TooManyOrganizations(Conflict):
    code = "too_many_organizations"
    default_detail = _("You own as many organizations as a person may make here. An operator makes further ones.")


MOST = Setting(
    "accounts.organizations_a_person",
    int,
    default=5,
    title=_("Organizations that a person may make and own"),
    help=_("0: only operators make them. Where people come by invitation, guests make none."),
    levels=(Level.PLATFORM,),
    minimum=0,
    maximum=1_000,
    environment="PARLANCE_ORGANIZATIONS_A_PERSON",
)


def is_trusted(user_id: UUID | None) -> bool:
    """More than a guest somewhere, or free to have come by themselves."""
    if settings.PARLANCE_SIGN_UP == "open":
        return True
    return OrganizationMember.objects.filter(user=user_id, role__in=policies.HEIRS).exists()


def has_room(user_id: UUID | None) -> bool:
    """Asked with the person's row locked: two at once count each other."""
    owned = OrganizationMember.objects.filter(
        user=user_id, role=OrganizationRole.OWNER, organization__deleted_at=None
    ).count()
    return owned < int(preferences.get(MOST.key))


def register() -> None:
    preferences.register(MOST)
