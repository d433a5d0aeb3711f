"""Somebody leaves, is removed, or is switched off: what would be without anybody is offered to others, and goes to one of them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import AuditEntry, OrganizationMember, ProjectMember
from apps.accounts.services import belongings, organizations
from apps.accounts.types import HeirNotFit, OrganizationRole, ProjectRole, StillInUse
from apps.conversations.models import Conversation
from apps.core import preferences
from apps.core.errors import Forbidden
from apps.core.mail import MailMessage
from apps.core.models import Event
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    join,
    key_of,
    member_of,
)
from tests.accounts.test_audit import record_all
from tests.conversations.factories import start

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner, name="Harbour")


@pytest.fixture
def leaver(project):
    """They alone manage the project, and started a conversation that all in it see."""
    user = member_of(project)
    add_to_project(user, project, role=ProjectRole.MANAGER)
    start(actor_of(user), project, title="Shared")
    return user


def membership(user):
    return OrganizationMember.objects.get(user=user)


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def manager_of(project):
    return ProjectMember.objects.get(project=project, role=ProjectRole.MANAGER).user


def test_who_removes_somebody_gets_what_they_leave(owner, project, leaver):
    organizations.remove_member(actor=actor_of(owner), member_id=membership(leaver).pk)

    assert manager_of(project) == owner
    assert Conversation.objects.get().owner_id == owner.pk
    handed = Event.objects.get(type="accounts.belongings_handed_over")
    assert handed.payload == {
        "user_id": str(leaver.pk),
        "heir_id": str(owner.pk),
        "projects": 1,
        "things": 1,
    }
    assert not MailMessage.objects.exists()  # who did it knows


def test_heir_is_chosen_and_told(owner, project, leaver):
    heir = member_of(project)

    organizations.remove_member(actor=actor_of(owner), member_id=membership(leaver).pk, heir_id=heir.pk)

    assert manager_of(project) == heir
    assert Conversation.objects.get().owner_id == heir.pk
    assert [mail.recipient for mail in MailMessage.objects.all()] == [heir.email]


def test_who_leaves_without_choosing_leaves_it_to_the_longest_standing_owner(owner, project, leaver):
    join(UserFactory(), project.organization, role=OrganizationRole.OWNER)

    organizations.remove_member(actor=actor_of(leaver), member_id=membership(leaver).pk)

    assert manager_of(project) == owner
    assert Conversation.objects.get().owner_id == owner.pk


def test_projects_that_others_manage_too_are_not_handed_over(owner, project, leaver):
    add_to_project(member_of(project), project, role=ProjectRole.MANAGER)

    organizations.remove_member(actor=actor_of(owner), member_id=membership(leaver).pk)

    assert not ProjectMember.objects.filter(user=owner).exists()


@pytest.mark.parametrize("whom", ["guest", "program", "switched off", "stranger", "leaver"])
def test_only_members_in_use_inherit(whom, owner, project, leaver):
    user = {
        "guest": lambda: member_of(project, role=OrganizationRole.GUEST),
        "program": lambda: join(UserFactory(is_service=True), project.organization).user,
        "switched off": lambda: join(UserFactory(is_active=False), project.organization).user,
        "stranger": UserFactory,
        "leaver": lambda: leaver,
    }[whom]()

    with pytest.raises(HeirNotFit):
        organizations.remove_member(actor=actor_of(owner), member_id=membership(leaver).pk, heir_id=user.pk)

    assert membership(leaver).user == leaver
    assert Conversation.objects.get().owner_id == leaver.pk


def test_belongings_of_somebody_switched_off_are_handed_over_and_they_stay(owner, project, leaver):
    leaver.is_active = False
    leaver.save()

    handed = belongings.hand_over(actor=actor_of(owner), member_id=membership(leaver).pk)

    assert handed == {"projects": 1, "conversations": 1}
    assert membership(leaver).role == OrganizationRole.MEMBER
    assert ProjectMember.objects.filter(user=leaver).exists()
    assert belongings.hand_over(actor=actor_of(owner), member_id=membership(leaver).pk) == {}


def test_who_is_in_use_keeps_what_is_theirs(owner, leaver):
    with pytest.raises(StillInUse):
        belongings.hand_over(actor=actor_of(owner), member_id=membership(leaver).pk)


def test_members_hand_over_nothing_of_others(project, leaver):
    with pytest.raises(Forbidden):
        belongings.hand_over(actor=actor_of(member_of(project)), member_id=membership(leaver).pk)


def test_audit_names_both_by_pseudonyms(owner, project, leaver):
    organizations.remove_member(actor=actor_of(owner), member_id=membership(leaver).pk)
    record_all()

    entry = next(row for row in audit_rows() if row.action == "accounts.belongings_handed_over")
    assert str(leaver.pk) not in str(entry.details)
    assert str(owner.pk) not in str(entry.details)
    assert "conversations.conversation_handed_over" in {row.action for row in audit_rows()}


def audit_rows():
    return list(AuditEntry.objects.all())


# Page


def test_page_says_what_is_handed_over_and_to_whom(owner, project, leaver):
    start(actor_of(leaver), project, title="Secret", visibility="private")
    path = f"/settings/people/{membership(leaver).pk}/leave/"

    page = browser_of(owner).get(path).content.decode()

    assert "Harbour" in page
    assert "Conversations that others see: 1" in page  # the private one is nobody's to count
    assert "Secret" not in page
    assert f'<option value="{owner.pk}" selected' in page


def test_page_removes_with_the_heir(owner, project, leaver):
    heir = member_of(project)
    path = f"/settings/people/{membership(leaver).pk}/leave/"

    answer = browser_of(owner).post(path, {"form": "remove", "heir": str(heir.pk)})

    assert answer["Location"] == "/settings/people/"
    assert manager_of(project) == heir


def test_somebody_leaves_by_themselves(owner, project, leaver):
    browser = browser_of(leaver)
    path = f"/settings/people/{membership(leaver).pk}/leave/"
    assert path in browser.get("/settings/people/").content.decode()

    answer = browser.post(path, {"form": "remove", "heir": ""})

    assert answer["Location"] == "/accounts/login/"
    assert not OrganizationMember.objects.filter(user=leaver).exists()


def test_page_of_somebody_switched_off_hands_over_only(owner, project, leaver):
    leaver.is_active = False
    leaver.save()
    path = f"/settings/people/{membership(leaver).pk}/leave/"
    browser = browser_of(owner)

    assert "Switched off" in browser.get("/settings/people/").content.decode()
    assert "let them stay" in browser.get(path).content.decode()
    browser.post(path, {"form": ["remove", "hand_over"], "heir": ""})

    assert membership(leaver).user == leaver
    assert ProjectMember.objects.get(project=project, user=owner).role == ProjectRole.MANAGER


def test_page_is_not_for_others(project, leaver):
    path = f"/settings/people/{membership(leaver).pk}/leave/"
    outsider = UserFactory()
    ProjectFactory(owner=outsider)

    assert browser_of(member_of(project)).get(path).status_code == 403
    assert browser_of(outsider).get(path).status_code == 404
    assert browser_of(member_of(project)).post(path, {"form": "remove"}).status_code == 403
    assert OrganizationMember.objects.filter(user=leaver).exists()


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_page_costs_the_same_for_many(rows, owner, project, leaver, monkeypatch):
    monkeypatch.setattr(preferences, "KEEP_SECONDS", 600)
    for number in range(rows):
        add_to_project(leaver, ProjectFactory(organization=project.organization), role=ProjectRole.MANAGER)
        member_of(project)
        start(actor_of(leaver), project, title=f"{number}")
    browser = browser_of(owner)
    path = f"/settings/people/{membership(leaver).pk}/leave/"
    browser.get(path)

    with CaptureQueriesContext(connection) as asked:
        browser.get(path)

    assert len(asked) == 19


# API


def test_api_tells_hands_over_and_removes(owner, project, leaver):
    heir = member_of(project)
    headers = bearer(key_of(owner, project.organization))
    path = f"/api/v1/members/{membership(leaver).pk}/"
    client = Client(headers=headers)

    told = client.get(f"{path}belongings/").json()
    early = client.post(f"{path}hand-over/", {"heir": str(heir.pk)}, content_type="application/json")
    unfit = client.delete(f"{path}?heir={leaver.pk}")
    removed = client.delete(f"{path}?heir={heir.pk}")

    assert told == {
        "projects": [{"id": str(project.pk), "name": "Harbour"}],
        "things": {"collections": 0, "conversations": 1},
    }
    assert (early.status_code, early.json()["code"]) == (409, "still_in_use")
    assert (unfit.status_code, unfit.json()["code"]) == (400, "heir_not_fit")
    assert removed.status_code == 204
    assert manager_of(project) == heir


def test_whoever_belongs_nowhere_is_told_so_and_led_to_their_account(client):
    client.force_login(user := UserFactory())

    shown = client.get("/", follow=True).content.decode()

    assert "You belong to no organization" in shown
    assert client.get("/settings/profile/").status_code == 200
    assert user.email in client.get("/settings/profile/").content.decode()
