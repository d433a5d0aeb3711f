"""What a suggestion lacks is asked once in the conversation, and answered there or on the card, in any order, over days."""

import pytest
from django.db.models.signals import post_init

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.conversations.models import Message
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.extraction import engine, question_selectors, selectors, services
from apps.extraction.models import ExtractionRun, FollowUp, Proposal, Record
from apps.extraction.services import follow_ups
from apps.extraction.types import ASK_MISSING, EVERY_MESSAGE, QuestionDecided
from tests.accounts.factories import UserFactory, actor_of
from tests.conversations.factories import answer as model_answers
from tests.conversations.factories import say, someone, start
from tests.extraction.factories import PEOPLE, answered, people, read_as
from tests.extraction.test_review import both

pytestmark = pytest.mark.django_db

SARAH = {"collection": "people", "id": "e1", "fields": {"name": "Sarah Almeida", "age": 28}}
TOMAS = {"collection": "people", "id": "e2", "fields": {"name": "Tomás"}}


@pytest.fixture
def talk(me, project):
    people(me, project, needed=["age", "born", "is_alive"])
    return start(me, project)


def began(me, project, talk, *entities, words="Sarah Almeida is 28. Tomás is her brother."):
    run = read_as(me, project, *entities, message_id=say(me, talk, words).message.pk)
    return run, list(FollowUp.objects.order_by("created_at", "pk"))


def told(me, talk, words, *entities):
    """Somebody writes, and the model finds that in it."""
    posted = say(me, talk, words).message
    run = services.read_message(actor=SYSTEM, message_id=posted.pk)
    return answered(run, *entities) if run else None


def states(row):
    return {each["field"]: each["state"] for each in FollowUp.objects.get(pk=row.pk).questions}


def switch(me, project, key, *, to):
    where = {"organization": project.organization_id, "project": project.pk}
    preferences.change_setting(
        actor=me, key=key, level=Level.PROJECT, target_id=project.pk, value=to, organization_id=project.organization_id
    )
    assert preferences.get_fresh(key, **where) is to


def asides():
    return list(Message.objects.filter(role="assistant", turn=None).order_by("number"))


def test_missing_fields_become_one_message_of_the_assistant(me, project, talk):
    _run, (sarah, tomas) = began(me, project, talk, SARAH, TOMAS)

    (aside,) = asides()
    assert "- **Sarah Almeida**: Born, Is alive" in aside.text
    assert "- **Tomás**: Age, Born, Is alive" in aside.text
    assert (sarah.asked_in, tomas.asked_in) == (aside.pk, aside.pk)
    assert states(sarah) == {"born": "asked", "is_alive": "asked"}
    assert question_selectors.get_follow_up(follow_up_id=sarah.pk, viewer=me).conversation_id == talk.pk
    assert Message.objects.get(pk=aside.pk).parent.role == "assistant"  # the answer that is on its way


def test_every_suggestion_of_a_run_is_asked_about(me, project, talk, monkeypatch):
    monkeypatch.setattr(follow_ups, "_AT_ONCE", 20)
    crew = [{"collection": "people", "id": f"e{n}", "fields": {"name": f"Sailor {n}"}} for n in range(1, 46)]

    _run, rows = began(me, project, talk, *crew)

    assert {row.title for row in rows} == {f"Sailor {n}" for n in range(1, 46)}
    assert all(states(row).keys() == {"age", "born", "is_alive"} for row in rows)
    (aside,) = asides()
    assert aside.text.count("- **Sailor ") == 3, "only the first few are asked in words"


def test_one_decision_reads_a_few_questions_however_many_are_open(me, project, talk):
    crew = [{"collection": "people", "id": f"e{n}", "fields": {"name": f"Sailor {n}"}} for n in range(300)]
    _run, rows = began(me, project, talk, *crew)
    first, second, third = rows[:3]
    read = []

    def note(instance, **_rest):
        read.append(instance)

    post_init.connect(note, sender=FollowUp)
    try:
        services.accept_proposal(actor=me, proposal_id=rows[-1].proposal_id)
        services.reject_proposal(actor=me, proposal_id=rows[-2].proposal_id)
        services.skip_question(actor=me, follow_up_id=first.pk, field="age")
        for each in (first, second, third):
            services.abandon_follow_up(actor=me, follow_up_id=each.pk)
    finally:
        post_init.disconnect(note, sender=FollowUp)

    assert len(asides()) == 2  # the next ones were asked about
    assert len(read) < 50
    assert "unplaced" in question_selectors.lock_follow_ups(talk.pk)[0].proposal.run.get_deferred_fields()


def test_answers_come_in_any_order_over_many_turns_and_days(me, project, talk):
    _run, (sarah, tomas) = began(me, project, talk, SARAH, TOMAS)
    FollowUp.objects.update(created_at="2026-01-01T00:00:00Z")  # they wait

    first = told(me, talk, "Tomás is thirty-one", TOMAS | {"fields": {"name": "Tomás", "age": 31}})
    second = told(
        me,
        talk,
        "Sarah lives, and was born on 1 February 1998",
        SARAH | {"fields": {"name": "Sarah", "born": "1998-02-01", "is_alive": True}},
    )

    assert states(sarah) == {"born": "answered", "is_alive": "answered"}
    assert FollowUp.objects.get(pk=sarah.pk).status == "done"
    assert states(tomas) == {"age": "answered", "born": "asked", "is_alive": "asked"}
    suggested = Proposal.objects.get(pk=tomas.proposal_id)
    assert suggested.data == {"name": "Tomás", "age": 31}
    source = next(each for each in suggested.sources if each["field"] == "/age")
    assert (source["message"], source["method"]) == (str(first.message_id), "number_word")
    assert [each["label"] for each in second.answered] == ["Born", "Is alive"]
    assert len(asides()) == 1  # nothing was asked twice
    assert Proposal.objects.count() == 2  # and no answer became a suggestion of its own


def test_what_else_an_answer_tells_is_not_lost(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)
    told(me, talk, "He is 31", TOMAS | {"fields": {"name": "Tomás", "age": 31, "tags": ["pigeons"]}})

    run = told(
        me, talk, "Tomás, 32, was born in 1994", TOMAS | {"fields": {"name": "Tomás", "age": 32, "born": "1994-01-01"}}
    )

    assert Proposal.objects.get().data == {"name": "Tomás", "age": 31, "tags": ["pigeons"], "born": "1994-01-01"}
    assert [(each["field"], each["value"], each["reason"]) for each in run.unplaced] == [("/age", 32, "twice")]
    assert states(tomas) == {"age": "answered", "born": "answered", "is_alive": "asked"}


def test_bare_value_answers_the_only_question_it_fits(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)

    run = told(me, talk, "31.")

    assert Proposal.objects.get().data == {"name": "Tomás", "age": 31}
    assert states(tomas)["age"] == "answered"
    assert run.answered == [{"proposal": str(tomas.proposal_id), "title": "Tomás", "label": "Age", "text": "31"}]
    assert told(me, talk, "Who knows?").answered == []


def test_same_thing_is_not_asked_about_again(me, project, talk):
    began(me, project, talk, TOMAS)

    read_as(me, project, TOMAS, message_id=say(me, talk, "Tomás again").message.pk)

    assert FollowUp.objects.count() == 1
    assert len(asides()) == 1


def test_what_is_too_much_for_one_message_is_asked_when_the_first_is_settled(me, project, talk):
    cast = [{"collection": "people", "id": f"e{n}", "fields": {"name": f"Person {n}"}} for n in range(4)]
    _run, rows = began(me, project, talk, *cast)

    first = [sum(state == "asked" for state in states(row).values()) for row in rows]
    for row in rows[:3]:
        services.abandon_follow_up(actor=me, follow_up_id=row.pk)

    assert first == [3, 3, 2, 0]
    assert list(states(rows[3]).values()) == ["asked"] * 3
    assert len(asides()) == 2


def test_questions_are_skipped_and_given_up_on_the_card(api, me, project, talk):
    _run, (sarah, tomas) = began(me, project, talk, SARAH, TOMAS)
    where = "/api/v1/follow-ups/"

    skipped = api.post(f"{where}{sarah.pk}/skip/", {"field": "born"}, content_type="application/json")
    given = api.post(
        f"{where}{sarah.pk}/answer/", {"field": "is_alive", "value": True}, content_type="application/json"
    )
    late = api.post(
        f"{where}{sarah.pk}/answer/", {"field": "is_alive", "value": False}, content_type="application/json"
    )
    wrong = api.post(f"{where}{tomas.pk}/answer/", {"field": "age", "value": "old"}, content_type="application/json")
    ended = api.post(f"{where}{tomas.pk}/abandon/")
    listed = api.get(where, {"conversation": str(talk.pk), "status": "abandoned"}).json()["results"]

    assert [skipped.status_code, given.status_code, given.json()["status"]] == [200, 200, "done"]
    assert (late.status_code, late.json()["code"], late.json()["state"]) == (409, "question_decided", "done")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "value")
    assert ended.json()["status"] == "abandoned"
    assert [each["id"] for each in listed] == [str(tomas.pk)]
    assert Proposal.objects.get(pk=sarah.proposal_id).data == {"name": "Sarah Almeida", "age": 28, "is_alive": True}
    assert told(me, talk, "Tomás is 31", TOMAS) is None  # nobody listens any more


def test_answer_after_the_record_was_made_changes_the_record(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)
    made = services.accept_proposal(actor=me, proposal_id=tomas.proposal_id, changes={"is_alive": True})

    told(me, talk, "Tomás is 31", TOMAS | {"fields": {"name": "Tomás", "age": 31}})

    record = Record.objects.get(pk=made.pk)
    assert (record.data, record.version) == ({"name": "Tomás", "is_alive": True, "age": 31}, 2)
    assert states(tomas) == {"age": "answered", "born": "asked", "is_alive": "answered"}
    assert "/age" in [row.field for row in selectors.sources_of(record)]


def test_nothing_is_asked_about_what_was_rejected(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)

    services.reject_proposal(actor=me, proposal_id=tomas.proposal_id)

    assert FollowUp.objects.get().status == "abandoned"
    assert set(states(tomas).values()) == {"abandoned"}


@pytest.mark.django_db(transaction=True)
def test_card_and_conversation_answer_at_once(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)
    run = services.read_message(actor=SYSTEM, message_id=say(me, talk, "Tomás is 31").message.pk)

    found = both(
        lambda: answered(run, TOMAS | {"fields": {"name": "Tomás", "age": 31}}),
        lambda: services.answer_question(actor=me, follow_up_id=tomas.pk, field="age", value=31),
        lambda: services.accept_proposal(actor=me, proposal_id=tomas.proposal_id),
    )

    assert not [each for each in found if isinstance(each, Exception) and not isinstance(each, QuestionDecided)]
    assert states(tomas)["age"] == "answered"
    assert Record.objects.get().data["age"] == 31


def test_strangers_and_viewers_answer_nothing(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)
    viewer, stranger = someone(project, ProjectRole.VIEWER), actor_of(UserFactory())

    for who, refusal in ((viewer, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            services.answer_question(actor=who, follow_up_id=tomas.pk, field="age", value=3)
        with pytest.raises(refusal):
            services.skip_question(actor=who, follow_up_id=tomas.pk, field="age")
        with pytest.raises(refusal):
            services.abandon_follow_up(actor=who, follow_up_id=tomas.pk)
    assert set(states(tomas).values()) == {"asked"}


def test_answer_that_does_not_fit_is_refused(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)

    with pytest.raises(Invalid):
        services.answer_question(actor=me, follow_up_id=tomas.pk, field="age", value=-1)

    assert states(tomas)["age"] == "asked"


def test_project_that_does_not_want_to_be_asked_is_not(me, project, talk):
    switch(me, project, ASK_MISSING, to=False)

    began(me, project, talk, TOMAS)

    assert not FollowUp.objects.exists()
    assert asides() == []


def test_model_is_told_what_was_asked(me, project, talk):
    began(me, project, talk, TOMAS)
    run = services.read_message(actor=SYSTEM, message_id=say(me, talk, "He is 31").message.pk)

    work = services.claim_run(actor=SYSTEM, run_id=run.pk)

    assert "- people: “Tomás”: Age, Born, Is alive" in engine._instructions(work)
    assert list(work.documents) == ["people"]


def every(me, project):
    switch(me, project, EVERY_MESSAGE, to=True)


def test_project_that_says_so_has_every_message_read_once(me, project, talk):
    quiet = say(me, talk, "Sarah is 28")
    unread = services.read_message(actor=SYSTEM, message_id=quiet.message.pk)
    model_answers(quiet, "Sarah is 29")
    every(me, project)
    said, sealed = say(me, talk, "Tomás is 31").message, say(me, talk, "Her account is 12345", sensitive=True).message

    first = services.read_message(actor=SYSTEM, message_id=said.pk)
    again = services.read_message(actor=SYSTEM, message_id=said.pk)
    secret = services.read_message(actor=SYSTEM, message_id=sealed.pk)
    spoken = services.read_message(actor=SYSTEM, message_id=Message.objects.filter(role="assistant").first().pk)

    assert (unread, again, secret, spoken) == (None, None, None, None)
    assert (first.cause, first.requested_by_id, len(first.collections)) == ("message", me.user_id, 2)
    assert ExtractionRun.objects.count() == 1


def test_reading_every_message_has_a_limit_and_needs_the_right(me, project, talk, monkeypatch):
    every(me, project)
    first, second = say(me, talk, "Tomás is 31").message, say(me, talk, "Sarah is 28").message
    guest = someone(project, ProjectRole.VIEWER)
    from apps.conversations import services as conversations

    conversations.invite_participant(actor=me, conversation_id=talk.pk, user_id=guest.user_id)
    theirs = say(guest, talk, "I am 40").message
    monkeypatch.setattr("apps.extraction.services.automatic.MAX_READ_AN_HOUR", 1)

    assert services.read_message(actor=SYSTEM, message_id=theirs.pk) is None
    assert services.read_message(actor=SYSTEM, message_id=first.pk) is not None
    assert services.read_message(actor=SYSTEM, message_id=second.pk) is None


def test_what_is_said_in_private_is_read_for_whoever_asks_alone(me, project, talk):
    every(me, project)
    secret = say(me, start(me, project, visibility="private"), "My salary is 91,000").message

    assert services.read_message(actor=SYSTEM, message_id=secret.pk) is None  # not even for the platform, unasked
    assert services.request_extraction(actor=me, project_id=project.pk, message_id=secret.pk).status == "queued"


def test_field_that_is_gone_is_asked_about_no_more(me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)
    without = {name: each for name, each in PEOPLE["properties"].items() if name != "born"}
    services.change_collection(
        actor=me,
        collection_id=tomas.collection_id,
        changes={"document": PEOPLE | {"properties": without}, "needed": ["age", "is_alive"]},
    )

    told(me, talk, "He is 31", TOMAS | {"fields": {"name": "Tomás", "age": 31}})
    (asked,) = question_selectors.asked_in(talk.pk, me)

    assert states(tomas)["age"] == "answered"
    assert asked.fields == ("Is alive",)


def test_message_in_which_nothing_was_found_has_no_card(client, me, project, talk):
    every(me, project)
    run = services.read_message(actor=SYSTEM, message_id=say(me, talk, "Good morning").message.pk)
    answered(run)
    client.force_login(User.objects.get(pk=me.user_id))

    page = client.get(f"/c/{talk.pk}/").content.decode()

    assert 'data-controller="extraction"' not in page


def test_card_asks_and_shows_what_was_noted(client, me, project, talk):
    _run, (tomas,) = began(me, project, talk, TOMAS)
    client.force_login(User.objects.get(pk=me.user_id))
    before = client.get(f"/c/{talk.pk}/").content.decode()

    told(me, talk, "31")
    after = client.get(f"/c/{talk.pk}/").content.decode()

    assert "Tomás: Age?" in before
    assert "Tomás: Age?" not in after
    assert "Tomás: Born?" in after
    assert "1 answer noted" in after
    assert f'href="#p-{tomas.proposal_id}"' in after


def test_manager_switches_reading_on_for_a_project(client, me, project, talk):
    client.force_login(User.objects.get(pk=me.user_id))
    body = {"form": "every", "project": str(project.pk), "on": "yes"}

    changed = client.post("/settings/reading/", body, follow=True)

    assert "Every message is read" in changed.content.decode()
    assert preferences.get_fresh(EVERY_MESSAGE, organization=project.organization_id, project=project.pk) is True
    client.force_login(User.objects.get(pk=someone(project).user_id))
    client.post("/settings/reading/", body | {"on": "no"})
    assert preferences.get_fresh(EVERY_MESSAGE, organization=project.organization_id, project=project.pk) is True
