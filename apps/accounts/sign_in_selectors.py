"""Reads of attempts to sign in, of devices, each for the person themselves, and of identity providers."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from apps.accounts import policies
from apps.accounts.models import Device, IdentityProvider, Organization, OrganizationMember, SignInAttempt, UserSession
from apps.accounts.types import Actor, RiskVerdict
from apps.core.errors import NotFound
from apps.core.mail import is_delivered

WAIVED_SHOWN_FOR = timedelta(days=7)


def hold_rules(*, user_id: UUID) -> None:
    """Until this transaction ends nobody enforces a rule of the person's organizations; together with others who sign in."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [user_id])


def await_sessions_that_begin(*, organization_id: UUID) -> None:
    """Whoever began one by the rules of before is done; who begins from now on waits, and then reads those of now."""
    list(Organization.objects.select_for_update().filter(pk=organization_id).values_list("pk"))


# Shared: a whole organization may sign in at once.
_HOLD = """
SELECT id FROM accounts_organization
WHERE id IN (SELECT organization_id FROM accounts_organizationmember WHERE user_id = %s) ORDER BY id FOR SHARE
"""


def list_own_devices(viewer: Actor) -> QuerySet[Device]:
    """Those that are known, of the person themselves."""
    return Device.objects.filter(user=viewer.user_id, forgotten_at=None)


def lock_own_device(*, device_id: UUID, viewer: Actor) -> Device:
    if (found := list_own_devices(viewer).select_for_update().filter(pk=device_id).first()) is None:
        raise NotFound
    return found


def list_own_attempts(viewer: Actor) -> QuerySet[SignInAttempt]:
    """Attempts at one's own account with their reasons; those of strangers too, as it is one's account they tried."""
    return SignInAttempt.objects.filter(user=viewer.user_id).prefetch_related("signals")


def find_waived_attempt(viewer: Actor) -> SignInAttempt | None:
    """The newest of the last week that got into one's account in an unusual way from another device, and was asked for nothing more."""
    if is_delivered():  # whoever is asked by mail is told by mail
        return None
    here = UserSession.objects.filter(pk=viewer.session_id).exclude(device=None).values("device")
    rows = SignInAttempt.objects.filter(
        user=viewer.user_id, verdict=RiskVerdict.WAIVED, has_succeeded=True, created_at__gt=Now() - WAIVED_SHOWN_FOR
    )
    return rows.exclude(device__in=here).order_by("-created_at").first()


def visible_identity_providers(viewer: Actor) -> QuerySet[IdentityProvider]:
    """Of the organizations that the viewer manages; all of them for operators."""
    rows = IdentityProvider.objects.filter(organization__deleted_at=None)
    if policies.can_operate(viewer):
        return rows
    if viewer.project_id is not None:
        return rows.none()  # a key that is limited to a project manages no organization
    managed = OrganizationMember.objects.filter(
        user=viewer.user_id, role__in=policies.ORGANIZATION_PERMISSIONS["manage"]
    )
    if viewer.organization_id is not None:
        managed = managed.filter(organization=viewer.organization_id)
    return rows.filter(organization__in=managed.values("organization"))


def list_providers_in_use(viewer: Actor, organization_id: UUID) -> QuerySet[IdentityProvider]:
    """Each with ``people`` who are linked to it, and how many of them have no password (``without_password``)."""
    linked = SocialAccount.objects.filter(provider=OuterRef("slug")).order_by().values("provider")
    has_none = Q(user__password__startswith=UNUSABLE_PASSWORD_PREFIX)
    return (
        visible_identity_providers(viewer)
        .filter(organization=organization_id)
        .annotate(
            people=Coalesce(Subquery(linked.annotate(n=Count("user", distinct=True)).values("n")), 0),
            without_password=Coalesce(
                Subquery(linked.annotate(n=Count("user", distinct=True, filter=has_none)).values("n")), 0
            ),
        )
    )


def get_identity_provider(provider_id: UUID, viewer: Actor) -> IdentityProvider:
    if (found := visible_identity_providers(viewer).filter(pk=provider_id).first()) is None:
        raise NotFound
    return found


def stats_attempts() -> dict[str, int]:
    """How the attempts of the last hour ended: ``let_in``, ``wrong_proof``, ``step_up`` (not finished), ``refused``."""
    hour = SignInAttempt.objects.filter(created_at__gt=Now() - timedelta(hours=1))
    is_wrong = Q(has_succeeded=False, judged_at=None)
    return hour.aggregate(
        let_in=Count("pk", filter=Q(has_succeeded=True)),
        wrong_proof=Count("pk", filter=is_wrong),
        step_up=Count("pk", filter=Q(has_succeeded=False, judged_at__isnull=False) & ~Q(verdict=RiskVerdict.REFUSED)),
        refused=Count("pk", filter=Q(verdict=RiskVerdict.REFUSED)),
    )
