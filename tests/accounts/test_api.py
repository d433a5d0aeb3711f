"""The accounts' part of the API, over HTTP."""

import json

import pytest
from django.test import Client

from apps.accounts import founding
from apps.accounts.models import (
    ApiKey,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    User,
    UserSession,
)
from apps.accounts.services import invitations
from apps.accounts.types import OrganizationRole, ProjectAccess, ProjectRole
from apps.core.models import Event, MailMessage
from tests.accounts.factories import (
    PASSWORD,
    OrganizationFactory,
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    join,
    key_of,
    member_of,
    reader_of,
)

pytestmark = pytest.mark.django_db


class Api:
    """A member's own client: a token pair, JSON in and out."""

    def __init__(self, user, *, key=None):
        self.client = Client()
        if key is None:
            answer = self.client.post(
                "/api/v1/auth/token/", {"email": user.email, "password": PASSWORD}, content_type="application/json"
            )
            key = answer.json()["access"]
        self.headers = bearer(key)

    def __call__(self, method, path, body=None, **headers):
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            data=json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=self.headers | headers,
        )


def test_me_says_who_the_key_acts_for(owner, project):
    me = Api(owner)("GET", "me/").json()

    assert (me["id"], me["email"]) == (str(owner.pk), owner.email)
    assert me["organizations"] == [
        {"id": str(project.organization_id), "name": project.organization.name, "role": "owner"}
    ]


def test_me_change_takes_known_fields_only(owner):
    api = Api(owner)

    changed = api("PATCH", "me/", {"name": "Inês", "time_zone": "Europe/Lisbon"})
    wrong = api("PATCH", "me/", {"time_zone": "Nowhere/Else"})

    assert (changed.status_code, changed.json()["name"]) == (200, "Inês")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "time_zone")
    assert Event.objects.filter(type="accounts.profile_changed").count() == 1


def test_profile_that_was_changed_elsewhere_meanwhile_is_not_overwritten(owner):
    api = Api(owner)
    read = {"If-Match": api("GET", "me/").headers["ETag"]}

    changed = api("PATCH", "me/", {"time_zone": "Europe/Lisbon"}, **read)
    same = api("PATCH", "me/", {"time_zone": "Europe/Lisbon"})
    late = api("PATCH", "me/", {"time_zone": "Europe/Berlin"}, **read)

    assert (changed.status_code, changed.json()["version"], changed.headers["ETag"]) == (200, 2, '"2"')
    assert same.headers["ETag"] == '"2"'
    assert (late.status_code, late.json()["code"], late.json()["current"]) == (412, "version_mismatch", 2)
    assert api("GET", "me/").json()["time_zone"] == "Europe/Lisbon"


def test_sessions_are_listed_and_ended(owner):
    api, other = Api(owner), Api(owner)

    listed = api("GET", "me/sessions/").json()["results"]
    ended = api("DELETE", f"me/sessions/{next(s['id'] for s in listed if not s['is_current'])}/")

    assert [s["is_current"] for s in listed].count(True) == 1
    assert ended.status_code == 204
    assert other("GET", "me/").status_code == 401
    assert api("GET", "me/").status_code == 200


def test_session_of_somebody_else_is_not_found(owner):
    stranger = UserFactory()
    Api(stranger)
    session = UserSession.objects.get(user=stranger)

    assert Api(owner)("DELETE", f"me/sessions/{session.pk}/").status_code == 404
    session.refresh_from_db()
    assert session.ended_at is None


def test_organizations_are_made_read_and_changed(owner):
    api = Api(owner)

    made = api("POST", "organizations/", {"name": "Harbour"})
    path = f"organizations/{made.json()['id']}/"
    changed = api("PATCH", path, {"name": "Harbour Two"}, **{"If-Match": made["ETag"]})
    stale = api("PATCH", path, {"name": "Late"}, **{"If-Match": made["ETag"]})

    assert (made.status_code, made.json()["role"]) == (201, "owner")
    assert (changed.status_code, changed.json()["name"], changed["ETag"]) == (200, "Harbour Two", '"2"')
    assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (412, "version_mismatch", 2)
    assert [row["name"] for row in api("GET", "organizations/").json()["results"]] == ["Harbour Two"]


def test_person_makes_a_few_organizations_and_an_operator_any_number(owner, project, monkeypatch):
    monkeypatch.setenv(founding.MOST.environment, "2")
    api = Api(owner)

    made, beyond = (api("POST", "organizations/", {"name": name}) for name in ("Second", "Third"))

    assert made.status_code == 201
    assert (beyond.status_code, beyond.json()["code"]) == (409, "too_many_organizations")
    assert Organization.objects.filter(name="Third").count() == 0
    User.objects.filter(pk=owner.pk).update(is_superuser=True, is_staff=True)
    assert Api(owner)("POST", "organizations/", {"name": "Third"}).status_code == 201


@pytest.mark.parametrize(("sign_up", "status"), [("invitation", 403), ("open", 201)])
def test_guest_makes_organizations_only_where_everybody_may_come(project, settings, sign_up, status):
    settings.PARLANCE_SIGN_UP = sign_up
    guest = member_of(project, role=OrganizationRole.GUEST)

    assert Api(guest)("POST", "organizations/", {"name": "Mine"}).status_code == status
    assert Organization.objects.filter(name="Mine").exists() is (status == 201)
    assert Api(member_of(project))("POST", "organizations/", {"name": "Ours"}).status_code == 201


def test_projects_are_made_changed_archived_and_restored(owner, project):
    api = Api(owner)

    made = api("POST", "projects/", {"organization": str(project.organization_id), "name": "Spring"})
    path = f"projects/{made.json()['id']}/"
    changed = api("PATCH", path, {"access": "restricted"})
    archived = api("POST", f"{path}archive/")
    listed = api("GET", "projects/").json()["results"]
    restored = api("POST", f"{path}restore/")

    assert (made.status_code, made.json()["role"]) == (201, "manager")
    assert changed.json()["access"] == "restricted"
    assert archived.json()["archived_at"] is not None
    assert [row["name"] for row in listed] == [project.name]
    assert restored.json()["archived_at"] is None
    assert list(
        Event.objects.filter(subject_id=made.json()["id"]).order_by("insertion").values_list("type", flat=True)
    ) == [
        "accounts.project_created",
        "accounts.project_changed",
        "accounts.project_archived",
        "accounts.project_restored",
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "projects/{project}/", None),
        ("PATCH", "projects/{project}/", {"name": "x"}),
        ("POST", "projects/{project}/archive/", None),
        ("POST", "projects/{project}/restore/", None),
        ("GET", "projects/{project}/people/", None),
        ("PUT", "projects/{project}/people/{user}/", {"role": "viewer"}),
        ("DELETE", "projects/{project}/people/{user}/", None),
        ("GET", "organizations/{organization}/", None),
        ("PATCH", "organizations/{organization}/", {"name": "x"}),
        ("GET", "members/{member}/", None),
        ("PATCH", "members/{member}/", {"role": "owner"}),
        ("DELETE", "members/{member}/", None),
        ("GET", "members/{member}/belongings/", None),
        ("POST", "members/{member}/hand-over/", {}),
        ("DELETE", "invitations/{invitation}/", None),
        ("GET", "api-keys/{key}/", None),
        ("PATCH", "api-keys/{key}/", {"name": "x"}),
        ("POST", "api-keys/{key}/renew/", {}),
        ("DELETE", "api-keys/{key}/", None),
        ("POST", "projects/", {"organization": "{organization}", "name": "x"}),
        ("POST", "invitations/", {"organization": "{organization}", "email": "x@example.org"}),
        ("POST", "api-keys/", {"organization": "{organization}", "name": "x"}),
    ],
)
def test_strangers_get_404_and_nothing_changes(owner, project, method, path, body):
    invited = invitations.invite(actor=actor_of(owner), organization_id=project.organization_id, email="i@example.org")
    key_of(owner, project.organization)
    stranger = UserFactory()
    ProjectFactory(owner=stranger)
    ids = {
        "project": project.pk,
        "organization": project.organization_id,
        "user": owner.pk,
        "member": OrganizationMember.objects.get(user=owner).pk,
        "invitation": invited.invitation.pk,
        "key": ApiKey.objects.get().pk,
    }
    api = Api(stranger)
    before = (Event.objects.count(), Project.objects.count(), OrganizationMember.objects.count())

    answer = api(
        method, path.format(**ids), {k: v.format(**ids) for k, v in body.items()} if body is not None else None
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (Event.objects.count(), Project.objects.count(), OrganizationMember.objects.count()) == before


def test_reader_may_read_the_project_and_change_nothing(owner, project):
    api = Api(reader_of(project))

    assert api("GET", f"projects/{project.pk}/").json()["role"] == "viewer"
    assert api("PATCH", f"projects/{project.pk}/", {"name": "x"}).status_code == 403
    assert api("POST", f"projects/{project.pk}/archive/").status_code == 403
    assert api("PUT", f"projects/{project.pk}/people/{owner.pk}/", {"role": "viewer"}).status_code == 403
    project.refresh_from_db()
    assert (project.version, project.archived_at) == (1, None)


def test_guest_sees_only_projects_they_were_added_to(owner, project):
    guest = member_of(project, role=OrganizationRole.GUEST)
    other = ProjectFactory(organization=project.organization)
    api = Api(guest)

    assert api("GET", "projects/").json()["results"] == []
    assert api("POST", "projects/", {"organization": str(project.organization_id), "name": "x"}).status_code == 403
    add_to_project(guest, other, role=ProjectRole.VIEWER)

    assert [row["id"] for row in api("GET", "projects/").json()["results"]] == [str(other.pk)]
    assert [row["user"] for row in api("GET", "members/").json()["results"]] == [str(guest.pk)]


def test_people_of_a_project_are_set_and_removed(owner, project):
    member = member_of(project)
    api = Api(owner)
    path = f"projects/{project.pk}/people/{member.pk}/"

    assert api("PUT", path, {"role": "viewer"}).json()["role"] == "viewer"
    assert {p["role"] for p in api("GET", f"projects/{project.pk}/people/").json()["results"]} == {"manager", "viewer"}
    assert api("DELETE", path).status_code == 204
    assert api("DELETE", path).status_code == 404
    stranger = api("PUT", f"projects/{project.pk}/people/{UserFactory().pk}/", {"role": "viewer"})

    assert (stranger.status_code, stranger.json()["code"]) == (400, "not_a_member")
    assert not ProjectMember.objects.exists()


def test_admin_changes_roles_but_not_those_of_owners(owner, project):
    admin = member_of(project, role=OrganizationRole.ADMIN)
    member = join(UserFactory(), project.organization)
    mine = OrganizationMember.objects.get(user=owner)
    api = Api(admin)

    assert api("PATCH", f"members/{member.pk}/", {"role": "admin"}).json()["role"] == "admin"
    assert api("PATCH", f"members/{member.pk}/", {"role": "owner"}).status_code == 403
    assert api("PATCH", f"members/{mine.pk}/", {"role": "member"}).status_code == 403
    assert api("DELETE", f"members/{mine.pk}/").status_code == 403
    mine.refresh_from_db()
    assert mine.role == OrganizationRole.OWNER


def test_last_owner_stays(owner, project):
    mine = OrganizationMember.objects.get(user=owner)
    api = Api(owner)

    demoted = api("PATCH", f"members/{mine.pk}/", {"role": "member"})
    left = api("DELETE", f"members/{mine.pk}/")

    assert [(r.status_code, r.json()["code"]) for r in (demoted, left)] == [(409, "last_owner")] * 2


def test_removed_member_loses_everything_at_once(owner, project):
    member = member_of(project)
    add_to_project(member, project)
    key = key_of(member, project.organization)
    theirs = Api(member)
    row = OrganizationMember.objects.get(user=member)

    assert Api(owner)("DELETE", f"members/{row.pk}/").status_code == 204

    assert theirs("GET", "me/").status_code == 401
    assert Api(member, key=key)("GET", "me/").status_code == 401
    assert not ProjectMember.objects.filter(user=member).exists()


def test_invitation_is_mailed_and_accepted_once(owner, project):
    made = Api(owner)(
        "POST",
        "invitations/",
        {
            "organization": str(project.organization_id),
            "email": "New@example.org",
            "role": "guest",
            "project": str(project.pk),
            "project_role": "viewer",
        },
    ).json()
    token = made["link"].rstrip("/").rsplit("/", 1)[1]
    path = f"/accounts/invitation/{token}/"
    browser = Client()

    letter = MailMessage.objects.get()
    assert (letter.recipient, made["link"] in letter.text) == ("new@example.org", True)
    assert browser.get(path).status_code == 200
    assert browser.post(path, {"name": "New", "password": "123"}).status_code == 400
    assert browser.post(path, {"name": "New", "password": PASSWORD}).status_code == 302

    user = User.objects.get(email="new@example.org")
    assert OrganizationMember.objects.get(user=user).role == OrganizationRole.GUEST
    assert ProjectMember.objects.get(user=user).role == ProjectRole.VIEWER
    assert Client().get(path).status_code == 400
    assert Invitation.objects.get().accepted_by == user


def test_key_is_shown_once_and_works(owner, project):
    api = Api(owner)

    made = api("POST", "api-keys/", {"organization": str(project.organization_id), "name": "Report"})
    key = made.json()["key"]
    listed = api("GET", "api-keys/").json()["results"]

    assert (made.status_code, made["Cache-Control"], key[:3]) == (201, "no-store", "pk_")
    assert "key" not in listed[0]
    assert Api(owner, key=key)("GET", "me/").json()["id"] == str(owner.pk)
    assert api("DELETE", f"api-keys/{listed[0]['id']}/").status_code == 204
    assert Api(owner, key=key)("GET", "me/").status_code == 401


def test_key_limited_to_a_project_sees_nothing_else(owner, project):
    ProjectFactory(organization=project.organization)
    api = Api(owner, key=key_of(owner, project.organization, project=project))

    assert [row["id"] for row in api("GET", "projects/").json()["results"]] == [str(project.pk)]
    assert api("PATCH", f"organizations/{project.organization_id}/", {"name": "x"}).status_code == 403
    assert api("GET", "members/").json()["results"][0]["user"] == str(owner.pk)


def test_key_of_one_organization_does_not_know_the_other(owner, project):
    elsewhere = ProjectFactory(owner=owner)
    api = Api(owner, key=key_of(owner, project.organization))

    assert api("GET", f"projects/{elsewhere.pk}/").status_code == 404
    assert [row["id"] for row in api("GET", "organizations/").json()["results"]] == [str(project.organization_id)]


@pytest.mark.parametrize(
    "path", ["projects/", "members/", "organizations/", "api-keys/", "invitations/", "me/sessions/"]
)
@pytest.mark.parametrize("rows", [1, 3, 30])
def test_lists_take_at_most_six_queries(owner, project, path, rows, django_assert_max_num_queries):
    join(UserFactory(), OrganizationFactory())
    member_of(project)
    api = Api(owner)
    for number in range(rows):
        ProjectFactory(organization=project.organization, access=ProjectAccess.RESTRICTED)
        ProjectFactory(owner=owner)
        member_of(project)
        key_of(owner, project.organization)
        invitations.invite(
            actor=actor_of(owner), organization_id=project.organization_id, email=f"i{number}@example.org"
        )

    with django_assert_max_num_queries(6):
        answer = api("GET", path)

    assert answer.status_code == 200
    assert answer.json()["results"]


def test_pages_follow_the_cursor(owner, project):
    for _number in range(4):
        ProjectFactory(organization=project.organization)
    api = Api(owner)

    first = api("GET", "projects/?limit=2").json()
    second = api("GET", f"projects/?limit=2&cursor={first['next']}").json()
    third = api("GET", f"projects/?limit=2&cursor={second['next']}").json()

    names = [row["name"] for page in (first, second, third) for row in page["results"]]
    assert names == list(Project.objects.order_by("created_at", "pk").values_list("name", flat=True))
    assert third["next"] is None
    assert api("GET", "projects/?cursor=forged").status_code == 400
