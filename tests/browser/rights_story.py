"""Teams, denials, programs and keys of the story: what the pages of rights show when they are in use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.models import ApiKey, OrganizationMember, User
from apps.accounts.services import denials, keys, service_accounts, teams
from apps.accounts.types import OrganizationRole, Permission, ProjectRole
from tests.accounts.factories import UserFactory, actor_of, add_to_project, join


def tell(ines: User, daniel: User, marta: User, project: Any) -> dict[str, str]:
    """The addresses of pages that no menu leads to, by their name."""
    actor, organization_id = actor_of(ines), project.organization_id
    rui = UserFactory(
        name="Rui Albuquerque de Vasconcelos", email="rui.albuquerque.de.vasconcelos@harbour-police.example"
    )
    join(rui, project.organization, role=OrganizationRole.GUEST)
    teresa = UserFactory(name="Teresa Vaz", email="teresa@alfama.example", is_active=False)
    member = join(teresa, project.organization)
    add_to_project(teresa, project, role=ProjectRole.MANAGER)

    crew = teams.create_team(actor=actor, organization_id=organization_id, name="Camera crew")
    teams.create_team(
        actor=actor, organization_id=organization_id, name="Script", description="Everybody who may change a scene"
    )
    for person in (daniel, rui):
        teams.set_team_member(actor=actor, team_id=crew.pk, user_id=person.pk, is_manager=person == daniel)
    teams.set_project_team(actor=actor, project_id=project.pk, team_id=crew.pk, role=ProjectRole.EDITOR)
    denials.deny(
        actor=actor,
        organization_id=organization_id,
        user_id=rui.pk,
        project_id=project.pk,
        permission=Permission.POST,
        reason="Advises us, and is not to be quoted as an author",
        expires_at=timezone.now() + timedelta(days=30),
    )
    denials.deny(actor=actor, organization_id=organization_id, team_id=crew.pk, permission=Permission.MANAGE)

    program = service_accounts.create_service_account(
        actor=actor, organization_id=organization_id, name="Call sheet import", description="Reads the sheets at night"
    )
    _keys(ines, project, program.pk)
    own = ApiKey.objects.filter(user=ines).order_by("pk").first()
    daniels = OrganizationMember.objects.get(user=daniel)
    assert own is not None
    return {
        "team": f"/settings/teams/{crew.pk}/",
        "service-account": f"/settings/service-accounts/{program.pk}/",
        "key": f"/settings/keys/{own.pk}/",
        "removing": f"/settings/people/{daniels.pk}/leave/",
        "removing-inactive": f"/settings/people/{member.pk}/leave/",
        "handing-over": "/settings/transfer/",
        "project": f"/settings/projects/{project.pk}/?user={rui.pk}",
        "access-found": "/settings/access/?finding=key_unused",
    }


def _keys(ines: User, project: Any, program_id: Any) -> None:
    actor, in_a_month = actor_of(ines), timezone.now() + timedelta(days=30)
    limited = keys.make_api_key(
        actor=actor,
        organization_id=project.organization_id,
        name="Nightly report",
        project_id=project.pk,
        scopes=("conversations:read", "models:use"),
        expires_at=in_a_month,
        allowed_networks=("192.0.2.0/24", "2001:db8::/32"),
    )
    keys.renew_api_key(actor=actor, key_id=limited.key.pk, previous_until=timezone.now() + timedelta(days=1))
    old = keys.make_api_key(actor=actor, organization_id=project.organization_id, name="Laptop of the second unit")
    ApiKey.objects.filter(pk=old.key.pk).update(created_at=timezone.now() - timedelta(days=140))
    keys.make_api_key(
        actor=actor, organization_id=project.organization_id, name="Import", service_account_id=program_id
    )
