"""A project, somebody who writes in it, and the API as their key opens it: for every folder that talks over HTTP.

Models are imported inside: conftest files are read before Django is set up.
"""

import pytest
from django.test import Client


@pytest.fixture
def project():
    from tests.accounts.factories import ProjectFactory

    return ProjectFactory()


@pytest.fixture
def ines(project):
    from tests.conversations.factories import someone

    return someone(project)


@pytest.fixture
def api(ines, project):
    from apps.accounts.models import User
    from tests.accounts.factories import bearer, key_of

    return Client(headers=bearer(key_of(User.objects.get(pk=ines.user_id), organization=project.organization)))
