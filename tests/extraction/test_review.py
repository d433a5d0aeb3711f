"""What was read out of words as people meet it: cards in the conversation, the queue, and two who decide at once."""

import re
import threading

import pytest
from django.db import IntegrityError, connections
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import ProjectRole
from apps.bulk import engine
from apps.bulk import services as operations
from apps.bulk.models import Operation
from apps.conversations import services as conversations
from apps.core.doors.topics import TopicEvent
from apps.core.errors import Forbidden, NotFound
from apps.core.ids import uuid7
from apps.core.models import Event
from apps.extraction import services
from apps.extraction.models import ExtractionRun, FollowUp, Proposal, Record
from apps.extraction.services import reviews
from apps.extraction.topics import ExtractionTopic
from apps.extraction.types import NoCollections, NothingToRead, ProposalDecided, RunNotFailed
from apps.files import engine as reading
from tests.accounts.factories import UserFactory, actor_of
from tests.bulk.factories import counts, fresh
from tests.conversations.factories import answer, say, someone, start
from tests.extraction.factories import people, read_as, record
from tests.files.factories import upload

pytestmark = pytest.mark.django_db

WORDS = "Sarah, a 28-year-old journalist from Lisbon, and her brother Tomás."
SARAH = {"collection": "people", "id": "e1", "fields": {"name": "Sarah", "age": 28, "is_alive": True}}
TOMAS = {"collection": "people", "id": "e2", "fields": {"name": "Tomás"}}


@pytest.fixture
def talk(me, project):
    return start(me, project)


@pytest.fixture
def message(me, talk):
    return say(me, talk, WORDS).message


@pytest.fixture
def browser(client, owner):
    client.force_login(owner)
    return client


def page_of(browser, talk):
    return browser.get(f"/c/{talk.pk}/").content.decode()


def test_card_below_the_message_says_what_was_found_and_where(browser, me, project, talk, message):
    people(me, project, needed=["born"])
    odd = {"collection": "people", "id": "e1", "fields": SARAH["fields"] | {"shoe": "blue"}}

    read_as(me, project, odd, TOMAS, message_id=message.pk, is_demo=True)
    page = page_of(browser, talk)

    assert page.index(f'id="m-{message.pk}"') < page.index('data-controller="extraction"')
    assert "2 suggested records" in page
    assert "Read by the demo" in page
    assert f'data-message="{message.pk}" data-words="28" data-nth="0"' in page
    assert '<mark class="prov">28</mark>-year-old journalist' in page
    assert "Inferred, no source" in page
    assert "1 field missing" in page
    assert "“blue”" in page
    assert "Accept all 2" in page


def test_badge_counts_what_words_say(browser, me, project, message):
    """Not what a person answered, what the model inferred, or what points to another suggestion; nor a field that is empty."""
    people(me, project, needed=["born"])
    family = [{"from": "e1", "field": "siblings", "to": "e2"}]
    run = read_as(me, project, SARAH, TOMAS, links=family, message_id=message.pk)

    def badge():
        card = browser.get(f"/review/proposals/{Proposal.objects.get(number=1).pk}/").content.decode()
        return re.findall(r"\d+ of \d+ sourced", card)

    before = badge()
    asked = FollowUp.objects.get(proposal__run=run, proposal__number=1)
    services.answer_question(actor=me, follow_up_id=asked.pk, field="born", value="1998-01-31")

    assert Proposal.objects.get(number=1).data == {"name": "Sarah", "age": 28, "is_alive": True, "born": "1998-01-31"}
    assert (before, badge()) == (["2 of 4 sourced"], ["2 of 5 sourced"])


def test_card_names_what_it_points_to_also_where_that_is_not_drawn(
    browser, me, project, message, django_assert_max_num_queries
):
    people(me, project, needed=["siblings"])
    links = [{"from": "e1", "field": "siblings", "to": "e2"}, {"from": "e1", "field": "lives_in", "to": "e3"}]
    lisbon = {"collection": "places", "id": "e3", "fields": {"name": "Lisbon"}}
    read_as(me, project, SARAH, TOMAS, lisbon, links=links, message_id=message.pk)
    sarah, tomas, _city = Proposal.objects.order_by("number")
    Proposal.objects.update(confidence=0.4)
    Proposal.objects.filter(pk=sarah.pk).update(confidence=0.95)
    address = f"/review/proposals/{sarah.pk}/"

    with django_assert_max_num_queries(20):
        alone = browser.get(address).content.decode()
    filtered = browser.get("/review/?sure=sure").content.decode()
    services.reject_proposal(actor=me, proposal_id=tomas.pk)
    left = browser.get(address).content.decode()

    for page in (alone, filtered):
        assert "<dd>Tomás</dd>" in page
        assert "<dd>Lisbon</dd>" in page
        assert "field missing" not in page
    assert "<dd>Tomás</dd>" not in left
    assert "1 field missing" in left


def test_all_that_found_no_place_is_counted_and_has_a_page(browser, me, project, talk, message):
    people(me, project)
    odd = {"collection": "people", "id": "e1", "fields": {"name": "Sarah"} | {f"x{n}": f"odd {n}." for n in range(120)}}
    run = read_as(me, project, odd, message_id=message.pk)
    address = f"/review/runs/{run.pk}/unplaced/"
    stranger = Client()
    stranger.force_login(UserFactory())

    card = browser.get(f"/review/runs/{run.pk}/").content.decode()
    first, second = (browser.get(f"{address}{start}").content.decode() for start in ("", "?from=100"))

    assert "120 values</span>" in card
    assert card.count("“odd ") == 50
    assert f'<a href="{address}">All 120 values</a>' in card
    assert [page.count("“odd ") for page in (first, second)] == [100, 20]
    assert ("120 values were read" in first, 'href="?from=100"' in first, "“odd 119.”" in second) == (True,) * 3
    assert [browser.get(f"{address}?from={wrong}").status_code for wrong in ("-1", "x", "9" * 30, "200")] == [200] * 4
    assert stranger.get(address).status_code == 404
    assert browser.get(f"{address}?from=200").content.decode().count("“odd ") == 20
    ExtractionRun.objects.update(cause="answer")
    hidden = browser.get(address).content.decode()
    assert ("What found no place is shown to who" in hidden, "has its place" in hidden) == (True, False)
    ExtractionRun.objects.update(cause="asked", unplaced=[])
    assert "All that was read has its place" in browser.get(address).content.decode()


def test_card_stays_when_the_answer_above_it_is_tried_again(browser, me, project, talk):
    """Asked for at the end of what is there (``/extract``); one that was read out of the answer itself stays with that."""
    people(me, project)
    posted = say(me, talk, WORDS)
    first = answer(posted, "Tomás is 31.")
    asked = services.request_extraction(actor=me, project_id=project.pk, message_id=posted.message.pk, at_end=True)
    services.request_extraction(actor=me, project_id=project.pk, message_id=first.pk)
    there = page_of(browser, talk)

    again = conversations.regenerate_answer(actor=me, message_id=first.pk)
    page = page_of(browser, talk)
    alone = browser.get(f"/c/{talk.pk}/messages/{again.answer.pk}/").content.decode()

    assert (there.count('data-controller="extraction"'), page.count('data-controller="extraction"')) == (2, 1)
    for each in (page, alone):
        assert f"/review/runs/{asked.pk}/" in each
        assert each.index(f'id="m-{again.answer.pk}"') < each.index('data-controller="extraction"')


def test_card_follows_the_run_from_waiting_to_failed_and_again(browser, me, project, talk, message):
    people(me, project)
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)
    waiting = browser.get(f"/review/runs/{run.pk}/").content.decode()
    ExtractionRun.objects.update(status="failed", error_code="overloaded")
    failed = browser.get(f"/review/runs/{run.pk}/").content.decode()

    again = services.retry_extraction(actor=me, run_id=run.pk)

    assert "Waiting to be read" in waiting
    assert "data-moving" in waiting
    assert "The provider is overloaded." in failed
    assert "extraction#retry" in failed
    assert (again.status, again.attempts, again.error_code) == ("queued", 0, "")
    with pytest.raises(RunNotFailed):
        services.retry_extraction(actor=me, run_id=run.pk)


def test_followers_hear_of_the_run_and_the_conversation_of_its_card(me, project, talk, message):
    people(me, project)

    run = read_as(me, project, SARAH, message_id=message.pk)
    services.accept_proposal(actor=me, proposal_id=Proposal.objects.get().pk)

    told = Event.objects.filter(topic=f"extraction:{run.pk}").order_by("topic_position").values_list("type", flat=True)
    assert list(told) == [
        "extraction.extraction_requested",
        "extraction.extraction_completed",
        "extraction.proposal_accepted",
    ]
    shown = Event.objects.get(type="conversations.message_annotated")
    assert (shown.topic, shown.payload) == (f"conversation:{talk.pk}", {"message_id": str(message.pk)})


def test_topic_is_for_whoever_sees_the_project(me, project, message):
    people(me, project)
    run = read_as(me, project, SARAH, message_id=message.pk)
    topic, stranger = ExtractionTopic(), actor_of(UserFactory())
    event = TopicEvent(uuid7(), 2, "", "extraction.extraction_completed", {"proposals": 1}, run.pk, None)

    assert topic.is_allowed(me, run.pk)
    assert not topic.is_allowed(stranger, run.pk)
    said = topic.snapshot(me, run.pk).data["extraction"]
    assert (said["status"], said["suggested"], said["pending"]) == ("completed", 1, 1)
    assert topic.render(me, run.pk, [event])[0]["extraction"]["message"] == str(message.pk)
    with pytest.raises(NotFound):
        topic.snapshot(stranger, run.pk)


def test_viewer_sees_the_card_and_decides_nothing(me, project, talk, message):
    people(me, project)
    run = read_as(me, project, SARAH, TOMAS, message_id=message.pk)
    viewer, proposal = someone(project, ProjectRole.VIEWER), Proposal.objects.first()
    browser = Client()
    browser.force_login(User.objects.get(pk=viewer.user_id))

    page = page_of(browser, talk)

    assert "2 suggested records" in page
    assert "proposal#accept" not in page
    assert "Accept all" not in page
    assert 'data-do="extract"' not in page
    for attempt in (
        lambda: services.accept_all(actor=viewer, run_id=run.pk),
        lambda: services.accept_proposal(actor=viewer, proposal_id=proposal.pk),
        lambda: services.reject_proposal(actor=viewer, proposal_id=proposal.pk),
        lambda: services.retry_extraction(actor=viewer, run_id=run.pk),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert set(Proposal.objects.values_list("status", flat=True)) == {"pending"}


def test_who_was_let_into_the_conversation_alone_sees_no_records(me, project, talk, message):
    people(me, project)
    run = read_as(me, project, SARAH, message_id=message.pk)
    guest = UserFactory()
    from tests.accounts.factories import join

    join(guest, project.organization)
    type(project).objects.filter(pk=project.pk).update(access="restricted")
    conversations.invite_participant(actor=me, conversation_id=talk.pk, user_id=guest.pk)
    browser = Client()
    browser.force_login(guest)

    page = browser.get(f"/c/{talk.pk}/")

    assert page.status_code == 200
    assert WORDS.split(",", maxsplit=1)[0] in page.content.decode()
    assert "suggested record" not in page.content.decode()
    assert browser.get(f"/review/runs/{run.pk}/").status_code == 404
    assert browser.get(f"/review/proposals/{Proposal.objects.get().pk}/").status_code == 404


def test_words_of_a_private_conversation_stay_closed_in_the_queue(me, project):
    people(me, project)
    secret = say(me, start(me, project, visibility="private"), "Sarah hides in Porto").message
    read_as(me, project, SARAH, message_id=secret.pk)
    colleague = Client()
    colleague.force_login(User.objects.get(pk=someone(project).user_id))
    mine = Client()
    mine.force_login(User.objects.get(pk=me.user_id))

    theirs = colleague.get("/review/").content.decode()

    assert "Sarah" in theirs
    assert "hides in Porto" not in theirs
    assert "hides in Porto" in mine.get("/review/").content.decode()


def both(*actions):
    """At once, each on a connection of its own; what they raised or gave."""
    done = {}

    def do(number, action):
        try:
            done[number] = action()
        except Exception as error:  # noqa: BLE001  (told to the test)
            done[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=each) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [done[number] for number in range(len(actions))]


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_of_one_suggestion_are_told_of_each_other(me, project, message):
    people(me, project)
    read_as(me, project, SARAH, message_id=message.pk)
    other, pk = someone(project), Proposal.objects.get().pk

    found = both(
        lambda: services.accept_proposal(actor=me, proposal_id=pk, changes={"age": 29}),
        lambda: services.reject_proposal(actor=other, proposal_id=pk),
    )

    late = next(each for each in found if isinstance(each, Exception))
    winner = me if isinstance(found[1], Exception) else other
    assert isinstance(late, ProposalDecided)
    assert late.extra["decided_by"] == User.objects.get(pk=winner.user_id).display_name
    assert Proposal.objects.get().decided_by_id == winner.user_id
    assert Record.objects.count() == (1 if winner is me else 0)


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_of_linked_suggestions_do_not_wait_for_each_other_for_ever(me, project, message):
    people(me, project)
    links = [{"from": "e1", "field": "siblings", "to": "e2"}, {"from": "e2", "field": "siblings", "to": "e1"}]
    read_as(me, project, SARAH, TOMAS, links=links, message_id=message.pk)
    other, (one, two) = someone(project), Proposal.objects.order_by("number")

    found = both(
        lambda: services.accept_proposal(actor=me, proposal_id=one.pk),
        lambda: services.accept_proposal(actor=other, proposal_id=two.pk),
    )

    assert [type(each).__name__ for each in found] == ["Record", "Record"]
    sarah, tomas = Record.objects.order_by("title")
    assert (sarah.data["siblings"], tomas.data["siblings"]) == ([str(tomas.pk)], [str(sarah.pk)])


def test_all_are_accepted_but_what_cannot_be(api, me, project, message):
    collection = people(me, project, unique_keys=[["name"]])
    record(me, collection, name="Tomás")
    run = read_as(me, project, SARAH, TOMAS, message_id=message.pk)

    done = api.post(f"/api/v1/extractions/{run.pk}/accept/").json()
    late = api.post(f"/api/v1/proposals/{Proposal.objects.get(number=1).pk}/reject/").json()
    again = api.post(f"/api/v1/extractions/{run.pk}/retry/")

    assert len(done["records"]) == 1
    assert [each["code"] for each in done["left"]] == ["record_not_unique"]
    assert list(Proposal.objects.order_by("number").values_list("status", flat=True)) == ["accepted", "pending"]
    assert (late["code"], late["decided_by"]) == ("proposal_decided", User.objects.get(pk=me.user_id).display_name)
    assert (again.status_code, again.json()["code"]) == (409, "extraction_not_failed")


def test_many_are_accepted_in_pieces_each_kept_by_itself(api, me, project, message, monkeypatch):
    monkeypatch.setattr(reviews, "ACCEPTED_AT_ONCE", 1)
    monkeypatch.setattr(reviews, "ACCEPTING_SECONDS", 0)
    people(me, project)
    zoe = {"collection": "people", "id": "e9", "fields": {"name": "Zoe"}}
    run = read_as(me, project, SARAH, TOMAS, zoe, message_id=message.pk)
    address = f"/api/v1/extractions/{run.pk}/accept/"

    first = api.post(address).json()
    statuses = list(Proposal.objects.order_by("number").values_list("status", flat=True))
    rest = [api.post(f"{address}?after={number}").json() for number in (1, 2)]

    assert (len(first["records"]), first["left"], first["next"]) == (1, [], 1)
    assert statuses == ["accepted", "pending", "pending"]
    assert [(len(each["records"]), each["next"]) for each in rest] == [(1, 2), (1, None)]


def test_piece_that_breaks_leaves_those_before_it_accepted(me, project, message, monkeypatch):
    monkeypatch.setattr(reviews, "ACCEPTED_AT_ONCE", 1)
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE extraction_record ADD CONSTRAINT no_tomas CHECK (title <> 'Tomás')")
    people(me, project)
    run = read_as(me, project, SARAH, TOMAS, message_id=message.pk)

    with pytest.raises(IntegrityError):
        services.accept_all(actor=me, run_id=run.pk)

    statuses = list(Proposal.objects.order_by("number").values_list("status", flat=True))
    assert statuses == ["accepted", "pending"]
    assert list(Record.objects.values_list("title", flat=True)) == ["Sarah"]


@pytest.mark.parametrize(
    ("arguments", "is_all", "slugs"),
    [
        ("", False, {"people", "places"}),
        ("places", False, {"places"}),
        ("all People, places", True, {"people", "places"}),
    ],
)
def test_command_reads_the_last_words_or_all(me, project, talk, message, arguments, is_all, slugs):
    people(me, project)

    said = conversations.run_command(actor=me, conversation_id=talk.pk, name="extract", arguments=arguments)

    run = ExtractionRun.objects.get()
    assert said.notice == ""
    assert (run.conversation_id == talk.pk, run.message_id == message.pk) == (is_all, not is_all)
    assert run.shown_in == talk.pk
    assert run.shown_under is not None
    assert len(run.collections) == len(slugs)


def test_command_is_shown_where_it_was_asked_for(browser, me, project, talk, message):
    """Below the answer that came meanwhile, not above it."""
    people(me, project)
    talk.refresh_from_db()

    conversations.run_command(actor=me, conversation_id=talk.pk, name="extract")

    run = ExtractionRun.objects.get()
    assert run.message_id == message.pk
    assert (run.shown_in, run.shown_under) == (talk.pk, talk.head_id)
    assert run.shown_under != message.pk
    assert page_of(browser, talk).index(f'id="x-{run.pk}"') > page_of(browser, talk).index(f'id="m-{talk.head_id}"')


def test_command_says_what_is_not_there(me, project, talk):
    with pytest.raises(NoCollections):
        conversations.run_command(actor=me, conversation_id=talk.pk, name="extract")
    people(me, project)

    said = conversations.run_command(actor=me, conversation_id=talk.pk, name="extract", arguments="ships")

    assert said.notice == "There is no collection “ships”. There are: People, Places."
    with pytest.raises(NothingToRead):
        conversations.run_command(actor=me, conversation_id=talk.pk, name="extract")
    assert not ExtractionRun.objects.exists()


def test_file_is_read_below_the_message_that_shows_it(browser, owner, me, project, talk):
    people(me, project)
    file = upload(owner, project, name="cast.txt", content=b"Sarah is a journalist.")
    reading.process_file(file_id=file.pk)
    shown = say(me, talk, "The cast", attachments=[file.pk]).message

    run = services.request_extraction(actor=me, project_id=project.pk, file_id=file.pk)

    assert (run.shown_in, run.shown_under) == (talk.pk, shown.pk)
    assert f'data-offer="extract" data-file="{file.pk}"' in page_of(browser, talk)


def test_queue_is_filtered_by_collection_and_by_how_sure_it_is(browser, me, project, message):
    collection = people(me, project)
    read_as(me, project, SARAH, TOMAS, message_id=message.pk)
    Proposal.objects.filter(number=1).update(confidence=0.95)
    Proposal.objects.filter(number=2).update(confidence=0.4)

    def shown(**query):
        page = browser.get("/review/", query).content.decode()
        return [name for name in ("Sarah", "Tomás") if f'-title">{name}</h3>' in page]

    assert shown() == ["Sarah", "Tomás"]
    assert shown(sure="sure") == ["Sarah"]
    assert shown(sure="guess", collection=collection.pk) == ["Tomás"]
    assert shown(sure="unsure") == ["Tomás"]


def test_all_that_the_filter_shows_is_accepted_as_an_operation(browser, me, project, message):
    collection = people(me, project, unique_keys=[["name"]])
    record(me, collection, name="Tomás")
    names = ("Sarah", "Rui", "Ana", "Zoe")
    others = [{"collection": "people", "id": name, "fields": {"name": name}} for name in names]
    read_as(me, project, TOMAS, *others, message_id=message.pk)
    Proposal.objects.update(confidence=0.95)
    Proposal.objects.filter(number=4).update(confidence=0.4)
    shown = {"collection": str(collection.pk), "sure": "sure"}

    queue = browser.get("/review/", shown).content.decode()
    begun = browser.post("/review/", {"project": str(project.pk), **shown})
    operation = Operation.objects.get()
    engine.plan_operation(operation_id=operation.pk)
    page = " ".join(browser.get(begun["Location"]).content.decode().split())
    assert set(Proposal.objects.values_list("status", flat=True)) == {"pending"}, "nothing is accepted before the start"
    late = {"collection": "people", "id": "e9", "fields": {"name": "Later"}}
    read_as(me, project, late, message_id=message.pk)
    Proposal.objects.filter(entity_id="e9").update(confidence=0.95)
    services.reject_proposal(actor=me, proposal_id=Proposal.objects.get(entity_id="Zoe").pk)
    operations.start_operation(actor=me, operation_id=operation.pk)
    engine.run_all()

    assert "Accept all 4…" in queue
    assert "0 of 4 items" in page
    assert "Suggestions that wait: People, Nearly sure." in page
    assert '<ins><span class="sr">after:</span> Sarah</ins>' in page
    ended = browser.get(begun["Location"]).content.decode()
    assert "Somebody decided on it meanwhile." in ended
    assert f'href="/review/?collection={collection.pk}&amp;sure=sure"' in ended
    assert counts(operation) == {"succeeded": 2, "failed": 1, "skipped": 1}
    assert fresh(operation).causes == {"record_not_unique": 1}
    assert dict(Proposal.objects.values_list("entity_id", "status")) == {
        "e2": "pending",
        "Sarah": "accepted",
        "Rui": "accepted",
        "Ana": "pending",
        "Zoe": "rejected",
        "e9": "pending",
    }
    assert set(Record.objects.values_list("title", flat=True)) == {"Tomás", "Sarah", "Rui"}


def test_all_are_offered_only_to_who_may_accept_them(browser, me, project, message):
    collection = people(me, project)
    read_as(me, project, SARAH, TOMAS, message_id=message.pk)
    body = {"project": str(project.pk), "collection": str(collection.pk)}
    viewer, stranger = Client(), Client()
    viewer.force_login(User.objects.get(pk=someone(project, ProjectRole.VIEWER).user_id))
    stranger.force_login(UserFactory())

    assert "Accept all 2…" in browser.get("/review/").content.decode()
    assert "Accept all" not in viewer.get("/review/").content.decode()
    assert [each.post("/review/", body).status_code for each in (viewer, stranger)] == [403, 404]
    assert [browser.post("/review/", {"project": named}).status_code for named in ("", str(uuid7()))] == [404, 404]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("count", [1, 3, 30])
def test_queue_and_cards_take_the_same_queries_for_any_number(
    browser, me, project, talk, message, count, django_assert_max_num_queries
):
    people(me, project)
    read_as(
        me,
        project,
        *({"collection": "people", "id": f"e{n}", "fields": {"name": "Sarah", "age": 28}} for n in range(count)),
        message_id=message.pk,
    )
    browser.get("/review/")
    page_of(browser, talk)  # the first look at a conversation makes its project the one where one is

    with django_assert_max_num_queries(25):
        queue = browser.get("/review/")
    with django_assert_max_num_queries(40):
        page = page_of(browser, talk)

    assert queue.content.decode().count('data-controller="proposal"') == min(count, 25)
    assert page.count('data-controller="proposal"') == min(count, 20)


def test_strangers_find_no_cards(project, me, message):
    people(me, project)
    run = read_as(me, project, SARAH, message_id=message.pk)
    stranger = Client()
    stranger.force_login(UserFactory())

    assert stranger.get(f"/review/runs/{run.pk}/").status_code == 404
    assert stranger.get(f"/review/proposals/{Proposal.objects.get().pk}/").status_code == 404
    assert "Sarah" not in stranger.get("/review/").content.decode()
