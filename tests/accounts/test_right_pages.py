"""Settings pages of teams, denials, service accounts, keys bound to networks and handing over."""

import pytest
from django.test import Client

from apps.accounts.models import ApiKey, Denial, OrganizationMember, ProjectTeam, ServiceAccount, Team, TeamMember
from apps.accounts.types import OrganizationRole
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, deny, member_of, team_of

pytestmark = pytest.mark.django_db


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


@pytest.fixture
def browser(owner, project):
    return browser_of(owner)


def test_team_is_made_filled_and_deleted(browser, project):
    somebody = member_of(project)

    made = browser.post("/settings/teams/", {"form": "create", "name": "Support"})
    team = Team.objects.get()
    assert made["Location"] == f"/settings/teams/{team.pk}/"
    again = browser.post("/settings/teams/", {"form": "create", "name": "support"})
    assert (again.status_code, Team.objects.count()) == (400, 1)
    browser.post(made["Location"], {"form": "add", "user": str(somebody.pk)})
    browser.post(made["Location"], {"form": ["remove", "manager"], "user": str(somebody.pk), "is_manager": "yes"})
    shown = browser.get(made["Location"]).content.decode()

    assert TeamMember.objects.get().is_manager is True
    assert "Manages the team" in shown
    assert "Support" in browser.get("/settings/teams/").content.decode()
    browser.post(made["Location"], {"form": "delete"})
    assert browser.get(made["Location"]).status_code == 404


def test_member_sees_teams_and_changes_none(project):
    person = member_of(project)
    team = team_of(project.organization, person, name="Support")
    member = browser_of(person)

    page = member.get(f"/settings/teams/{team.pk}/")
    refused = member.post(f"/settings/teams/{team.pk}/", {"form": "team", "name": "Mine"})

    assert (page.status_code, refused.status_code) == (200, 403)
    assert b"Delete the team" not in page.content
    assert b"Make the team" not in member.get("/settings/teams/").content
    assert b'id="leave-team"' in page.content
    assert b'commandfor="leave-team"' in page.content
    assert Team.objects.get().name == "Support"


def test_project_page_shows_teams_and_what_is_denied(browser, project):
    team, somebody = team_of(project.organization, name="Support"), member_of(project)
    path = f"/settings/projects/{project.pk}/"

    browser.post(path, {"form": "team", "team": str(team.pk), "role": "viewer"})
    browser.post(
        "/settings/denials/",
        {
            "form": "deny",
            "whom": f"user_id:{somebody.pk}",
            "where": str(project.pk),
            "permission": "view",
            "reason": "No",
        },
    )
    shown = browser.get(path).content.decode()

    assert ProjectTeam.objects.get().role == "viewer"
    assert "Support" in shown
    assert "Denied here" in shown
    browser.post(path, {"form": ["team", "remove_team"], "team": str(team.pk), "role": "viewer"})
    assert not ProjectTeam.objects.exists()


def test_denial_is_made_for_a_while_and_lifted(browser, project):
    team = team_of(project.organization, name="Support")

    browser.post(
        "/settings/denials/",
        {"form": "deny", "whom": f"team_id:{team.pk}", "where": "all", "permission": "post", "days": "7"},
    )
    denial = Denial.objects.get()

    assert (denial.team_id, denial.project_id, denial.permission) == (team.pk, None, "post")
    assert denial.expires_at is not None
    assert "Team: Support" in browser.get("/settings/denials/").content.decode()
    browser.post("/settings/denials/", {"form": "lift", "denial": str(denial.pk)})
    assert not Denial.objects.exists()


def test_member_denies_nobody(project):
    somebody, member = member_of(project), browser_of(member_of(project))

    page = member.get("/settings/denials/")
    sent = member.post(
        "/settings/denials/",
        {"form": "deny", "whom": f"user_id:{somebody.pk}", "where": "all", "permission": "view"},
    )

    assert (page.status_code, sent.status_code) == (200, 400)
    assert b'value="deny"' not in page.content
    assert not Denial.objects.exists()


def test_service_account_gets_a_key_that_is_shown_once(browser, project):
    made = browser.post("/settings/service-accounts/", {"form": "create", "name": "Import", "role": "member"})
    account = ServiceAccount.objects.get()
    path = f"/settings/service-accounts/{account.pk}/"
    assert made["Location"] == path

    answer = browser.post(
        path, {"form": "create", "name": "night", "reach": "all", "allowed_networks": "192.0.2.0/24 2001:db8::/32"}
    )
    key = ApiKey.objects.get()

    assert (key.user_id, key.allowed_networks) == (account.user_id, ["192.0.2.0/24", "2001:db8::/32"])
    assert answer["Location"].split("?")[0] == path
    assert "pk_" in browser.get(answer["Location"]).content.decode()
    later = browser.get(path).content.decode()
    assert "pk_" not in later
    assert "only from 192.0.2.0/24, 2001:db8::/32" in later
    assert b"night" not in browser.get("/settings/keys/").content  # one's own only
    browser.post(path, {"form": "account", "name": "Importer", "description": "Nightly"})
    browser.post(path, {"form": "disable"})
    account.refresh_from_db()
    assert (account.user.name, account.disabled_at is None) == ("Importer", False)
    assert "Program" in browser.get("/settings/people/").content.decode()
    browser.post(path, {"form": "enable"})
    browser.post(path, {"form": "revoke", "key": str(key.pk)})
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_service_accounts_are_for_those_who_manage(browser, project):
    browser.post("/settings/service-accounts/", {"form": "create", "name": "Import", "role": "member"})
    member = browser_of(member_of(project))
    account = ServiceAccount.objects.get()

    assert member.get("/settings/service-accounts/").status_code == 403
    assert member.get(f"/settings/service-accounts/{account.pk}/").status_code == 404
    sent = member.post(f"/settings/service-accounts/{account.pk}/", {"form": "create", "name": "mine"})
    assert (sent.status_code, ApiKey.objects.count()) == (404, 0)
    assert b"/settings/service-accounts/" not in member.get("/settings/profile/").content
    assert b"/settings/service-accounts/" in browser.get("/settings/profile/").content


def test_organization_is_handed_over_with_the_password(browser, owner, project):
    heir = member_of(project)
    member = OrganizationMember.objects.get(user=heir)

    wrong = browser.post("/settings/transfer/", {"form": "transfer", "member": str(member.pk), "password": "guess"})
    assert (wrong.status_code, OrganizationMember.objects.get(user=heir).role) == (400, OrganizationRole.MEMBER)
    assert browser_of(heir).get("/settings/transfer/").status_code == 403
    browser.post("/settings/transfer/", {"form": "transfer", "member": str(member.pk), "password": PASSWORD})

    assert OrganizationMember.objects.get(user=heir).role == OrganizationRole.OWNER
    assert OrganizationMember.objects.get(user=owner).role == OrganizationRole.ADMIN
    assert browser.get("/settings/profile/").status_code == 302


def test_lists_come_in_parts_and_miss_nobody(monkeypatch):
    monkeypatch.setattr("apps.accounts.pages.settings.SHOWN", 2)
    owner = UserFactory(name="Zoe")
    project = ProjectFactory(owner=owner)
    people = [member_of(project) for _number in range(4)]
    teams = [team_of(project.organization, *people), *(team_of(project.organization) for _number in range(4))]
    for user in people:
        deny(user, project)
    browser = Client()
    browser.force_login(owner)

    for path, key, count in (
        ("/settings/people/", "members", 5),
        ("/settings/teams/", "teams", 5),
        (f"/settings/teams/{teams[0].pk}/", "team_members", 4),
        ("/settings/denials/", "denials", 4),
    ):
        parts = [browser.get(path, {"page": number}) for number in range(1, (count + 1) // 2 + 1)]
        assert sorted(len(part.context[key]) for part in parts) == sorted([2] * (count // 2) + [1] * (count % 2))
        assert len({row.pk for part in parts for row in part.context[key]}) == count
        assert "?page=2" in parts[0].content.decode()
        assert "?page=1" in parts[1].content.decode()
