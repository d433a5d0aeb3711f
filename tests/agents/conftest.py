import pytest
from django.test import Client

from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]


@pytest.fixture
def owner():
    from tests.accounts.factories import UserFactory

    return UserFactory()


@pytest.fixture
def project(owner):
    from tests.accounts.factories import ProjectFactory

    return ProjectFactory(owner=owner)


@pytest.fixture
def api(owner, project):
    from tests.accounts.factories import bearer, key_of

    return Client(headers=bearer(key_of(owner, project.organization)))
