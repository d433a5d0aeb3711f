"""People, organizations and projects for tests of every app."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import factory
from django.db.models import F
from django.test import Client
from factory.django import DjangoModelFactory

from apps.accounts import actors
from apps.accounts.models import (
    ApiKey,
    Denial,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    ProjectTeam,
    Team,
    TeamMember,
    User,
    UserSession,
)
from apps.accounts.sessions import SessionStore
from apps.accounts.types import Actor, OrganizationRole, Permission, ProjectAccess, ProjectRole

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    name = factory.Sequence(lambda n: f"Person {n}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        return model_class.objects.create_user(password=kwargs.pop("password", PASSWORD), **kwargs)


class OrganizationFactory(DjangoModelFactory):
    class Meta:
        model = Organization

    name = factory.Sequence(lambda n: f"Organization {n}")
    slug = factory.Sequence(lambda n: f"organization-{n}")


class OrganizationMemberFactory(DjangoModelFactory):
    class Meta:
        model = OrganizationMember

    organization = factory.SubFactory(OrganizationFactory)
    user = factory.SubFactory(UserFactory)
    role = OrganizationRole.MEMBER


class ProjectFactory(DjangoModelFactory):
    """``ProjectFactory(owner=user)`` makes that person the owner of its organization."""

    class Meta:
        model = Project
        skip_postgeneration_save = True

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Project {n}")
    access = ProjectAccess.ORGANIZATION

    @factory.post_generation
    def owner(self, create, extracted, **kwargs):
        if extracted is not None:
            join(extracted, self.organization, role=OrganizationRole.OWNER)


class ProjectMemberFactory(DjangoModelFactory):
    class Meta:
        model = ProjectMember

    project = factory.SubFactory(ProjectFactory)
    organization = factory.SelfAttribute("project.organization")
    user = factory.SubFactory(UserFactory)
    role = ProjectRole.EDITOR


def join(
    user: User, organization: Organization, *, role: OrganizationRole = OrganizationRole.MEMBER
) -> OrganizationMember:
    found, _made = OrganizationMember.objects.update_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    return found


def add_to_project(user: User, project: Project, *, role: ProjectRole = ProjectRole.EDITOR) -> ProjectMember:
    found, _made = ProjectMember.objects.update_or_create(
        organization=project.organization, project=project, user=user, defaults={"role": role}
    )
    return found


def team_of(organization: Organization, *people: User, name: str = "", **fields: Any) -> Team:
    team = Team.objects.create(organization=organization, name=name or f"Team {secrets.token_hex(3)}", **fields)
    for user in people:
        TeamMember.objects.create(organization=organization, team=team, user=user)
    return team


def give_team(team: Team, project: Project, *, role: ProjectRole = ProjectRole.EDITOR) -> ProjectTeam:
    return ProjectTeam.objects.create(organization=project.organization, project=project, team=team, role=role)


def deny(
    whom: User | Team,
    where: Project | Organization,
    *,
    permission: Permission = Permission.VIEW,
    expires_at: datetime | None = None,
) -> Denial:
    """In one project, or in all of an organization."""
    return Denial.objects.create(
        organization=where if isinstance(where, Organization) else where.organization,
        project=where if isinstance(where, Project) else None,
        user=whom if isinstance(whom, User) else None,
        team=whom if isinstance(whom, Team) else None,
        permission=permission,
        expires_at=expires_at,
    )


def member_of(project: Project, *, role: OrganizationRole = OrganizationRole.MEMBER) -> User:
    """A new person in the project's organization: an editor where the project is open to it."""
    user = UserFactory()
    join(user, project.organization, role=role)
    return user


def reader_of(project: Project) -> User:
    """A new person who may read the project and nothing more."""
    user = member_of(project)
    add_to_project(user, project, role=ProjectRole.VIEWER)
    return user


def actor_of(user: User) -> Actor:
    return actors.member(user)


def key_of(
    user: User, organization: Organization, *, project: Project | None = None, scopes: tuple[str, ...] = ()
) -> str:
    """A key in force, as it is sent: ``Authorization: Bearer <it>``."""
    token = actors.KEY_PREFIX + secrets.token_urlsafe(32)
    ApiKey.objects.create(
        organization=organization,
        user=user,
        project=project,
        name="test",
        token_hash=actors.hash_token(token),
        hint=token[-4:],
        scopes=list(scopes),
    )
    return token


def bearer(token: str) -> dict[str, str]:
    """Headers for Django's test client."""
    return {"Authorization": f"Bearer {token}"}


def make_stale(client: Client, *, minutes: int = 16) -> None:
    """As if the person at this browser had proved last who they are so long ago."""
    make_session_stale(client.session.session_key, minutes=minutes)


def make_session_stale(session_key: str, *, minutes: int = 16) -> None:
    session = SessionStore(session_key)
    ago = timedelta(minutes=minutes)
    UserSession.objects.filter(session_key=session_key).update(
        created_at=F("created_at") - ago, proved_at=F("proved_at") - ago
    )
    for record in session.get("account_authentication_methods", []):
        record["at"] -= ago.total_seconds()
    session["account_authentication_methods"] = session.get("account_authentication_methods", [])
    session.save()
