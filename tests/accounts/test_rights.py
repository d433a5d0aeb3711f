"""Who has which role in a project: the SQL of ``visible_to`` and the Python of the policies, for random rights."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts import policies, selectors
from apps.accounts.models import Project
from apps.accounts.types import (
    SYSTEM,
    Actor,
    ActorKind,
    OrganizationRole,
    Permission,
    ProjectAccess,
    ProjectRole,
    highest,
    roles_from,
)
from tests.accounts import factories
from tests.accounts.factories import UserFactory, actor_of, add_to_project, deny, give_team, join, team_of

pytestmark = pytest.mark.django_db

TEAMS = range(3)
IN_FORCE = {None: True, "later": True, "over": False}

roles = st.sampled_from(list(ProjectRole))
denials = st.lists(
    st.tuples(
        st.sampled_from(["user", "other", *TEAMS]),
        st.sampled_from(["project", "beside", "organization", "elsewhere"]),
        st.sampled_from(list(Permission)),
        st.sampled_from(list(IN_FORCE)),
    ),
    max_size=4,
    unique_by=lambda denial: denial[:2],
)
rights = st.fixed_dictionaries(
    {
        "organization_role": st.sampled_from([None, *OrganizationRole]),
        "member_role": st.none() | roles,
        "access": st.sampled_from(list(ProjectAccess)),
        "is_deleted": st.booleans(),
        "teams": st.lists(
            st.fixed_dictionaries(
                {
                    "is_in": st.booleans(),
                    "is_deleted": st.booleans(),
                    "role": st.none() | roles,
                    "beside": st.none() | roles,
                }
            ),
            min_size=len(TEAMS),
            max_size=len(TEAMS),
        ),
        "denials": denials,
        "who": st.sampled_from(["person", "program"]),
        "key": st.sampled_from([None, "this organization", "other organization", "this project", "other project"]),
    }
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rights=rights)
def test_sql_agrees_with_the_policies_for_any_rights(rights):
    user, project, other = set_up(rights)
    actor = actor_for(rights, user, project, other)

    denied = strongest_denial(rights)
    role = policies.effective_role(
        organization_role=rights["organization_role"],
        member_role=rights["member_role"],
        team_role=highest(each["role"] for each in rights["teams"] if counts(each) and each["role"]),
        denied=denied,
        access=rights["access"],
    )
    is_there = not rights["is_deleted"] and rights["key"] in {None, "this organization", "this project"}

    for at_least in ProjectRole:
        expected = is_there and role in roles_from(at_least)
        filtered = selectors.project_filter(actor, "pk", at_least=at_least)
        assert selectors.visible_projects(actor, at_least=at_least).filter(pk=project.pk).exists() is expected
        assert Project.objects.filter(filtered, pk=project.pk).exists() is expected
    assert selectors.project_role(actor, project.pk) == (role if is_there else None)
    people = {person.id: person.role for person in selectors.list_people_of_project(project, SYSTEM)}
    assert people.get(user.pk) == role
    known = {each.id for seen in visible(actor) for each in selectors.list_people_of_project(seen, SYSTEM)}
    assert {each.id for each in selectors.list_people_of_projects(actor)} == known
    boss = UserFactory(password=None)
    join(boss, project.organization, role=OrganizationRole.ADMIN)
    limited = Actor(kind=ActorKind.KEY, user_id=boss.pk, organization_id=project.organization_id, project_id=project.pk)
    seen = {each.id for each in selectors.list_people_of_projects(limited)}
    assert (user.pk in seen) is (role is not None and not rights["is_deleted"])
    for permission in Permission:
        found = Project.objects.filter(selectors.denied_filter(actor, "pk", permission=permission), pk=project.pk)
        takes_it = denied is not None and list(Permission).index(denied) <= list(Permission).index(permission)
        assert found.exists() is takes_it


def visible(actor):
    return selectors.visible_projects(actor).select_related("organization")


def set_up(rights):
    """The person, the project that is asked about, and one of another organization."""
    user, somebody = (
        UserFactory(password=None, is_service=is_program) for is_program in (rights["who"] == "program", False)
    )
    project = factories.ProjectFactory(access=rights["access"])
    organization = project.organization
    beside = factories.ProjectFactory(organization=organization)
    other = factories.ProjectFactory(owner=user)
    if rights["organization_role"]:
        join(user, organization, role=rights["organization_role"])
    if rights["member_role"]:
        add_to_project(user, project, role=rights["member_role"])
    whom = {"user": user, "other": somebody}
    for number, each in enumerate(rights["teams"]):
        deleted_at = timezone.now() if each["is_deleted"] else None
        team = whom[number] = team_of(organization, *([user] if each["is_in"] else [somebody]), deleted_at=deleted_at)
        for where, role in ((project, each["role"]), (beside, each["beside"])):
            if role:
                give_team(team, where, role=role)
    places = {"project": project, "beside": beside, "organization": organization, "elsewhere": other.organization}
    ends = {None: None, "later": timezone.now() + timedelta(days=1), "over": timezone.now() - timedelta(seconds=1)}
    for who, where, permission, expiry in rights["denials"]:
        if who in TEAMS and where == "elsewhere":
            continue  # a team of another organization
        deny(whom[who], places[where], permission=permission, expires_at=ends[expiry])
    if rights["is_deleted"]:
        Project.objects.filter(pk=project.pk).update(deleted_at=timezone.now())
    return user, project, other


def actor_for(rights, user, project, other):
    limits = {
        None: {},
        "this organization": {"organization_id": project.organization_id},
        "other organization": {"organization_id": other.organization_id},
        "this project": {"organization_id": project.organization_id, "project_id": project.pk},
        "other project": {"organization_id": project.organization_id, "project_id": other.pk},
    }[rights["key"]]
    of_person = ActorKind.KEY if limits else ActorKind.MEMBER
    kind = ActorKind.SERVICE if rights["who"] == "program" else of_person
    return Actor(kind=kind, user_id=user.pk, **limits)


def counts(team):
    return team["is_in"] and not team["is_deleted"]


def strongest_denial(rights):
    found = [
        permission
        for who, where, permission, expiry in rights["denials"]
        if IN_FORCE[expiry]
        and where in {"project", "organization"}
        and (who == "user" or (who in TEAMS and counts(rights["teams"][who])))
    ]
    return min(found, key=list(Permission).index, default=None)


@pytest.mark.parametrize(
    ("permission", "left"),
    [(Permission.VIEW, None), (Permission.POST, ProjectRole.VIEWER), (Permission.MANAGE, ProjectRole.EDITOR)],
)
def test_denial_wins_over_an_owner(permission, left):
    owner = UserFactory()
    project = factories.ProjectFactory(owner=owner)

    deny(owner, project.organization, permission=permission)

    assert selectors.project_role(actor_of(owner), project.pk) == left


def test_row_of_ones_own_replaces_what_all_have_and_a_team_adds_to_it():
    project = factories.ProjectFactory()
    reader = factories.reader_of(project)
    team = team_of(project.organization, reader)

    assert selectors.project_role(actor_of(reader), project.pk) == ProjectRole.VIEWER
    given = give_team(team, project, role=ProjectRole.MANAGER)
    assert selectors.project_role(actor_of(reader), project.pk) == ProjectRole.MANAGER
    given.delete()
    give_team(team, project, role=ProjectRole.VIEWER)
    assert selectors.project_role(actor_of(reader), project.pk) == ProjectRole.VIEWER


def test_rights_take_one_statement(django_assert_num_queries):
    owner = UserFactory()
    project = factories.ProjectFactory(owner=owner)
    team = team_of(project.organization, owner)
    give_team(team, project)
    deny(team, project, permission=Permission.MANAGE)

    with django_assert_num_queries(1):
        assert selectors.project_role(actor_of(owner), project.pk) == ProjectRole.EDITOR
    with django_assert_num_queries(2):
        assert len(selectors.list_people_of_project(project, actor_of(owner))) == 1
