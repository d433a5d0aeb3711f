"""Words that are marked as sensitive: in clear nowhere in the database, and where they were before for those who may read them."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import AuditEntry, OrganizationMember, User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.conversations import context, selectors, services
from apps.conversations.invariants import check_content_is_the_text_of_the_parts
from apps.conversations.models import Attachment, Conversation, Message
from apps.conversations.receivers import follow_rule
from apps.conversations.search import MessageSearch
from apps.conversations.services.turns import Checkpoint
from apps.conversations.topics import ConversationTopic
from apps.conversations.types import ALL_SENSITIVE, Ending, TurnStatus
from apps.core import crypto, key_rotation, preferences
from apps.core.doors.search_sources import SearchQuery
from apps.core.doors.settings import Level
from apps.core.errors import DomainError
from apps.core.eventlog.consumers import logged
from apps.core.models import Event, KeyCheck
from tests.accounts.factories import ProjectFactory, ProjectMemberFactory, bearer, key_of
from tests.attacks.test_api import record_audit
from tests.conversations.factories import answer, say, someone, start
from tests.files.factories import upload

pytestmark = pytest.mark.django_db

CANARY = "zimtkanarie7c1e5f"
ASKED = f"The code is {CANARY}."
TOLD = f"{CANARY}, as you said."


@pytest.fixture
def conversation(ines, project):
    return start(ines, project)


@pytest.fixture
def told(ines, conversation):
    """A sensitive question and its answer."""
    posted = say(ines, conversation, ASKED, sensitive=True)
    return posted.message, answer(posted, TOLD)


@pytest.fixture
def keys_file(settings, tmp_path):
    KeyCheck.objects.all().delete()
    settings.PARLANCE_KEYS_FILE = str(tmp_path / "keys.json")


def tables_with(word=CANARY):
    found = []
    for model in apps.get_models():
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE strpos(lower(t::text), %s) > 0', [word])
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def texts(conversation):
    rows = Message.objects.filter(conversation=conversation).order_by("number")
    return [(row.is_sensitive, row.text) for row in rows]


def browser_of(actor):
    client = Client()
    client.force_login(User.objects.get(pk=actor.user_id))
    return client


def found(viewer, **query):
    return [hit.snippet for hit in MessageSearch().search(viewer, SearchQuery(**{"text": ""} | query))]


def newest(kind):
    row = Event.objects.filter(type=kind).order_by("insertion").last()
    row.position = 1
    return logged(row)


def rule(project, *, value, level=Level.PROJECT):
    target = project.pk if level is Level.PROJECT else project.organization_id
    preferences.change_setting(actor=SYSTEM, key=ALL_SENSITIVE, level=level, target_id=target, value=value)
    preferences.forget_kept()
    follow_rule(newest("core.setting_changed"))


def seal_all(conversation):
    while services.seal_messages(actor=SYSTEM, conversation_id=conversation.pk):
        pass


def test_words_are_in_no_table_event_log_or_search_and_open_for_who_may_read(
    api, ines, conversation, told, caplog, project
):
    caplog.set_level(logging.DEBUG)
    ordinary = answer(say(ines, start(ines, project), "Ordinary manifests"), "Ordinary")

    listed = api.get(f"/api/v1/conversations/{conversation.pk}/messages/").json()["results"]
    page = browser_of(ines).get(f"/c/{conversation.pk}/").content.decode()

    assert tables_with() == []
    assert [(row["content"], row["sensitive"]) for row in listed] == [(ASKED, True), (TOLD, True)]
    assert listed[1]["parts"] == [{"type": "text", "text": TOLD}]
    assert page.count(CANARY) >= 2
    assert found(ines, text=CANARY) == []
    assert sorted(found(ines, project_id=project.pk)) == ["Ordinary", "Ordinary manifests"]
    assert CANARY not in caplog.text + repr(list(Event.objects.values())) + repr(list(AuditEntry.objects.values()))
    assert "sensitive" not in repr(list(Event.objects.values_list("payload")))
    assert ordinary.content == "Ordinary"
    assert not check_content_is_the_text_of_the_parts()


def test_posting_asks_the_same_questions_whether_sensitive_or_not(ines, conversation):
    say(ines, conversation)
    counts = []
    for sensitive in (None, True):
        posted = None
        with CaptureQueriesContext(connection) as queries:
            posted = say(ines, conversation, "Words", sensitive=sensitive)
        counts.append(len(queries))
        services.stop_turn(actor=ines, turn_id=posted.turn.pk)

    assert counts[0] == counts[1]


def test_answers_and_what_follows_are_as_sensitive_as_what_stands_above(ines, conversation, told):
    follows = say(ines, conversation, "And then?")
    answer(follows, "This.")
    ordinary = say(ines, conversation, "The weather?", sensitive=False)
    answer(ordinary, "Rain.")

    marks = Message.objects.filter(conversation=conversation).order_by("number").values_list("is_sensitive", flat=True)

    assert list(marks) == [True, True, True, True, False, False]
    assert found(ines, text="rain") == ["\ue000Rain\ue001."]


def test_model_reads_them_and_titles_are_not_made_of_them(ines, conversation):
    posted = say(ines, conversation, ASKED, sensitive=True)
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    read = context.read_context(held)
    ending = Ending(TurnStatus.FAILED, [], reason="test")
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)

    assert [part.text for message in read.messages for part in message.parts] == [ASKED]
    assert Conversation.objects.get(pk=conversation.pk).title == ""
    assert context.read_for_title(conversation.pk) is None


def test_answer_is_sealed_while_it_is_written_when_it_is_cut_off_and_when_it_goes_on(ines, conversation):
    posted = say(ines, conversation, ASKED, sensitive=True)
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    half = [{"type": "text", "text": CANARY}]
    checkpoint = Checkpoint.of(held, half, 3)
    services.checkpoint_turns(actor=SYSTEM, checkpoints=[checkpoint])

    assert held.is_sensitive
    assert Message.objects.get(pk=held.message_id).parts == half
    assert tables_with() == []

    type(posted.turn).objects.filter(pk=held.turn_id).update(lease_until=Now() - timedelta(minutes=1))
    assert services.reap_turn(turn_id=held.turn_id, streamed_parts=[], streamed_seq=0) == "interrupted"
    assert tables_with() == []

    again = services.continue_answer(actor=ines, message_id=held.message_id)
    going_on = services.claim_turn(actor=SYSTEM, turn_id=again.turn.pk, worker="test")
    assert (going_on.start_parts, going_on.is_sensitive) == (half, True)
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": TOLD}])
    services.finish_turn(actor=SYSTEM, turn_id=going_on.turn_id, fence=going_on.fence, ending=ending)

    assert texts(conversation) == [(True, ASKED), (True, TOLD)]
    assert tables_with() == []


def test_marking_an_answer_that_is_being_written_seals_what_comes(ines, conversation):
    posted = say(ines, conversation, "Ordinary")
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    services.mark_message(actor=ines, message_id=posted.message.pk)

    checkpoint = Checkpoint(held.turn_id, held.fence, held.message_id, [{"type": "text", "text": CANARY}], 3)
    services.checkpoint_turns(actor=SYSTEM, checkpoints=[checkpoint])
    assert tables_with() == []
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": TOLD}])
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)

    assert texts(conversation) == [(True, "Ordinary"), (True, TOLD)]
    assert tables_with() == []


def test_versions_keep_the_mark(ines, conversation, told):
    question, kept = told
    edited = services.edit_message(actor=ines, message_id=question.pk, content=f"Other {CANARY}")
    answer(edited, TOLD)
    again = services.regenerate_answer(actor=ines, message_id=kept.pk)
    answer(again, TOLD)
    opened = services.edit_message(actor=ines, message_id=question.pk, content="Harmless", sensitive=False)

    assert (edited.message.is_sensitive, again.message.is_sensitive) == (True, True)
    assert (opened.message.is_sensitive, opened.answer.is_sensitive) == (False, False)
    assert tables_with() == []


def test_fork_seals_its_copies_for_themselves(ines, conversation, told):
    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)

    assert texts(fork) == [(True, ASKED), (True, TOLD)]
    assert tables_with() == []


def test_words_sealed_for_one_message_do_not_open_in_another(told):
    question, kept = told
    Message.objects.filter(pk=kept.pk).update(sealed=Message.objects.get(pk=question.pk).sealed)

    with pytest.raises(crypto.KeysDoNotFit):
        _ = Message.objects.get(pk=kept.pk).parts


def test_export_holds_them_and_says_so_and_an_import_seals_them_again(ines, conversation, told):
    conversation.refresh_from_db()
    document = json.loads(json.dumps(services.export_json(conversation=conversation, viewer=ines)))
    text = services.export_markdown(conversation=conversation, viewer=ines)
    zipped = b"".join(services.export_archive(conversation=conversation, viewer=ines))
    elsewhere = ProjectFactory()
    daniel = someone(elsewhere)

    imported = services.import_conversation(actor=daniel, project_id=elsewhere.pk, document=document)

    assert [entry["sensitive"] for entry in document["conversation"]["messages"]] == [True, True]
    assert text.count("*Sensitive*") == text.count(CANARY) == 2
    assert len(zipped) > 0
    assert texts(imported) == [(True, ASKED), (True, TOLD)]
    again = services.export_json(conversation=imported, viewer=daniel)
    assert again["digest"] == document["digest"]
    assert tables_with() == []
    document["conversation"]["messages"][0]["sensitive"] = False
    with pytest.raises(DomainError):
        services.import_conversation(actor=daniel, project_id=elsewhere.pk, document=document)


def test_marking_afterwards_seals_question_and_answers_and_takes_the_title(api, ines, conversation):
    posted = say(ines, conversation, ASKED)
    answer(posted, TOLD)
    Conversation.objects.filter(pk=conversation.pk).update(title=f"About {CANARY}", title_source="auto")
    assert tables_with() == ["conversations_conversation", "conversations_message"]

    marked = api.put(f"/api/v1/messages/{posted.message.pk}/sensitive/")

    assert (marked.status_code, marked.json()["sensitive"], marked.json()["content"]) == (200, True, ASKED)
    assert texts(conversation) == [(True, ASKED), (True, TOLD)]
    assert tables_with() == []
    row = Conversation.objects.get(pk=conversation.pk)
    assert (row.title, row.title_source) == ("", "none")


def test_title_that_somebody_typed_stays(ines, conversation):
    posted = say(ines, conversation, ASKED)
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"title": "Typed"})

    services.mark_message(actor=ines, message_id=posted.message.pk)

    assert Conversation.objects.get(pk=conversation.pk).title == "Typed"


def test_unmarking_opens_this_one_and_is_audited(api, ines, conversation, told):
    question, _kept = told

    opened = api.delete(f"/api/v1/messages/{question.pk}/sensitive/")
    record_audit()

    assert (opened.status_code, opened.json()["sensitive"]) == (200, False)
    assert texts(conversation) == [(False, ASKED), (True, TOLD)]
    assert found(ines, text=CANARY) == [f"The code is \ue000{CANARY}\ue001."]
    assert AuditEntry.objects.filter(action="conversations.message_unmarked").exists()


def test_who_may_mark_and_who_may_open_again(ines, project, conversation, told):
    question, kept = told
    editor, reader = someone(project), someone(project, ProjectRole.VIEWER)
    stranger = someone(ProjectFactory())
    ordinary = say(ines, conversation, "Ordinary", sensitive=False)

    def status(actor, method, message):
        return getattr(browser_api(actor), method)(f"/api/v1/messages/{message.pk}/sensitive/").status_code

    assert [status(stranger, verb, question) for verb in ("put", "delete")] == [404, 404]
    assert [status(reader, verb, question) for verb in ("put", "delete")] == [403, 403]
    assert [status(editor, "delete", message) for message in (question, kept)] == [403, 403]
    assert status(editor, "put", ordinary.message) == 200
    assert [status(ines, "delete", message) for message in (question, kept)] == [200, 200]


def browser_api(actor):
    user = User.objects.get(pk=actor.user_id)
    member = OrganizationMember.objects.select_related("organization").get(user=user)
    return Client(headers=bearer(key_of(user, organization=member.organization)))


def test_whole_conversation_seals_what_was_said_and_what_comes(api, ines, project, conversation):
    posted = say(ines, conversation, ASKED)
    answer(posted, TOLD)

    changed = api.patch(
        f"/api/v1/conversations/{conversation.pk}/", {"sensitive": True}, content_type="application/json"
    )
    seal_all(conversation)
    answer(say(ines, conversation, f"More {CANARY}", sensitive=False), TOLD)

    assert changed.json()["sensitive"] is True
    assert [mark for mark, _text in texts(conversation)] == [True] * 4
    assert tables_with() == []
    assert selectors.list_seal_due() == []
    refused = api.delete(f"/api/v1/messages/{posted.message.pk}/sensitive/")
    assert (refused.status_code, refused.json()["code"]) == (409, "sensitive_by_rule")
    editor = browser_api(someone(project))
    for browser, expected in ((editor, 403), (api, 200)):
        answered = browser.patch(
            f"/api/v1/conversations/{conversation.pk}/", {"sensitive": False}, content_type="application/json"
        )
        assert answered.status_code == expected
    assert texts(conversation)[0] == (True, ASKED)
    assert api.delete(f"/api/v1/messages/{posted.message.pk}/sensitive/").status_code == 200


@pytest.mark.parametrize("level", [Level.PROJECT, Level.ORGANIZATION])
def test_rule_of_project_or_organization_marks_all_that_is_there_and_all_that_comes(ines, project, conversation, level):
    answer(say(ines, conversation, ASKED), TOLD)

    rule(project, value=True, level=level)
    seal_all(conversation)
    later = start(ines, project)
    say(ines, later, ASKED)

    assert texts(conversation) == [(True, ASKED), (True, TOLD)]
    assert texts(later)[0] == (True, ASKED)
    assert tables_with() == []
    with pytest.raises(DomainError):
        services.change_conversation(actor=ines, conversation_id=later.pk, changes={"sensitive": False})
    rule(project, value=False, level=level)
    services.change_conversation(actor=ines, conversation_id=later.pk, changes={"sensitive": False})
    assert texts(conversation)[0] == (True, ASKED)
    assert not start(ines, project).is_sensitive


def test_project_does_not_undo_what_its_organization_wants(ines, project):
    rule(project, value=True, level=Level.ORGANIZATION)
    rule(project, value=False)

    assert start(ines, project).is_sensitive


def test_share_link_says_that_there_is_something_and_not_what(ines, conversation, told):
    file = upload(User.objects.get(pk=ines.user_id), conversation.project)
    attached = say(ines, conversation, ASKED, sensitive=True, attachments=[file.pk])
    answer(attached, TOLD)
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"visibility": "link"})
    token = services.make_link(actor=ines, conversation_id=conversation.pk).token

    page = Client().get(f"/s/{token}/").content.decode()
    shared = Client().get(f"/api/v1/shared/{token}/").json()

    assert Attachment.objects.filter(message=attached.message).exists()
    assert CANARY not in page + json.dumps(shared)
    assert page.count("Sensitive, not shared.") == 4
    assert [(row["sensitive"], row["content"], row["parts"]) for row in shared["messages"]] == [(True, "", [])] * 4
    assert Client().get(f"/s/{token}/files/{file.pk}/").status_code == 404


def test_erasure_takes_sealed_words_too(ines, conversation, told):
    question, _kept = told
    services.delete_message(actor=ines, message_id=question.pk)
    Message.objects.filter(pk=question.pk).update(deleted_at=Now() - timedelta(days=31))

    services.erase_deleted(actor=SYSTEM)

    row = Message.objects.get(pk=question.pk)
    assert (row.sealed, row.parts, row.content) == ("", [], "")
    assert services.erase_deleted(actor=SYSTEM) == 0


def test_rotation_seals_them_with_the_new_key_and_the_old_one_can_go(keys_file, conversation, told):
    before = set(Message.objects.values_list("sealed", flat=True))

    key, done = key_rotation.rotate()

    after = set(Message.objects.values_list("sealed", flat=True))
    assert (key, done >= 2, before & after) == ("k2", True, set())
    assert all(sealed.startswith("v1:k2:") for sealed in after)
    assert key_rotation.retire() == {"k1"}
    assert texts(conversation) == [(True, ASKED), (True, TOLD)]


def test_live_event_and_snapshot_carry_them_to_who_may_read(ines, conversation, told):
    question, _kept = told
    topic = ConversationTopic()
    services.unmark_message(actor=ines, message_id=question.pk)
    services.mark_message(actor=ines, message_id=question.pk)
    news = topic.resume(ines, conversation.pk, 0)

    rendered = topic.render(ines, conversation.pk, news)

    types = [each.type for each in news]
    last = rendered[len(types) - 1 - types[::-1].index("conversations.message_marked")]
    assert (last["message"]["content"], last["message"]["sensitive"]) == (ASKED, True)
    assert [row["content"] for row in topic.snapshot(ines, conversation.pk).data["messages"]] == [ASKED, TOLD]
    assert topic.resume(someone(ProjectFactory()), conversation.pk, 0) is None


def test_page_of_rules_is_for_who_manages(ines, project):
    manager = someone(project, ProjectRole.MANAGER)
    own, other = browser_of(manager), browser_of(ines)
    sent = {"form": "project", "project": str(project.pk), "on": "yes"}

    assert project.name in own.get("/settings/sensitive/").content.decode()
    assert other.post("/settings/sensitive/", sent).status_code == 403
    assert own.post("/settings/sensitive/", sent | {"form": "organization"}).status_code == 403
    assert own.post("/settings/sensitive/", sent).status_code == 302
    assert browser_of(someone(ProjectFactory())).post("/settings/sensitive/", sent).status_code == 404
    preferences.forget_kept()
    assert start(ines, project).is_sensitive


def test_page_asks_before_it_seals_everything(project):
    browser = browser_of(someone(project, ProjectRole.MANAGER))

    page = browser.get(f"/settings/sensitive/?seal={project.pk}").content.decode()

    assert f'<input type="hidden" name="project" value="{project.pk}">' in page.partition('id="sure"')[2]
    assert 'id="sure"' not in browser.get("/settings/sensitive/?seal=organization").content.decode()
    assert 'value="yes"' not in browser.get("/settings/sensitive/").content.decode()


@pytest.mark.parametrize("count", [1, 3, 30])
def test_page_of_rules_takes_the_same_few_queries(project, count, django_assert_max_num_queries):
    manager = someone(project, ProjectRole.MANAGER)
    for _number in range(count):
        other = ProjectFactory(organization=project.organization)
        ProjectMemberFactory(project=other, user_id=manager.user_id, role=ProjectRole.MANAGER)
    browser = browser_of(manager)
    browser.get("/settings/sensitive/")

    with django_assert_max_num_queries(20):
        assert browser.get("/settings/sensitive/").status_code == 200
