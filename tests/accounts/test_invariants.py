import pytest

from apps.accounts import invariants
from apps.accounts.models import ApiKey, Invitation, OrganizationMember, ProjectMember
from apps.accounts.services import invitations
from apps.accounts.types import OrganizationRole
from apps.core.doors.invariants import invariants as door
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, key_of, reader_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_heads(settings, tmp_path):
    """The signed heads of the audit log are a file, which other tests' organizations would stand in."""
    settings.DATA_DIR = tmp_path


def violations():
    return [
        violation.detail
        for name in sorted(door.names())
        if name.startswith("accounts.")
        for violation in door.get(name).check()
    ]


def test_whole_data_violates_nothing():
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    reader_of(project)
    key_of(owner, project.organization, project=project)
    invitations.invite(
        actor=actor_of(owner), organization_id=project.organization_id, email="x@example.org", project_id=project.pk
    )

    assert violations() == []


@pytest.mark.parametrize("model", [ProjectMember, ApiKey, Invitation])
def test_row_in_the_wrong_organization_is_found(model):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    reader_of(project)
    key_of(owner, project.organization, project=project)
    invitations.invite(
        actor=actor_of(owner), organization_id=project.organization_id, email="x@example.org", project_id=project.pk
    )

    model.objects.update(organization=ProjectFactory(owner=UserFactory()).organization)

    assert any(str(model.objects.get().pk) in detail for detail in violations())


def test_organization_without_owner_is_found():
    project = ProjectFactory(owner=UserFactory())

    OrganizationMember.objects.update(role=OrganizationRole.ADMIN)

    assert [violation.detail for violation in invariants.find_without_owner()] == [
        f"organization {project.organization_id} has no owner"
    ]
