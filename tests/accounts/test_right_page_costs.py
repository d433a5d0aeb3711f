"""Pages of rights cost no more for thirty rows than for one, and are nobody's who does not belong."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.services import invitations, keys, service_accounts
from apps.accounts.types import OrganizationRole, ProjectRole
from apps.conversations import services
from apps.core import preferences
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    deny,
    give_team,
    member_of,
    team_of,
)
from tests.accounts.test_audit import record_all
from tests.conversations.factories import start

pytestmark = pytest.mark.django_db

PATHS = [
    "/settings/people/",
    "/settings/projects/",
    "/settings/projects/{project}/",
    "/settings/projects/{project}/?user={user}",
    "/settings/teams/",
    "/settings/teams/{team}/",
    "/settings/denials/",
    "/settings/service-accounts/",
    "/settings/service-accounts/{program}/",
    "/settings/access/",
    "/settings/audit/",
    "/settings/links/",
    "/settings/limits/",
    "/settings/transfer/",
]
#: Statements of the dearest of them, at most: a project with people, teams, denials and an explanation.
MOST = 34


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def fill(owner, project, numbers):
    """So many of everything; the ids of one of each."""
    actor, organization = actor_of(owner), project.organization
    for number in numbers:
        user, other = member_of(project), ProjectFactory(organization=organization)
        add_to_project(user, project, role=ProjectRole.EDITOR)
        team = team_of(organization, user, name=f"Team {number}")
        give_team(team, project)
        give_team(team, other)
        deny(user, other)
        deny(team, project)
        invitations.invite(actor=actor, organization_id=organization.pk, email=f"invited-{number}@example.org")
        program = service_accounts.create_service_account(
            actor=actor, organization_id=organization.pk, name=f"Program {number}"
        )
        talk = start(actor, project, title=f"{number}", visibility="link")
        services.make_link(actor=actor, conversation_id=talk.pk)
        team_of(organization, name=f"Empty {number}")
    for number in numbers:
        keys.make_api_key(
            actor=actor,
            organization_id=organization.pk,
            name=f"{number}",
            service_account_id=program.pk,
            project_id=project.pk,
            expires_at=timezone.now() + timedelta(days=9),
        )
    record_all()
    return {"project": project.pk, "user": user.pk, "team": team.pk, "program": program.pk}


def costs(owner, ids):
    browser, found = browser_of(owner), {}
    for path in PATHS:
        browser.get(path.format(**ids))
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(path.format(**ids)).status_code == 200
        found[path] = len(asked)
    return found


def test_pages_cost_no_more_for_many(owner, project, monkeypatch):
    monkeypatch.setattr(preferences, "KEEP_SECONDS", 600)

    one = costs(owner, fill(owner, project, range(1)))
    thirty = costs(owner, fill(owner, project, range(1, 30)))

    assert {path: (one[path], thirty[path]) for path in PATHS if thirty[path] > one[path]} == {}
    assert max(one.values()) <= MOST


def test_pages_show_strangers_nothing(owner, project):
    ids = fill(owner, project, range(1))
    outsider = UserFactory()
    ProjectFactory(owner=outsider)
    browser = browser_of(outsider)

    for path in PATHS:
        answer = browser.get(path.format(**ids))
        if "{" in path:
            assert answer.status_code == 404, path
        else:
            text = answer.content.decode()
            assert "Team 0" not in text, path
            assert "Program 0" not in text, path
            assert "invited-0@example.org" not in text, path


@pytest.mark.parametrize("role", [OrganizationRole.MEMBER, OrganizationRole.GUEST])
def test_pages_of_managers_are_closed_to_others(role, owner, project):
    ids = fill(owner, project, range(1))
    browser = browser_of(member_of(project, role=role))

    for path, status in [
        ("/settings/service-accounts/", 403),
        ("/settings/service-accounts/{program}/", 404),
        ("/settings/access/", 403),
        ("/settings/audit/", 403),
        ("/settings/transfer/", 403),
    ]:
        assert browser.get(path.format(**ids)).status_code == status, path
