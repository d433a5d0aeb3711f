import pytest
from django.test import Client

from tests.accounts.fixtures import owner, project

__all__ = ["owner", "project"]


@pytest.fixture(autouse=True)
def kinds(request, monkeypatch):
    """The sample kinds, writing teams: an app that everybody has. Doors are closed after the start, so they come past it."""
    from apps.core.doors.bulk_kinds import bulk_kinds
    from tests.bulk.factories import remove_team, write_team
    from tests.sampleapp.kinds import sample_kinds

    found = {kind.name: kind for kind in sample_kinds(write_team, remove_team, prefix="sample")}
    for name, kind in found.items():
        monkeypatch.setitem(bulk_kinds._items, name, kind)
    return found


@pytest.fixture
def actor(owner, project):
    from tests.accounts.factories import actor_of

    return actor_of(owner)


@pytest.fixture
def api(owner, project):
    from tests.accounts.factories import bearer, key_of

    return Client(headers=bearer(key_of(owner, project.organization)))
