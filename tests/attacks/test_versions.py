"""Whoever deletes what somebody changed meanwhile hears of it, on every route whose answers have a version."""

import pytest
from django.db import transaction

from apps.accounts.models import Organization
from tests.attacks.world import World, call, operations

pytestmark = pytest.mark.django_db

STALE = '"999999"'


def versioned(world):
    """(delete, the ETag) of every address that answers one and can be deleted; read where it can be, else changed."""
    ways = {(operation.path, operation.method): operation for operation in operations()}
    for (path, method), delete in sorted(ways.items()):
        if method != "DELETE":
            continue
        asking = [ways[path, method] for method in ("GET", "PATCH") if (path, method) in ways]
        answer = call(asking[0], world.ids, world.headers["B"]) if asking else {}
        if "ETag" in answer:
            yield delete, answer["ETag"]


def test_delete_asks_for_the_version_that_its_caller_read():
    world = World()
    Organization.objects.filter(pk=world.organization.pk).update(is_home=True)  # its owner manages identity providers
    found = list(versioned(world))

    for delete, etag in found:
        stale = call(delete, world.ids, world.headers["B"] | {"If-Match": STALE})
        assert stale.status_code == 412, (delete.id, stale.content)
        assert (stale.json()["code"], stale.json()["current"]) == ("version_mismatch", int(etag.strip('"')))
    for delete, etag in found:
        for headers in ({"If-Match": etag}, {}):  # it is still there, and goes by its version or without one
            with transaction.atomic():
                answer = call(delete, world.ids, world.headers["B"] | headers)
                transaction.set_rollback(True)
            # 409: still needed, whatever its version
            assert answer.status_code in {204, 409}, (delete.id, answer.content)
    named = {delete.id for delete, _etag in found}
    assert named >= {"conversations_delete", "records_delete", "record_comments_delete"}  # the last has no GET
