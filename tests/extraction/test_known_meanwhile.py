"""What people write into records themselves settles the questions about them, and no question is listened for without end."""

from datetime import timedelta

import pytest
from django.db.models import F

from apps.accounts.models import User
from apps.accounts.types import SYSTEM
from apps.core.errors import NotFound
from apps.extraction import services
from apps.extraction.models import ExtractionRun, FollowUp, Record
from apps.extraction.types import QuestionDecided
from tests.conversations.factories import say, start
from tests.extraction.factories import answered, people
from tests.extraction.test_follow_ups import TOMAS, asides, began, states, told

pytestmark = pytest.mark.django_db
THIRTEEN = TOMAS | {"fields": {"name": "Tomás", "age": 13}}


@pytest.fixture
def talk(me, project):
    people(me, project, needed=["age", "born"])
    return start(me, project)


@pytest.fixture
def asked(me, project, talk):
    """Accepted without what is asked about it."""
    _run, (tomas,) = began(me, project, talk, TOMAS)
    services.accept_proposal(actor=me, proposal_id=tomas.proposal_id)
    return tomas


def typed(me, **changes):
    return services.change_record(actor=me, record_id=Record.objects.get().pk, changes=changes)


def test_words_do_not_replace_what_a_person_typed(me, talk, asked):
    typed(me, age=31)

    run = told(me, talk, "Tomás is 13", THIRTEEN)

    assert Record.objects.get().data == {"name": "Tomás", "age": 31}
    assert states(asked) == {"age": "answered", "born": "asked"}
    assert [(each["field"], each["value"], each["reason"]) for each in run.unplaced if each["field"] == "/age"] == [
        ("/age", 13, "not_asked")
    ]


def test_value_typed_while_the_words_are_read_stays(me, talk, asked):
    run = services.read_message(actor=SYSTEM, message_id=say(me, talk, "Tomás is 13, born in 1990").message.pk)
    typed(me, age=31)

    answered(run, TOMAS | {"fields": {"name": "Tomás", "age": 13, "born": "1990-01-01"}})

    assert Record.objects.get().data == {"name": "Tomás", "age": 31, "born": "1990-01-01"}


def test_card_of_before_replaces_nothing(me, talk, asked, client):
    typed(me, age=31)

    with pytest.raises(QuestionDecided):
        services.answer_question(actor=me, follow_up_id=asked.pk, field="age", value=13)

    assert Record.objects.get().data["age"] == 31
    client.force_login(User.objects.get(pk=me.user_id))
    page = client.get(f"/c/{talk.pk}/").content.decode()
    assert "Tomás: Born?" in page
    assert "Tomás: Age?" not in page


def test_nothing_is_asked_or_read_about_a_record_that_is_deleted(me, talk, asked):
    services.delete_record(actor=me, record_id=Record.objects.get().pk)

    assert told(me, talk, "Tomás is 13", THIRTEEN) is None
    assert FollowUp.objects.get().status == "abandoned"
    with pytest.raises((QuestionDecided, NotFound)):
        services.answer_question(actor=me, follow_up_id=asked.pk, field="age", value=13)


def test_what_waited_is_not_asked_once_it_is_known(me, project, talk):
    cast = [{"collection": "people", "id": f"e{n}", "fields": {"name": f"Person {n}"}} for n in range(5)]
    _run, rows = began(me, project, talk, *cast)
    last = rows[-1]
    assert set(states(last).values()) == {"waiting"}
    services.accept_proposal(actor=me, proposal_id=last.proposal_id)
    typed(me, age=31, born="1990-01-01")

    for row in rows[:-1]:
        services.abandon_follow_up(actor=me, follow_up_id=row.pk)

    assert set(states(last).values()) == {"answered"}
    assert len(asides()) == 1


def test_messages_are_read_for_answers_only_for_a_while(me, talk, asked, monkeypatch):
    monkeypatch.setattr("apps.extraction.question_selectors.MAX_READ_FOR_ANSWERS", 3)

    read = [told(me, talk, f"Something else {number}") is not None for number in range(4)]

    assert read == [True, True, True, False]
    services.answer_question(actor=me, follow_up_id=asked.pk, field="age", value=31)
    assert told(me, talk, "Born in 1990?") is not None  # the talk about it goes on


def test_a_week_later_the_card_takes_the_answers(me, talk, asked):
    FollowUp.objects.update(updated_at=F("updated_at") - timedelta(days=8))

    assert told(me, talk, "Tomás is 13", THIRTEEN) is None
    assert ExtractionRun.objects.filter(cause="answer").count() == 0
    services.answer_question(actor=me, follow_up_id=asked.pk, field="age", value=31)
    assert Record.objects.get().data["age"] == 31
