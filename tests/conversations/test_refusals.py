"""What the API of messages refuses in their different states, and that nothing is changed by it."""

from uuid import uuid4

import pytest

from apps.conversations import services
from apps.conversations.models import Message, Turn
from apps.conversations.types import TurnStatus
from tests.conversations.factories import answer, say, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def posted(ines, project):
    return say(ines, start(ines, project))


def rows():
    return (
        list(Message.objects.order_by("pk").values("pk", "status", "content", "deleted_at", "turn")),
        list(Turn.objects.order_by("pk").values("pk", "status")),
    )


def refused(api, method, path, body=None):
    """(status, code) of a call that must change nothing."""
    before = rows()
    found = api.generic(method, f"/api/v1/messages/{path}", body or "", content_type="application/json")
    assert rows() == before
    return found.status_code, found.json()["code"]


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "continue/")])
def test_unknown_message(method, rest, api, posted):
    assert refused(api, method, f"{uuid4()}/{rest}") == (404, "message_not_found")


@pytest.mark.parametrize("rest", ["continue/", "regenerate/"])
def test_words_of_a_person_are_no_answer(rest, api, posted):
    assert refused(api, "POST", f"{posted.message.pk}/{rest}", "{}") == (400, "not_an_answer")


def test_answer_is_not_edited(api, posted):
    message = answer(posted)

    assert refused(api, "POST", f"{message.pk}/edit/", '{"content": "Mine"}') == (400, "not_editable")


def test_answer_that_ended_by_itself_is_not_continued(api, posted):
    message = answer(posted)

    assert refused(api, "POST", f"{message.pk}/continue/") == (409, "nothing_to_continue")


@pytest.mark.parametrize(("method", "rest"), [("POST", "continue/"), ("DELETE", "")])
def test_answer_that_is_being_written_is_left_alone(method, rest, api, posted):
    assert posted.turn.status == TurnStatus.QUEUED

    assert refused(api, method, f"{posted.answer.pk}/{rest}") == (409, "turn_still_running")


def test_deleted_answer_is_not_continued(api, ines, posted):
    message = answer(posted, "Half", status=TurnStatus.STOPPED)
    services.delete_message(actor=ines, message_id=message.pk)

    assert refused(api, "POST", f"{message.pk}/continue/") == (409, "message_deleted")


def test_deleted_question_is_not_answered_again(api, ines, posted):
    message = answer(posted)
    services.delete_message(actor=ines, message_id=posted.message.pk)
    before = rows()

    asked = api.post(f"/api/v1/conversations/{message.conversation_id}/turns/", "{}", content_type="application/json")

    assert (asked.status_code, asked.json()["code"]) == (409, "message_deleted")
    assert rows() == before
    assert refused(api, "POST", f"{message.pk}/regenerate/", "{}") == (409, "message_deleted")


def test_deleted_answer_gets_another_beside_it(api, ines, posted):
    message = answer(posted)
    services.delete_message(actor=ines, message_id=message.pk)

    made = api.post(f"/api/v1/messages/{message.pk}/regenerate/", "{}", content_type="application/json")

    assert made.status_code == 202
    assert Message.objects.filter(parent=posted.message.pk).count() == 2
