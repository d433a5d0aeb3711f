import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts import policies, selectors
from apps.accounts.models import Project
from apps.accounts.types import Actor, ActorKind, OrganizationRole, ProjectAccess, ProjectRole, roles_from
from apps.core.errors import NotFound
from tests.accounts import factories

pytestmark = pytest.mark.django_db


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    organization_role=st.sampled_from([None, *OrganizationRole]),
    member_role=st.sampled_from([None, *ProjectRole]),
    access=st.sampled_from(list(ProjectAccess)),
    is_deleted=st.booleans(),
    key_limit=st.sampled_from([None, "this organization", "other organization", "this project", "other project"]),
    at_least=st.sampled_from(list(ProjectRole)),
)
def test_visible_to_agrees_with_effective_role_for_any_grants(
    *, organization_role, member_role, access, is_deleted, key_limit, at_least
):
    user = factories.UserFactory()
    project = factories.ProjectFactory(access=access)
    other = factories.ProjectFactory(owner=user)
    if organization_role:
        factories.join(user, project.organization, role=organization_role)
    if member_role:
        factories.add_to_project(user, project, role=member_role)
    if is_deleted:
        Project.objects.filter(pk=project.pk).update(deleted_at="2026-01-01T00:00Z")
    limits = {
        None: {},
        "this organization": {"organization_id": project.organization_id},
        "other organization": {"organization_id": other.organization_id},
        "this project": {"organization_id": project.organization_id, "project_id": project.pk},
        "other project": {"organization_id": project.organization_id, "project_id": other.pk},
    }[key_limit]
    actor = Actor(kind=ActorKind.KEY if limits else ActorKind.MEMBER, user_id=user.pk, **limits)

    role = policies.effective_role(organization_role=organization_role, member_role=member_role, access=access)
    expected = (
        role in roles_from(at_least) and not is_deleted and key_limit in {None, "this organization", "this project"}
    )

    assert selectors.visible_projects(actor, at_least=at_least).filter(pk=project.pk).exists() is expected
    assert (
        Project.objects.filter(selectors.project_filter(actor, "pk", at_least=at_least), pk=project.pk).exists()
        is expected
    )
    if at_least == ProjectRole.VIEWER:
        assert selectors.project_role(actor, project.pk) == (role if expected else None)


def test_get_project_hides_it_from_strangers():
    project = factories.ProjectFactory()
    stranger = factories.actor_of(factories.ProjectFactory(owner=(user := factories.UserFactory())) and user)

    with pytest.raises(NotFound) as foreign:
        selectors.get_project(project.pk, stranger)
    with pytest.raises(NotFound) as unknown:
        selectors.get_project(uuid.uuid4(), stranger)

    assert foreign.value.problem() == unknown.value.problem()


def test_key_limited_to_a_project_is_a_guest_in_its_organization():
    owner = factories.UserFactory()
    project = factories.ProjectFactory(owner=owner)
    key = Actor(kind=ActorKind.KEY, user_id=owner.pk, organization_id=project.organization_id, project_id=project.pk)

    assert selectors.organization_role(key, project.organization_id) == OrganizationRole.GUEST
    assert selectors.project_role(key, project.pk) == ProjectRole.MANAGER


def test_list_people_of_project_names_only_those_who_see_it():
    owner = factories.UserFactory(name="Ann")
    project = factories.ProjectFactory(owner=owner, access=ProjectAccess.RESTRICTED)
    factories.member_of(project)
    reader = factories.reader_of(project)

    people = selectors.list_people_of_project(project, factories.actor_of(owner))

    assert [(p.id, p.role) for p in people] == [(owner.pk, "manager"), (reader.pk, "viewer")]
