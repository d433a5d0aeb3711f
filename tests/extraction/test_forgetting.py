"""What was read out of words that are gone or sealed goes with them; what people decided is not kept in copies for ever."""

import json
from datetime import timedelta

import pytest
from django.core import serializers
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.conversations import services as conversations
from apps.conversations.models import Conversation, Message
from apps.core.doors.settings import Level
from apps.core.eventlog.consumers import logged
from apps.core.models import Event
from apps.extraction import receivers, services
from apps.extraction.models import Collection, ExtractionRun, FollowUp, Proposal, Record, RecordRevision
from apps.files import engine as reading
from tests.conversations.factories import say, start
from tests.extraction.factories import answered, people, read_as, record
from tests.files.factories import upload

pytestmark = pytest.mark.django_db

SARAH = {"collection": "people", "id": "Sarah", "fields": {"name": "Sarah", "shoe": "Sarahs blue one"}}
ZOE = {"collection": "people", "id": "Zoe", "fields": {"name": "Zoe"}}
OURS = (ExtractionRun, FollowUp, Proposal, Record, RecordRevision)


@pytest.fixture
def talk(me, project):
    people(me, project, needed=["born"])
    return start(me, project)


def stored():
    return json.dumps([serializers.serialize("json", model.objects.all()) for model in OURS], ensure_ascii=False)


def tell():
    """As the log is read."""
    for event in Event.objects.filter(type__in=receivers.FORGOTTEN).order_by("insertion"):
        event.position = 1
        receivers.forget_words(logged(event))


def age(days=31):
    then = timezone.now() - timedelta(days=days)
    for model in (Record, Message, Conversation):
        model.objects.filter(deleted_at__isnull=False).update(deleted_at=then)
    Proposal.objects.filter(decided_at__isnull=False).update(decided_at=then)
    ExtractionRun.objects.filter(finished_at__isnull=False).update(finished_at=then)


def test_record_and_message_that_are_erased_leave_no_word(me, project, talk):
    message = say(me, talk, "Sarah and Zoe").message
    run = read_as(me, project, SARAH, ZOE, message_id=message.pk)
    proposals = Proposal.objects.filter(run=run).order_by("number")
    made = services.accept_proposal(actor=me, proposal_id=proposals[0].pk)
    before = stored()

    services.delete_record(actor=me, record_id=made.pk)
    conversations.delete_message(actor=me, message_id=message.pk)
    age()
    services.erase_deleted(actor=SYSTEM)
    conversations.erase_deleted(actor=SYSTEM)
    tell()
    tell()

    assert "Sarah" in before
    assert not [word for word in ("Sarah", "Zoe", "blue") if word in stored()]
    assert [each.status for each in proposals.all()] == ["accepted", "rejected"]
    assert not FollowUp.objects.filter(status="open").exists()


def test_what_is_sealed_afterwards_is_withdrawn_and_what_was_accepted_stays(me, project, talk):
    message = say(me, talk, "Sarah and Zoe").message
    other = say(me, talk, "Zoe").message
    run = read_as(me, project, SARAH, ZOE, message_id=message.pk)
    later = read_as(me, project, ZOE, message_id=other.pk)
    whole = read_as(me, project, SARAH, conversation_id=talk.pk)
    services.accept_proposal(actor=me, proposal_id=Proposal.objects.get(run=run, number=1).pk)

    conversations.mark_message(actor=me, message_id=message.pk)
    tell()

    assert Record.objects.get().data == {"name": "Sarah"}
    assert [(row.status, row.data) for row in Proposal.objects.filter(run=run).order_by("number")] == [
        ("accepted", {}),
        ("rejected", {}),
    ]
    assert Proposal.objects.get(run=later).data == {"name": "Zoe"}
    assert Proposal.objects.get(run=whole).data == {}, "it was said in that message"
    assert [ExtractionRun.objects.get(pk=each.pk).unplaced for each in (run, whole)] == [[], []]


@pytest.mark.parametrize("by", ["person", "rule"])
def test_conversation_that_is_sealed_leaves_no_suggestion(owner, me, project, talk, by):
    file = upload(owner, project, name="cast.txt", content=b"Zoe is in the file")
    reading.process_file(file_id=file.pk)
    message = say(me, talk, "Sarah and her shoe", attachments=[file.pk]).message
    read_as(me, project, SARAH, message_id=message.pk)
    read_as(me, project, ZOE, conversation_id=talk.pk)  # nothing of it stands in the words: no message is its source
    in_file = read_as(me, project, ZOE, file_id=file.pk)
    assert in_file.shown_under == message.pk

    if by == "person":
        conversations.change_conversation(actor=me, conversation_id=talk.pk, changes={"sensitive": True})
    else:
        conversations.mark_by_rule(actor=SYSTEM, level=Level.PROJECT, target_id=project.pk)
    while conversations.seal_messages(actor=SYSTEM, conversation_id=talk.pk):
        pass
    tell()

    assert not [word for word in ("Sarah", "Zoe", "blue") if word in stored()]
    assert set(Proposal.objects.values_list("status", flat=True)) == {"rejected"}


def test_what_is_sealed_while_it_is_read_is_not_kept(me, project, talk):
    message = say(me, talk, "Sarah").message
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)

    ended = answered(run, SARAH, meanwhile=lambda: conversations.mark_message(actor=me, message_id=message.pk))

    assert (ended.status, ended.error_code) == ("failed", "words_are_sensitive")
    assert not Proposal.objects.exists()


def test_conversation_that_is_erased_takes_all_of_it_along(me, project, talk):
    read_as(me, project, SARAH, message_id=say(me, talk, "Sarah").message.pk)
    read_as(me, project, ZOE, conversation_id=talk.pk)

    conversations.delete_conversation(actor=me, conversation_id=talk.pk)
    age()
    conversations.erase_deleted(actor=SYSTEM)
    tell()

    assert not [word for word in ("Sarah", "Zoe") if word in stored()]


def test_decided_is_not_kept_in_copies(me, project, talk):
    message = say(me, talk, "Sarah and Zoe").message
    there = record(me, people_of(project), name="Zoe", age=3)
    run = read_as(me, project, SARAH, ZOE, message_id=message.pk)
    sarah, zoe = Proposal.objects.filter(run=run).order_by("number")
    services.reject_proposal(actor=me, proposal_id=sarah.pk)
    age()

    assert services.forget_decided(actor=SYSTEM) == 1, "Zoe waits: the run keeps what it knows"
    sarah.refresh_from_db()
    assert (sarah.data, ExtractionRun.objects.get().unplaced != []) == ({}, True)
    services.accept_proposal(actor=me, proposal_id=zoe.pk, into=there.pk)
    age()
    assert services.forget_decided(actor=SYSTEM) == 1
    assert services.forget_decided(actor=SYSTEM) == 0
    assert ExtractionRun.objects.get().unplaced == []


def test_erased_record_is_no_candidate_any_more(me, project, talk):
    there = record(me, people_of(project), name="Sarah")
    run = read_as(me, project, SARAH, message_id=say(me, talk, "Sarah").message.pk)
    pending = Proposal.objects.get(run=run)
    assert [each["record"] for each in pending.duplicates] == [str(there.pk)]

    services.delete_record(actor=me, record_id=there.pk)
    age()
    services.erase_deleted(actor=SYSTEM)

    pending.refresh_from_db()
    assert (pending.duplicates, pending.status, pending.data) == ([], "pending", {"name": "Sarah"})


def people_of(project):
    return Collection.objects.get(project=project, slug="people")
