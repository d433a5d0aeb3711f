import pytest
from django.test import Client

from tests.accounts.fixtures import owner, project

__all__ = ["owner", "project"]


@pytest.fixture
def api(owner, project):
    from tests.accounts.factories import bearer, key_of

    return Client(headers=bearer(key_of(owner, project.organization)))


@pytest.fixture
def me(owner):
    from tests.accounts.factories import actor_of

    return actor_of(owner)


@pytest.fixture
def browser(owner, project):
    client = Client()
    client.force_login(owner)
    return client
