"""Why somebody can, or cannot, get at a project or a conversation: all layers, and what is left of them is what the policies say."""

import itertools

import pytest
from django.test import Client

from apps.accounts import explanations, selectors
from apps.accounts.models import Denial
from apps.accounts.services import denials
from apps.accounts.types import OrganizationRole, Permission, ProjectAccess, ProjectRole
from apps.conversations import explanations as in_conversations
from apps.conversations import services
from apps.core.errors import Forbidden, NotFound
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    deny,
    give_team,
    key_of,
    member_of,
    team_of,
)
from tests.conversations.factories import start

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner, name="Harbour")


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def explain(viewer, project, user):
    return explanations.explain(viewer=actor_of(viewer), project_id=project.pk, user_id=user.pk)


def said(found):
    return [(layer.kind, layer.name, layer.gives, layer.takes) for layer in found]


def test_every_layer_is_named(owner, project):
    user = member_of(project, role=OrganizationRole.GUEST)
    add_to_project(user, project, role=ProjectRole.VIEWER)
    team = team_of(project.organization, user, name="Quay")
    give_team(team, project, role=ProjectRole.EDITOR)
    deny(team, project.organization, permission=Permission.POST)
    deny(user, project, permission=Permission.MANAGE)

    found = explain(owner, project, user)

    assert said(found.layers) == [
        ("organization", "Guest", None, None),
        ("own", "Viewer", "viewer", None),
        ("team", "Quay", "editor", None),
        ("denial", "All projects · Quay", None, "post"),
        ("denial", "Harbour", None, "manage"),
    ]
    assert found.role == ProjectRole.VIEWER


def test_member_of_an_open_project_and_admin(owner, project):
    member = member_of(project)

    assert said(explain(owner, project, member).layers) == [
        ("organization", "Member", None, None),
        ("open", "Everyone in the organization", "editor", None),
    ]
    assert said(explain(owner, project, owner).layers) == [("organization", "Owner", "manager", None)]


@pytest.mark.parametrize("access", ProjectAccess)
@pytest.mark.parametrize("role", OrganizationRole)
def test_what_is_left_is_what_the_policies_say(role, access, owner):
    for own, team_role, denied in itertools.product(
        [None, ProjectRole.VIEWER], [None, ProjectRole.EDITOR], [None, *Permission]
    ):
        project = ProjectFactory(owner=owner, access=access)
        user = member_of(project, role=role)
        if own:
            add_to_project(user, project, role=own)
        if team_role:
            give_team(team_of(project.organization, user), project, role=team_role)
        if denied:
            deny(user, project, permission=denied)

        assert explain(owner, project, user).role == selectors.project_role(actor_of(user), project.pk)


def test_it_is_for_those_who_manage_the_project(owner, project):
    user, outsider = member_of(project), UserFactory()
    elsewhere = ProjectFactory(owner=outsider)

    with pytest.raises(Forbidden):
        explain(user, project, owner)
    with pytest.raises(NotFound):
        explain(outsider, project, owner)
    with pytest.raises(NotFound):
        explain(owner, project, outsider)
    assert explain(outsider, elsewhere, outsider).role == ProjectRole.MANAGER


def test_api_says_the_same(owner, project):
    user = member_of(project)
    api = Client(headers=bearer(key_of(owner, project.organization)))

    told = api.get(f"/api/v1/projects/{project.pk}/access/?user={user.pk}").json()

    assert (told["user"], told["role"]) == (str(user.pk), "editor")
    assert told["layers"][1] == {
        "kind": "open",
        "name": "Everyone in the organization",
        "gives": "editor",
        "takes": None,
        "until": None,
    }
    assert api.get(f"/api/v1/projects/{project.pk}/access/").status_code == 400


def test_page_explains_and_the_review_leads_there(owner, project):
    user = member_of(project)
    deny(user, project)
    browser = browser_of(owner)
    path = f"/settings/projects/{project.pk}/?user={user.pk}"

    shown = browser.get(path).content.decode()

    assert "no access" in shown
    assert "takes away: See it" in shown
    assert f"{path}#why" in browser.get("/settings/access/").content.decode()
    assert "Why can somebody" not in browser_of(member_of(project)).get(path).content.decode()
    assert browser.get(f"/settings/projects/{project.pk}/?user={UserFactory().pk}").status_code == 404


# Denials, by those who manage a project


def test_manager_of_a_project_finds_the_page_and_denies_there(owner, project):
    manager, somebody = member_of(project), member_of(project)
    add_to_project(manager, project, role=ProjectRole.MANAGER)
    other = ProjectFactory(organization=project.organization)
    deny(somebody, other)
    browser = browser_of(manager)

    menu = browser.get("/settings/profile/").content.decode()
    page = browser.get("/settings/denials/").content.decode()
    browser.post(
        "/settings/denials/",
        {"form": "deny", "whom": f"user_id:{somebody.pk}", "where": str(project.pk), "permission": "view"},
    )

    assert "/settings/denials/" in menu
    assert "/settings/service-accounts/" not in menu
    assert "All projects" not in page
    assert 'value="lift"' not in page  # of a project that they do not manage
    assert Denial.objects.filter(project=project, user=somebody, denied_by=manager).exists()
    assert "/settings/denials/" not in browser_of(somebody).get("/settings/profile/").content.decode()


# Conversations


def test_layers_of_a_conversation(owner, project):
    starter, guest = member_of(project), member_of(project, role=OrganizationRole.GUEST)
    talk = start(actor_of(starter), project, visibility="private")
    services.invite_participant(actor=actor_of(starter), conversation_id=talk.pk, user_id=guest.pk)

    found, may, layers = in_conversations.explain(viewer=actor_of(starter), conversation_id=talk.pk, user_id=guest.pk)
    assert (found.role, may) == (None, Permission.POST)
    assert said(layers) == [("privacy", "Only me and people I add", None, None), ("grant", "", "post", None)]

    services.deny_participant(
        actor=actor_of(starter), conversation_id=talk.pk, user_id=guest.pk, permission=Permission.POST
    )
    _found, may, layers = in_conversations.explain(viewer=actor_of(starter), conversation_id=talk.pk, user_id=guest.pk)
    assert may == Permission.VIEW
    assert said(layers)[-1] == ("denial", "", None, "post")


def test_private_conversation_is_explained_to_its_owner_alone(owner, project):
    starter = member_of(project)
    talk = start(actor_of(starter), project, visibility="private")
    path = f"/api/v1/conversations/{talk.pk}/access/?user={owner.pk}"

    by_admin = Client(headers=bearer(key_of(owner, project.organization))).get(path)
    by_owner = Client(headers=bearer(key_of(starter, project.organization))).get(path)

    assert by_admin.status_code == 404
    assert (by_owner.json()["may"], by_owner.json()["role"]) == (None, "manager")


def test_who_only_writes_in_a_conversation_gets_no_explanation(owner, project):
    starter, writer = member_of(project), member_of(project)
    talk = start(actor_of(starter), project)

    with pytest.raises(Forbidden):
        in_conversations.explain(viewer=actor_of(writer), conversation_id=talk.pk, user_id=starter.pk)
    assert in_conversations.explain(viewer=actor_of(owner), conversation_id=talk.pk, user_id=writer.pk)[1] == "post"


def test_denial_that_ended_is_no_layer(owner, project):
    user = member_of(project)
    made = denials.deny(
        actor=actor_of(owner), organization_id=project.organization_id, user_id=user.pk, permission=Permission.VIEW
    )
    denials.lift_denial(actor=actor_of(owner), denial_id=made.pk)

    assert explain(owner, project, user).role == ProjectRole.EDITOR
