"""Somebody who owns an organization with a project: for every folder that needs no more than that.

Models are imported inside: conftest files are read before Django is set up.
"""

import pytest


@pytest.fixture
def owner(db):
    from tests.accounts.factories import UserFactory

    return UserFactory()


@pytest.fixture
def project(owner):
    from tests.accounts.factories import ProjectFactory

    return ProjectFactory(owner=owner)


@pytest.fixture
def first(owner):
    """The first of several, which are told apart by their names."""
    from tests.accounts.factories import ProjectFactory

    return ProjectFactory(owner=owner, name="First project")
