import uuid

import pytest

from apps.accounts import selectors
from apps.accounts.types import Actor, ActorKind, OrganizationRole, ProjectAccess, ProjectRole
from apps.core.errors import NotFound
from tests.accounts import factories

pytestmark = pytest.mark.django_db


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
