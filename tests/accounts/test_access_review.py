"""The review says what the policies say, and names what deserves a look."""

import csv
import io
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from apps.accounts import access_review, selectors
from apps.accounts.models import (
    ApiKey,
    Denial,
    Project,
    ProjectMember,
    ProjectTeam,
    Team,
    TeamMember,
    User,
    UserSession,
)
from apps.accounts.services import invitations
from apps.accounts.types import Finding, OrganizationRole, Permission, ProjectAccess, ProjectRole, SessionKind, Way
from apps.conversations import services as conversations
from apps.conversations.types import Visibility
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of, bearer, join, key_of, team_of
from tests.conversations.factories import start

LONG_AGO = timedelta(days=120)


@pytest.fixture
def owner(db):
    return UserFactory(name="Ann Owner")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner, name="Harbour")


@pytest.fixture
def closed(project):
    return ProjectFactory(organization=project.organization, name="Lighthouse", access=ProjectAccess.RESTRICTED)


def belongs(project, name, role=OrganizationRole.MEMBER):
    user = UserFactory(name=name)
    join(user, project.organization, role=role)
    return user


def seen(user, ago):
    at = timezone.now() - ago
    UserSession.objects.create(
        user=user, kind=SessionKind.COOKIE, epoch=user.epoch, last_seen_at=at, expires_at=at + timedelta(days=30)
    )


def reviewed(owner, project):
    found = access_review.review(viewer=actor_of(owner), organization_id=project.organization_id)
    return {each.user_id: each for each in found}


def rights(each):
    return {right.project: (right.role, right.ways, right.denied) for right in each.projects}


def test_review_names_every_way_and_what_is_denied(owner, project, closed):
    member, guest, barred = (
        belongs(project, "Ben"),
        belongs(project, "Gil", OrganizationRole.GUEST),
        belongs(project, "Kim"),
    )
    team = Team.objects.create(organization=project.organization, name="Crew")
    for user in (guest, barred):
        TeamMember.objects.create(organization=project.organization, team=team, user=user)
    ProjectTeam.objects.create(organization=project.organization, team=team, project=closed, role=ProjectRole.MANAGER)
    Denial.objects.create(organization=project.organization, user=barred, project=closed, permission=Permission.POST)

    found = reviewed(owner, project)

    assert rights(found[owner.pk]) == {
        "Harbour": (ProjectRole.MANAGER, [Way.ADMIN], None),
        "Lighthouse": (ProjectRole.MANAGER, [Way.ADMIN], None),
    }
    assert rights(found[member.pk]) == {"Harbour": (ProjectRole.EDITOR, [Way.OPEN], None)}
    assert rights(found[guest.pk]) == {"Lighthouse": (ProjectRole.MANAGER, [Way.TEAM], None)}
    assert rights(found[barred.pk])["Lighthouse"] == (ProjectRole.VIEWER, [Way.TEAM], Permission.POST)
    assert Finding.GUEST_MANAGES in found[guest.pk].findings


def test_review_says_what_the_selectors_say(owner, project, closed):
    people = [belongs(project, f"Person {number}") for number in range(4)]
    ProjectMember.objects.create(
        organization=project.organization, project=project, user=people[0], role=ProjectRole.VIEWER
    )
    ProjectMember.objects.create(
        organization=project.organization, project=closed, user=people[1], role=ProjectRole.EDITOR
    )
    Denial.objects.create(organization=project.organization, user=people[2], project=None, permission=Permission.VIEW)

    found = reviewed(owner, project)

    for user in [owner, *people]:
        told = {right.project_id: right.role for right in found[user.pk].projects if right.role}
        visible = selectors.visible_projects(actor_of(user)).filter(organization=project.organization)
        assert told == {each.pk: selectors.role_in(actor_of(user), each) for each in visible.with_roles_of(user.pk)}
    assert Project.objects.count() == 2


def test_who_was_not_seen_and_keys_that_nobody_needs_are_found(owner, project):
    late, never = belongs(project, "Late"), belongs(project, "Never")
    seen(owner, timedelta(hours=1))
    seen(late, LONG_AGO)
    key_of(owner, project.organization)
    key_of(late, project.organization, scopes=("models:read",))
    old = ApiKey.objects.get(user=late)
    ApiKey.objects.filter(pk=old.pk).update(
        created_at=timezone.now() - LONG_AGO, expires_at=timezone.now() + timedelta(days=1)
    )

    found = reviewed(owner, project)

    assert found[owner.pk].findings == [Finding.NO_SECOND_FACTOR]
    assert found[owner.pk].keys[0].findings == [Finding.KEY_WITHOUT_END, Finding.KEY_WITHOUT_LIMITS]
    assert found[late.pk].findings == [Finding.STALE]
    assert found[late.pk].keys[0].findings == [Finding.KEY_UNUSED]
    assert found[never.pk].findings == [Finding.NEVER_SEEN]


def test_account_that_is_switched_off_stays_in_the_review_with_what_it_would_have_again(owner, project):
    gone = belongs(project, "Gone", OrganizationRole.ADMIN)
    User.objects.filter(pk=gone.pk).update(is_active=False)

    found = reviewed(owner, project)[gone.pk]

    assert found.findings == [Finding.SWITCHED_OFF]
    assert [right.role for right in found.projects] == [ProjectRole.MANAGER]


def test_page_says_when_there_are_more_to_choose_from_than_it_lists(owner, project, monkeypatch):
    browser = Client()
    browser.force_login(owner)
    belongs(project, "Ben")
    sentence = "There is more to choose from than a list holds"
    assert sentence not in browser.get("/settings/denials/").content.decode()

    monkeypatch.setattr("apps.accounts.pages.settings.OFFERED", 1)

    assert sentence in browser.get("/settings/denials/").content.decode()


def test_review_says_how_people_sign_in_and_what_they_have_beside_roles(owner, project):
    admin, guest = belongs(project, "Ada", OrganizationRole.ADMIN), belongs(project, "Gil", OrganizationRole.GUEST)
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    Authenticator.objects.create(user=owner, type=Authenticator.Type.TOTP, data={})
    SocialAccount.objects.create(user=admin, provider="sand", uid="1")
    plain = belongs(project, "Pia", OrganizationRole.ADMIN)
    shared, other = (start(actor_of(owner), project, visibility=each) for each in (Visibility.LINK, Visibility.PRIVATE))
    team = team_of(project.organization, guest, plain)
    for conversation in (shared, other):
        conversations.invite_participant(actor=actor_of(owner), conversation_id=conversation.pk, user_id=guest.pk)
        conversations.invite_participant(actor=actor_of(owner), conversation_id=conversation.pk, team_id=team.pk)
    conversations.make_link(actor=actor_of(owner), conversation_id=shared.pk)
    elsewhere = ProjectFactory(owner=guest)
    conversations.invite_participant(
        actor=actor_of(guest),
        conversation_id=start(actor_of(guest), elsewhere).pk,
        user_id=belongs(elsewhere, "Zoe").pk,
    )

    found = reviewed(owner, project)

    def told(user):
        each = found[user.pk]
        is_weak = Finding.NO_SECOND_FACTOR in each.findings
        return each.is_operator, each.has_second_factor, each.identities, is_weak, {g.name: g.count for g in each.given}

    assert told(owner) == (True, True, [], False, {"links": 1})
    assert told(admin) == (False, False, ["sand"], False, {})
    assert told(plain) == (False, False, [], True, {"let_in": 2})
    assert told(guest) == (False, False, [], False, {"let_in": 2})


def test_page_comes_in_parts_and_names_open_invitations(client, owner, project, monkeypatch):
    monkeypatch.setattr("apps.accounts.pages.access.SHOWN", 2)
    for name in ("Ben", "Cleo", "Dora"):
        belongs(project, name)
    invitations.invite(actor=actor_of(owner), organization_id=project.organization_id, email="soon@example.org")
    browser = Client()
    browser.force_login(owner)

    pages = [browser.get("/settings/access/", {"page": page}).content.decode() for page in (1, 2)]
    told = client.get(
        "/api/v1/access-review/",
        {"organization": project.organization_id},
        headers=bearer(key_of(owner, project.organization)),
    ).json()

    lists = [page.partition('<ul class="list boxed">')[2] for page in pages]
    assert [[name in people for name in ("Ann Owner", "Ben", "Cleo", "Dora")] for people in lists] == [
        [True, True, False, False],
        [False, False, True, True],
    ]
    assert "page=2" in pages[0]
    assert "page=1" in pages[1]
    assert "soon@example.org" in pages[0]
    assert len(told["people"]) == 4
    assert [(each["email"], each["role"]) for each in told["invitations"]] == [("soon@example.org", "member")]


def test_members_may_not_and_strangers_learn_nothing(client, owner, project):
    member, stranger = belongs(project, "Ben"), UserFactory()
    own = ProjectFactory(owner=stranger)
    asked = {"organization": project.organization_id}

    def status(user, organization):
        return client.get("/api/v1/access-review/", asked, headers=bearer(key_of(user, organization))).status_code

    assert status(member, project.organization) == 403
    assert status(stranger, own.organization) == 404
    assert status(owner, project.organization) == 200


def test_page_filters_and_saves_a_table_without_formulas(owner, project):
    belongs(project, "=HYPERLINK(1)")
    client = Client()
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})

    page = client.get("/settings/access/").content.decode()
    filtered = client.get("/settings/access/", {"finding": "never_seen"}).content.decode()
    rows = list(csv.DictReader(io.StringIO(client.get("/settings/access/", {"format": "csv"}).content.decode())))

    assert "Ann Owner" in page
    assert "?finding=never_seen" in page
    assert "Ann Owner" not in filtered.partition('<ul class="list boxed">')[2]
    assert {row["name"] for row in rows} == {"Ann Owner", "'=HYPERLINK(1)"}
    assert {(row["project"], row["project_role"], row["ways"]) for row in rows} == {
        ("Harbour", "manager", "admin"),
        ("Harbour", "editor", "open"),
    }


@pytest.mark.parametrize("people", [1, 3, 30])
def test_review_takes_the_same_statements_for_many(client, owner, project, people, django_assert_num_queries):
    for number in range(people):
        user = belongs(project, f"Person {number}")
        key_of(user, project.organization)
        seen(user, timedelta(hours=number))
    actor = actor_of(owner)
    selectors.visible_organizations(actor).first()

    with django_assert_num_queries(19):
        assert len(access_review.review(viewer=actor, organization_id=project.organization_id)) == people + 1
