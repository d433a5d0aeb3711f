"""An organization that is erased piece by piece: nobody has rights there meanwhile, and whoever is killed, it is gone in the end."""

import os
import signal
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.accounts import erasing
from apps.accounts.erasing_selectors import list_half_erased
from apps.accounts.models import Erasure, Organization, OrganizationMember
from apps.accounts.services import erasure
from apps.accounts.types import SYSTEM
from apps.bulk.models import Item
from apps.conversations import services as conversations
from apps.conversations.models import Message
from apps.core import failpoints, jobs
from apps.core.errors import NotFound, Unavailable
from apps.core.failpoints import Failpoints
from apps.core.models import Event
from apps.extraction import services as extraction
from apps.extraction.models import Record
from apps.workflows.models import Step
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, key_of
from tests.accounts.test_erasure import owner_of, tenant_tables
from tests.bulk.factories import planned
from tests.conversations.factories import answer, say, start
from tests.extraction.factories import people, read_as, record
from tests.workflows.factories import ran

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.MEDIA_ROOT, settings.DATA_DIR = tmp_path / "files", tmp_path


@pytest.fixture
def full(project):
    """Rows of all kinds that point at each other."""
    me = actor_of(owner_of(project))
    talk = start(me, project, title="A talk")
    for words in ("Sarah is 28.", "And Tomás?", "He too."):
        answer(posted := say(me, talk, words))
    conversations.fork_conversation(actor=me, conversation_id=talk.pk, message_id=posted.message.pk)
    collection = people(me, project)
    sarah, sara = record(me, collection, name="Sarah"), record(me, collection, name="Sara")
    record(me, collection, name="Tomás", siblings=[str(sarah.pk)])
    sarah = extraction.change_record(actor=me, record_id=sarah.pk, changes={"age": 28})
    extraction.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)
    read_as(me, project, {"collection": "people", "id": "e1", "fields": {"name": "Ana"}}, message_id=posted.message.pk)
    make = {"call": "records.create", "with": {"collection": "people", "data": {"name": "Rui"}}}
    ran(me, project, [{"make": make}, {"note": {"set": {"done": True}}}])
    planned(me, project, "records.delete", start=False, collection=str(collection.pk), where=["name:is:Rui"])
    assert Message.objects.exists()
    assert Step.objects.exists()
    assert Item.objects.exists()
    return project


def left(organization_id):
    return {
        table._meta.label: count
        for table in tenant_tables()
        if (count := table.objects.filter(organization=organization_id).count())
    }


def killed(organization_id, place):
    """A process of its own goes on with it and is killed at this piece."""
    connections.close_all()  # nobody shares a socket
    pid = os.fork()
    if pid == 0:
        try:
            failpoints.hit = Failpoints(f"before_commit=kill@{place}").hit
            erasing.go_on(organization_id)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("size", [1, 3])
def test_killed_again_and_again_it_is_gone_in_the_end(full, monkeypatch, size):
    for name in ("FIRST_PIECE", "SMALLEST_PIECE", "LARGEST_PIECE"):
        monkeypatch.setattr(erasing, name, size)
    organization = full.organization
    neighbour = ProjectFactory(owner=UserFactory())
    start(actor_of(owner_of(neighbour)), neighbour, title="Next door")
    untouched = left(neighbour.organization_id)
    counted = erasure.count_organization(actor=SYSTEM, organization_id=organization.pk).rows
    erasure.close_organization(actor=SYSTEM, organization_id=organization.pk, in_background=False)

    before = left(organization.pk)
    for place in (1, 4, 9):
        assert killed(organization.pk, place)
        now = left(organization.pk)
        assert now.keys() <= before.keys()
        assert (place == 1) == (now == before)  # what the killed one had not committed is still there
        before = now
    assert Record.objects.filter(organization=organization.pk).exists()
    erasing.go_on(organization.pk)

    assert left(organization.pk) == {}
    assert not Organization.objects.filter(pk=organization.pk).exists()
    assert left(neighbour.organization_id) == untouched
    receipt = Erasure.objects.get(subject_id=organization.pk)
    assert receipt.requested_by == "command"
    # How many records there are is kept as rows that come when records go: more of them, the smaller the pieces.
    assert receipt.rows.pop("extraction") >= counted.pop("extraction")
    assert receipt.rows == counted
    with pytest.raises(NotFound):
        erasure.end_organization(actor=SYSTEM, organization_id=organization.pk)
    erasing.go_on(organization.pk)
    assert Erasure.objects.filter(subject_id=organization.pk).count() == 1


def test_nobody_has_rights_in_what_is_being_erased(full):
    organization, person = full.organization, owner_of(full)
    by_key, by_page = Client(headers=bearer(key_of(person, organization))), Client()
    by_page.force_login(person)
    assert by_key.get("/api/v1/collections/").json()["results"]

    erasure.close_organization(actor=SYSTEM, organization_id=organization.pk, in_background=False)

    assert by_key.get("/api/v1/collections/").status_code == 401
    assert by_page.get(f"/api/v1/projects/{full.pk}/").status_code in {401, 403, 404}
    assert not OrganizationMember.objects.filter(organization=organization).exists()
    assert Event.objects.filter(type="accounts.organization_closed", subject_id=organization.pk).count() == 1
    kept = Organization.objects.get(pk=organization.pk)
    assert (kept.erased_for, kept.deleted_at is None) == ("command", False)
    erasure.close_organization(actor=SYSTEM, organization_id=organization.pk, in_background=False)
    assert Event.objects.filter(type="accounts.organization_closed", subject_id=organization.pk).count() == 1


def test_job_finds_what_nobody_goes_on_with(full):
    organization = full.organization
    erasure.close_organization(actor=SYSTEM, organization_id=organization.pk, in_background=True)
    assert list_half_erased() == []
    Organization.objects.update(updated_at=timezone.now() - timedelta(minutes=1))

    (found,) = list_half_erased()
    jobs.find_job("accounts.erase_organization").task(organization_id=str(found["organization_id"]))

    assert not Organization.objects.filter(pk=organization.pk).exists()
    assert Erasure.objects.get(subject_id=organization.pk).rows["extraction"] > 0


def test_two_take_turns(full):
    """Whoever finds it held waits for the next piece, and takes nothing from under the other."""
    organization = full.organization
    erasure.close_organization(actor=SYSTEM, organization_id=organization.pk, in_background=False)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM accounts_organization WHERE id = %s FOR UPDATE", [organization.pk])
        with pytest.raises(Unavailable):
            erasure.erase_piece(actor=SYSTEM, organization_id=organization.pk, limit=10)
        other.rollback()
    finally:
        other.close()

    assert erasure.erase_piece(actor=SYSTEM, organization_id=organization.pk, limit=10)
