from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from apps.accounts.models import OrganizationMember
from apps.accounts.services import organizations
from apps.accounts.types import LastOwner, OrganizationRole
from tests.accounts.factories import OrganizationFactory, UserFactory, actor_of, join

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owners():
    organization = OrganizationFactory()
    for _number in range(2):
        join(UserFactory(), organization, role=OrganizationRole.OWNER)
    return list(OrganizationMember.objects.filter(organization=organization).order_by("pk"))


def leave(member):
    try:
        organizations.remove_member(actor=actor_of(member.user), member_id=member.pk)
    except LastOwner:
        return "stays"
    finally:
        connection.close()
    return "left"


def is_somebody_waiting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_owners_who_leave_at_once_wait_in_a_row_and_the_last_stays(owners):
    first, second = owners
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            OrganizationMember.objects.select_for_update().get(pk=first.pk)
            other = pool.submit(leave, second)
            patience = time.monotonic() + 5
            while not is_somebody_waiting():
                assert time.monotonic() < patience
                time.sleep(0.01)
            # Who waits for the first owner holds nothing that the first owner needs.
            OrganizationMember.objects.select_for_update(nowait=True).get(pk=second.pk)
            OrganizationMember.objects.filter(pk=first.pk).delete()

        assert other.result() == "stays"

    assert list(OrganizationMember.objects.values_list("pk", flat=True)) == [second.pk]
