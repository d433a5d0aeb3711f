"""``#Sarah`` in a message: offered to whoever reads records, kept with the message, and given to models with the rights of who asks."""

import json

import pytest
from django.test import Client

from apps.accounts.models import Project, User
from apps.accounts.types import SYSTEM, ProjectAccess, ProjectRole
from apps.conversations import context, selectors, services
from apps.conversations.models import Message
from apps.conversations.pages.references import chipped
from apps.conversations.types import (
    ClientIdReused,
    EmptyMessage,
    Ending,
    Named,
    TooManyReferences,
    TurnStatus,
    UnknownReference,
)
from apps.core.doors.reference_sources import Reference
from apps.core.ids import uuid7
from apps.core.markup import render
from apps.extraction import services as records
from apps.extraction.references import RecordReferences
from apps.llm.types import KnowledgeContent
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, join, key_of
from tests.conversations.factories import answer, say, someone, start
from tests.extraction.factories import people, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def sarah(me, project):
    return record(me, people(me, project, title_template="{name}"), name="Sarah Almeida", age=28, tags=["journalist"])


@pytest.fixture
def talk(me, project):
    return start(me, project)


def named(*rows):
    return [Named("record", row.pk) for row in rows]


def read(posted):
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    messages = context.read_context(held).messages
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "Answer"}])
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)
    return messages


def given(messages):
    return [part for message in messages for part in message.parts if isinstance(part, KnowledgeContent)]


def parts(message):
    return [part for part in message.parts if part["type"] == "reference"]


def guest_of(me, project, talk):
    """Somebody of the organization who was let into the conversation alone."""
    Project.objects.filter(pk=project.pk).update(access=ProjectAccess.RESTRICTED)
    user = UserFactory()
    join(user, project.organization)
    services.invite_participant(actor=me, conversation_id=talk.pk, user_id=user.pk)
    return actor_of(user)


def browser_of(user_id):
    client = Client()
    client.force_login(User.objects.get(pk=user_id))
    return client


def test_records_are_offered_by_title_and_by_words_to_who_reads_them(me, project, sarah, client, owner):
    collection = sarah.collection
    record(me, collection, name="Tomás", tags=["knows Sarah"])
    gone = record(me, collection, name="Sarah Gone")
    records.delete_record(actor=me, record_id=gone.pk)
    elsewhere = ProjectFactory(owner=owner)
    record(me, people(me, elsewhere), name="Sarah Elsewhere")

    def offered(viewer, typed):
        return [each.title for each in RecordReferences().suggest(viewer, project_id=project.pk, typed=typed, limit=8)]

    assert offered(me, "sar") == offered(me, "Sarah") == ["Sarah Almeida", "Tomás"]
    assert offered(me, "journalist") == ["Sarah Almeida"]
    assert offered(me, "tomás") == offered(me, "toma") == offered(me, "Toma\u0301s") == ["Tomás"]
    assert offered(me, "journalíst") == offered(me, "áLMEIDA") == ["Sarah Almeida"]
    assert offered(me, "") == ["Tomás", "Sarah Almeida"]
    assert offered(me, "_arah") == offered(me, "nobody") == offered(actor_of(UserFactory()), "sarah") == []

    client.force_login(owner)
    answered = client.get("/conversations/references/", {"q": "almeida"}).json()
    assert answered == [
        {
            "id": str(sarah.pk),
            "name": "Sarah Almeida",
            "kind": "record",
            "group": "Records",
            "note": "People",
            "icon": "table-2",
        }
    ]


def test_message_names_what_its_writer_may_read_and_nothing_else(me, project, owner, sarah, talk):
    other = ProjectFactory()
    stranger = someone(other, ProjectRole.MANAGER)
    theirs = record(stranger, people(stranger, other), name="Somebody else's")
    mine_elsewhere = ProjectFactory(owner=owner)
    far = record(me, people(me, mine_elsewhere), name="Of another project")
    api = Client(headers=bearer(key_of(owner, project.organization)))

    def post(*references, **more):
        body = {"content": "What of #Sarah Almeida?", "references": list(references)} | more
        return api.post(f"/api/v1/conversations/{talk.pk}/messages/", json.dumps(body), content_type="application/json")

    refused = [post({"id": str(pk)}) for pk in (theirs.pk, uuid7(), far.pk)] + [
        post({"kind": "nothing", "id": str(sarah.pk)})
    ]
    assert {(each.status_code, each.json()["code"], each.json()["detail"]) for each in refused} == {
        (400, "unknown_reference", refused[1].json()["detail"])
    }
    assert not Message.objects.exists()
    assert post({"id": str(sarah.pk), "title": "mine"}).json()["code"] == "invalid"

    posted = post({"kind": "record", "id": str(sarah.pk)})
    assert posted.status_code == 202
    assert posted.json()["message"]["parts"] == [
        {"type": "reference", "kind": "record", "id": str(sarah.pk), "title": "Sarah Almeida"},
        {"type": "text", "text": "What of #Sarah Almeida?"},
    ]
    with pytest.raises(EmptyMessage):
        say(me, talk, "", references=named(sarah))
    with pytest.raises(TooManyReferences):
        say(me, talk, "Many", references=[Named("record", uuid7()) for _ in range(11)])


def test_repeat_names_the_same(me, sarah, talk):
    first = say(me, talk, "What of #Sarah Almeida?", references=named(sarah))
    same = {"client_id": first.message.client_id}

    assert say(me, talk, "What of #Sarah Almeida?", references=named(sarah, sarah), **same).is_repeat
    with pytest.raises(ClientIdReused):
        say(me, talk, "What of #Sarah Almeida?", **same)


def test_reference_survives_edit_fork_and_export_as_long_as_it_is_said(me, project, sarah, talk):
    posted = say(me, talk, "What of #Sarah Almeida?", references=named(sarah))
    answer(posted, "Much.")
    first = posted.message

    def edited(content, **more):
        return services.edit_message(actor=me, message_id=first.pk, content=content, **more).message

    assert parts(edited("And #Sarah Almeida now?")) == parts(first)
    assert parts(edited("And now?")) == []
    assert parts(edited("And now?", references=named(sarah))) == parts(first)
    fork = services.fork_conversation(actor=me, conversation_id=talk.pk, message_id=first.pk)
    assert parts(Message.objects.get(conversation=fork)) == parts(first)

    saved = services.export_json(conversation=talk, viewer=me)
    back = services.import_conversation(actor=me, project_id=project.pk, document=saved)
    assert parts(Message.objects.get(conversation=back, number=1)) == parts(first)
    far = ProjectFactory()
    importer = someone(far)
    away = services.import_conversation(actor=importer, project_id=far.pk, document=saved)
    (part,) = parts(Message.objects.get(conversation=away, number=1))
    assert part["is_gone"]
    assert selectors.named_in([part]) == []
    again = services.export_json(conversation=away, viewer=importer)
    assert again["digest"] == saved["digest"]


def test_model_is_given_what_who_asks_may_read_as_a_document_once(me, project, sarah, talk, monkeypatch):
    guest = guest_of(me, project, talk)
    ours = say(me, talk, "What of #Sarah Almeida?", references=named(sarah))
    (document,) = given(read(ours))
    theirs = say(guest, talk, "And what is her age?")

    assert (document.id, document.title) == (str(sarah.pk), "Sarah Almeida")
    assert document.text == "People: Sarah Almeida\nName: Sarah Almeida\nAge: 28\nTags: journalist"
    assert given(read(theirs)) == []
    again = say(me, talk, "#Sarah Almeida again", references=named(sarah))
    monkeypatch.setattr(context, "MAX_REFERENCE_CHARACTERS", 20)
    messages = read(again)
    assert [part.text for part in given(messages)] == ["People: Sarah Almeid"]
    assert given(messages[-1:])  # where it was named last


def test_joined_record_is_named_as_the_one_it_became_and_a_deleted_one_not(me, sarah, talk):
    twin = record(me, sarah.collection, name="Sara Almeida", age=28)
    posted = say(me, talk, "What of #Sara Almeida?", references=named(twin))
    records.merge_records(actor=me, winner_id=sarah.pk, loser_id=twin.pk)

    assert [each.title for each in given(read(posted))] == ["Sarah Almeida"]

    records.delete_record(actor=me, record_id=sarah.pk)
    assert selectors.find_in_messages(me, [posted.message]) == {}


def test_page_links_what_the_viewer_may_read_and_says_the_rest_in_words(me, project, sarah, talk):
    guest = guest_of(me, project, talk)
    colleague = someone(project, ProjectRole.VIEWER)
    posted = say(me, talk, "Is #Sarah Almeida `#Sarah Almeida`?", references=named(sarah))
    beside = say(me, talk, "Is she?", references=named(sarah))

    def page(user_id, message):
        return browser_of(user_id).get(f"/c/{talk.pk}/messages/{message.pk}/").content.decode()

    link = f'<a class="record-chip" href="/record/{sarah.pk}/">#Sarah Almeida</a>'
    for user_id in (me.user_id, colleague.user_id):
        assert page(user_id, posted.message).count(link) == 1
        assert page(user_id, beside.message).count(link) == 1
    for message in (posted.message, beside.message):
        said = page(guest.user_id, message)
        assert "#Sarah Almeida" in said
        assert "/record/" not in said
    assert browser_of(guest.user_id).get(f"/c/{talk.pk}/references/?q=sarah").json() == []
    assert len(browser_of(colleague.user_id).get(f"/c/{talk.pk}/references/?q=sarah").json()) == 1


def test_chips_stand_in_words_alone():
    ids = [uuid7(), uuid7()]
    titles = ["Ann", "Ann <b>& Co"]
    message = Message(
        parts=[
            {"type": "reference", "kind": "record", "id": str(pk), "title": title}
            for pk, title in zip(ids, titles, strict=True)
        ]
    )
    readable = {
        Named("record", pk): Reference("record", pk, title, f"/{at}/")
        for at, (pk, title) in enumerate(zip(ids, titles, strict=True))
    }

    html = chipped(
        render("#Ann, #Ann <b>& Co; #Anna a#Ann [#Ann](https://x.example/?a=>#Ann) `#Ann`"), message, readable
    )

    assert html.count("record-chip") == 2
    assert (
        '<a class="record-chip" href="/0/">#Ann</a>, <a class="record-chip" href="/1/">#Ann &lt;b&gt;&amp; Co</a>; #Anna a#Ann'
        in html
    )


def test_edit_that_names_one_more_keeps_what_is_gone_by_now(me, project, sarah, talk):
    rui = record(me, sarah.collection, name="Rui")
    first = say(me, talk, "What of #Sarah Almeida?", references=named(sarah)).message
    records.delete_record(actor=me, record_id=sarah.pk)

    both = services.edit_message(
        actor=me, message_id=first.pk, content="#Rui and #Sarah Almeida?", references=[*named(rui), *named(sarah)]
    ).message

    assert [part["title"] for part in parts(both)] == ["Rui", "Sarah Almeida"]
    assert parts(both)[1] == parts(first)[0]
    with pytest.raises(UnknownReference):
        say(me, talk, "#Sarah Almeida?", references=named(sarah))
