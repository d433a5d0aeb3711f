import pytest


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def owner(db):
    from tests.accounts.factories import UserFactory

    return UserFactory()


@pytest.fixture
def project(owner):
    from tests.accounts.factories import ProjectFactory

    return ProjectFactory(owner=owner)
