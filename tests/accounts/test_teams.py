"""Teams, what they give in projects, and denials, through the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts import selectors
from apps.accounts.models import Denial, ProjectTeam, Team, TeamMember
from apps.accounts.services import organizations
from apps.accounts.types import OrganizationRole, Permission, ProjectAccess, ProjectRole
from apps.core.models import Event
from tests.accounts.factories import (
    OrganizationFactory,
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    deny,
    give_team,
    join,
    member_of,
    team_of,
)
from tests.accounts.test_api import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory()


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner, access=ProjectAccess.RESTRICTED)


@pytest.fixture
def organization(project):
    return project.organization


def role(user, project):
    return selectors.project_role(actor_of(user), project.pk)


def test_team_gives_its_members_a_role(owner, project, organization):
    api, guest = Api(owner), member_of(project, role=OrganizationRole.GUEST)

    made = api("POST", "teams/", {"organization": str(organization.pk), "name": "Support"})
    team = made.json()["id"]
    added = api("PUT", f"teams/{team}/people/{guest.pk}/", {})
    given = api("PUT", f"projects/{project.pk}/teams/{team}/", {"role": "editor"})

    assert [answer.status_code for answer in (made, added, given)] == [201, 200, 200]
    assert api("GET", f"teams/{team}/people/").json()["results"] == [
        {"id": str(guest.pk), "name": guest.display_name, "is_service": False, "is_manager": False}
    ]
    assert given.json() == {"id": team, "name": "Support", "role": "editor"}
    assert api("GET", f"projects/{project.pk}/teams/").json()["results"] == [given.json()]
    assert role(guest, project) == ProjectRole.EDITOR
    assert api("DELETE", f"projects/{project.pk}/teams/{team}/").status_code == 204
    assert role(guest, project) is None
    assert list(Event.objects.filter(type__contains="team").order_by("id").values_list("type", flat=True)) == [
        "accounts.team_created",
        "accounts.team_member_set",
        "accounts.project_team_set",
        "accounts.project_team_removed",
    ]


def test_team_names_are_told_apart_without_case_until_it_is_deleted(owner, organization):
    api = Api(owner)
    body = {"organization": str(organization.pk), "name": "Support"}

    first = api("POST", "teams/", body)
    second = api("POST", "teams/", body | {"name": "SUPPORT"})
    renamed = api("PATCH", f"teams/{first.json()['id']}/", {"name": "Help"}, **{"If-Match": '"1"'})

    assert (second.status_code, second.json()["code"]) == (409, "team_name_taken")
    assert (renamed.status_code, renamed.json()["version"], renamed.headers["ETag"]) == (200, 2, '"2"')
    assert api("DELETE", f"teams/{first.json()['id']}/").status_code == 204
    assert api("GET", f"teams/{first.json()['id']}/").status_code == 404
    assert api("POST", "teams/", body | {"name": "Help"}).status_code == 201


def test_manager_of_a_team_says_who_is_in_it_and_no_more(project, organization):
    boss, somebody, other = member_of(project), member_of(project), member_of(project)
    team, beside = team_of(organization, boss), team_of(organization)
    TeamMember.objects.filter(user=boss).update(is_manager=True)
    api = Api(boss)

    assert api("PUT", f"teams/{team.pk}/people/{somebody.pk}/", {}).status_code == 200
    assert api("PATCH", f"teams/{team.pk}/", {"description": "Ours"}).status_code == 200
    refused = [
        api("PUT", f"teams/{team.pk}/people/{somebody.pk}/", {"is_manager": True}),
        api("PUT", f"teams/{team.pk}/people/{other.pk}/", {"is_manager": True}),
        api("PUT", f"teams/{beside.pk}/people/{other.pk}/", {}),
        api("DELETE", f"teams/{team.pk}/"),
        api("POST", "teams/", {"organization": str(organization.pk), "name": "Mine"}),
        Api(somebody)("PUT", f"teams/{team.pk}/people/{other.pk}/", {}),
    ]

    assert [answer.status_code for answer in refused] == [403] * 6
    assert set(TeamMember.objects.values_list("user", "is_manager")) == {(boss.pk, True), (somebody.pk, False)}
    assert api("PUT", f"teams/{team.pk}/people/{UserFactory().pk}/", {}).json()["code"] == "not_a_member"
    assert Api(somebody)("DELETE", f"teams/{team.pk}/people/{somebody.pk}/").status_code == 204


def test_team_of_another_organization_is_not_found(owner, project):
    foreign = team_of(OrganizationFactory(), name="Foreign")
    api = Api(owner)

    answers = [
        api("GET", f"teams/{foreign.pk}/"),
        api("PUT", f"teams/{foreign.pk}/people/{owner.pk}/", {}),
        api("PUT", f"projects/{project.pk}/teams/{foreign.pk}/", {"role": "viewer"}),
        api(
            "POST",
            "denials/",
            {"organization": str(project.organization_id), "team": str(foreign.pk), "permission": "view"},
        ),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert not ProjectTeam.objects.exists()
    assert not Denial.objects.exists()


def test_guest_sees_only_the_teams_they_are_in(project, organization):
    guest = member_of(project, role=OrganizationRole.GUEST)
    mine, _other = team_of(organization, guest), team_of(organization)

    assert [row["id"] for row in Api(guest)("GET", "teams/").json()["results"]] == [str(mine.pk)]


def test_leaving_the_organization_leaves_its_teams_and_no_denial(owner, project, organization):
    user = member_of(project)
    team = team_of(organization, user)
    give_team(team, project)
    deny(user, project, permission=Permission.POST)
    member = join(user, organization)

    organizations.remove_member(actor=actor_of(owner), member_id=member.pk)
    join(user, organization)

    assert not TeamMember.objects.filter(user=user).exists()
    add_to_project(user, project, role=ProjectRole.MANAGER)
    assert role(user, project) == ProjectRole.VIEWER


def test_denial_wins_until_it_is_lifted(owner, project, organization):
    api, admin = Api(owner), member_of(project, role=OrganizationRole.ADMIN)
    body = {"organization": str(organization.pk), "user": str(admin.pk), "permission": "post", "reason": "A conflict"}

    made = api("POST", "denials/", body)
    assert (made.status_code, role(admin, project)) == (201, ProjectRole.VIEWER)
    again = api("POST", "denials/", body | {"permission": "view"})
    assert (again.json()["id"], role(admin, project)) == (made.json()["id"], None)
    assert api("GET", "denials/").json()["results"] == [again.json()]
    own = Api(admin)("DELETE", f"denials/{made.json()['id']}/")

    assert (own.status_code, role(admin, project)) == (403, None)
    assert api("DELETE", f"denials/{made.json()['id']}/").status_code == 204
    assert role(admin, project) == ProjectRole.MANAGER
    assert Event.objects.filter(type="accounts.denial_made").count() == 2
    assert Event.objects.filter(type="accounts.denial_lifted").count() == 1


def test_denial_ends_by_itself(owner, project, organization):
    user = member_of(project)
    add_to_project(user, project)
    api = Api(owner)
    body = {"organization": str(organization.pk), "user": str(user.pk), "project": str(project.pk)}

    past = api("POST", "denials/", body | {"expires_at": "2020-01-01T00:00:00Z"})
    made = api("POST", "denials/", body | {"expires_at": (timezone.now() + timedelta(hours=1)).isoformat()})

    assert (past.status_code, made.status_code, role(user, project)) == (400, 201, None)
    Denial.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert role(user, project) == ProjectRole.EDITOR


def test_who_may_deny_whom(owner, project, organization):
    admin, manager, member = member_of(project, role=OrganizationRole.ADMIN), member_of(project), member_of(project)
    add_to_project(manager, project, role=ProjectRole.MANAGER)
    with_owner = team_of(organization, owner)

    def ask(who, project=None, **whom):
        place = {"project": str(project.pk)} if project else {}
        named = {name: str(each.pk) for name, each in whom.items()}
        return Api(who)("POST", "denials/", {"organization": str(organization.pk)} | place | named).status_code

    assert ask(manager, project, user=member) == 201
    assert ask(manager, user=member) == 403
    assert ask(manager, project, user=admin) == 403
    assert ask(manager, project, team=with_owner) == 403
    assert ask(member, project, user=manager) == 404  # was denied the project a moment ago
    assert ask(admin, user=member) == 201
    assert ask(admin, user=owner) == 403
    assert ask(admin, team=with_owner) == 403
    assert ask(owner, user=owner) == 201
    assert ask(owner) == 400
    assert ask(owner, user=member, team=with_owner) == 400
    assert ask(owner, user=UserFactory()) == 400
    assert Denial.objects.count() == 3


def test_owner_who_is_denied_everything_lifts_it(owner, project, organization):
    denial = deny(owner, organization)
    api = Api(owner)

    assert role(owner, project) is None
    assert api("DELETE", f"denials/{denial.pk}/").status_code == 204
    assert role(owner, project) == ProjectRole.MANAGER


def test_nobody_leaves_a_denial_behind_with_the_team(owner, project, organization):
    admin = member_of(project, role=OrganizationRole.ADMIN)
    team = team_of(organization, admin)
    deny(team, organization)
    api = Api(admin)

    assert api("DELETE", f"teams/{team.pk}/people/{admin.pk}/").status_code == 403
    assert api("DELETE", f"teams/{team.pk}/").status_code == 403
    assert role(admin, project) is None
    assert Api(owner)("DELETE", f"teams/{team.pk}/").status_code == 204
    assert role(admin, project) == ProjectRole.MANAGER
    assert not Denial.objects.exists()
    assert Team.objects.get().deleted_at is not None


@pytest.mark.parametrize("weaker", [{"permission": "manage"}, {"permission": "view", "expires_at": "soon"}])
@pytest.mark.parametrize("is_in_a_team", [False, True])
def test_nobody_replaces_what_is_denied_to_them_by_less(owner, project, organization, weaker, is_in_a_team):
    admin = member_of(project, role=OrganizationRole.ADMIN)
    team = team_of(organization, admin)
    denial = deny(team if is_in_a_team else admin, project)
    body = {"organization": str(organization.pk), "project": str(project.pk)} | weaker
    body |= {"team": str(team.pk)} if is_in_a_team else {"user": str(admin.pk)}
    if "expires_at" in body:
        body["expires_at"] = (timezone.now() + timedelta(seconds=2)).isoformat()

    refused = Api(admin)("POST", "denials/", body)

    assert (refused.status_code, role(admin, project)) == (403, None)
    assert Denial.objects.values_list("permission", "expires_at").get() == ("view", None)
    assert not Event.objects.filter(type="accounts.denial_made").exists()
    replaced = Api(owner)("POST", "denials/", body)
    assert (replaced.status_code, replaced.json()["id"]) == (201, str(denial.pk))
    payload = Event.objects.get(type="accounts.denial_made").payload
    assert (payload["replaced"], payload["is_weaker"]) == ("view", True)


def test_denial_that_is_over_is_replaced_as_none(project, organization):
    admin = member_of(project, role=OrganizationRole.ADMIN)
    denial = deny(admin, project, expires_at=timezone.now() - timedelta(seconds=1))
    body = {"organization": str(organization.pk), "project": str(project.pk), "user": str(admin.pk)}

    again = Api(admin)("POST", "denials/", body | {"permission": "manage"})

    assert (again.status_code, again.json()["id"]) == (201, str(denial.pk))
    assert Event.objects.get(type="accounts.denial_made").payload["replaced"] is None


def test_manager_of_a_team_takes_nobody_out_of_what_it_is_denied(owner, project, organization):
    manager, user = member_of(project), member_of(project)
    team = team_of(organization, manager, user)
    TeamMember.objects.filter(user=manager).update(is_manager=True)
    for each in (manager, user):
        add_to_project(each, project)
    denial = deny(team, project)
    path = f"teams/{team.pk}/people/{user.pk}/"

    assert Api(manager)("DELETE", path).status_code == 403
    assert (role(user, project), TeamMember.objects.count()) == (None, 2)
    Denial.objects.filter(pk=denial.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Api(manager)("DELETE", path).status_code == 204


def test_admin_lifts_no_denial_that_only_an_owner_may_make(owner, project, organization):
    admin, other_owner = (member_of(project, role=each) for each in (OrganizationRole.ADMIN, OrganizationRole.OWNER))
    team = team_of(organization, other_owner)
    denials = [deny(other_owner, project), deny(team, project)]
    api = Api(admin)

    refused = [
        *(api("DELETE", f"denials/{denial.pk}/") for denial in denials),
        api("DELETE", f"teams/{team.pk}/people/{other_owner.pk}/"),
        api("DELETE", f"teams/{team.pk}/"),
    ]

    assert [answer.status_code for answer in refused] == [403] * 4
    assert (role(other_owner, project), Denial.objects.count(), TeamMember.objects.count()) == (None, 2, 1)
    assert {Api(owner)("DELETE", f"denials/{denial.pk}/").status_code for denial in denials} == {204}


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize("path", ["teams/", "denials/", "service-accounts/"])
def test_lists_take_the_same_few_queries(owner, project, organization, path, count, django_assert_max_num_queries):
    from apps.accounts.services import service_accounts

    member_of(ProjectFactory(owner=UserFactory()))
    for _each in range(count):
        user = member_of(project)
        team_of(organization, user)
        deny(user, organization)
        service_accounts.create_service_account(actor=actor_of(owner), organization_id=organization.pk, name="Program")
    api = Api(owner)
    api("GET", path)

    with django_assert_max_num_queries(4):
        assert len(api("GET", path).json()["results"]) == count
