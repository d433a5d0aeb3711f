from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from apps.accounts.models import Organization, OrganizationMember, ProjectMember, TeamMember
from apps.accounts.services import organizations, projects, teams
from apps.accounts.types import LastOwner, NotAMember, OrganizationRole, ProjectRole
from tests.accounts.factories import OrganizationFactory, ProjectFactory, UserFactory, actor_of, join, team_of

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


@transaction.atomic
def put_away(member):
    return organizations.put_away_alone(actor=actor_of(member.user))


def test_organization_that_somebody_joins_just_now_is_not_put_away(owners):
    first, second = owners
    second.delete()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Organization.objects.select_for_update().get(pk=first.organization_id)
            other = pool.submit(closed, put_away, first)
            patience = time.monotonic() + 30
            while not is_somebody_waiting():
                assert time.monotonic() < patience
                time.sleep(0.01)
            join(UserFactory(), first.organization)
        assert other.result() == []

    assert Organization.objects.get(pk=first.organization_id).deleted_at is None
    OrganizationMember.objects.exclude(pk=first.pk).delete()
    assert put_away(first) == [first.organization]


def closed(act, *said):
    try:
        return act(*said)
    finally:
        connection.close()


def add_to_team(owner, project, user):
    teams.set_team_member(actor=actor_of(owner), team_id=team_of(project.organization).pk, user_id=user.pk)


def add_to_project(owner, project, user):
    projects.set_project_member(actor=actor_of(owner), project_id=project.pk, user_id=user.pk, role=ProjectRole.EDITOR)


@pytest.mark.parametrize("add", [add_to_team, add_to_project])
def test_who_is_removed_at_the_same_moment_is_added_to_nothing(add):
    owner, user = UserFactory(), UserFactory()
    project = ProjectFactory(owner=owner)
    member = join(user, project.organization)

    def adding():
        try:
            add(owner, project, user)
        except NotAMember:
            return "refused"
        finally:
            connection.close()
        return "added"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            organizations.remove_member(actor=actor_of(owner), member_id=member.pk)
            other = pool.submit(adding)
            patience = time.monotonic() + 5
            while not other.done() and not is_somebody_waiting():
                assert time.monotonic() < patience
                time.sleep(0.01)

        assert other.result() == "refused"

    assert not TeamMember.objects.exists()
    assert not ProjectMember.objects.filter(user=user).exists()
