from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.search import LEADING_TITLES
from tests.accounts.factories import ProjectFactory, key_of
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


def test_search_finds_words_and_says_where_they_stand(api, ines, project):
    conversation = start(ines, project, title="Port")
    posted = say(ines, conversation, "The second ledger lies in her locker.")

    hits = api.get("/api/v1/search/", {"q": "ledger"}).json()["results"]

    assert [(hit["id"], hit["position"], hit["conversation"]) for hit in hits] == [
        (str(posted.message.pk), 1, str(conversation.pk))
    ]
    assert [hits[0]["snippet"][start:end] for start, end in hits[0]["spans"]] == ["ledger"]


TECHNICAL = {
    "identifier": "The column changed_at is empty.",
    "file": "It stands in (report.pdf), as always.",
    "domain": "Ask example.com for it.",
    "mail": "Write to a@b.org today.",
    "address": "See https://port.example.org/quays/4?open=1 there.",
    "path": "It is in /etc/nginx.conf now.",
    "number": "Pi is 3.14 or so.",
    "invoice": "Pay INV-1234 soon.",
    "version": "We run 2.4.1-rc2 here.",
    "word": "The state-of-the-art crane.",
}


@pytest.mark.parametrize(
    "asked", ["cafe muller", "café", "CAFÉ", "Mu\u0308ller", "müll", "Smorrebrod", "strasse", "Straße"]
)
def test_search_makes_no_difference_between_letters_with_and_without_accents(api, ines, project, asked):
    written = start(ines, project, title="Im Café Müller, Straße 4: Smørrebrød")
    plain = start(ines, project, title="Cafe Muller, Strasse 4: Smorrebrod")
    said = [say(ines, each, each.title).message for each in (written, plain)]
    say(ines, start(ines, project, title="Port"), "Mulde")

    hits = api.get("/api/v1/search/", {"q": asked}).json()["results"]

    assert {hit["id"] for hit in hits if hit["kind"] == "message"} == {str(message.pk) for message in said}
    assert all(hit["spans"] for hit in hits if hit["kind"] == "message")
    if " " not in asked:
        assert {hit["id"] for hit in hits if hit["kind"] == "conversation"} == {str(written.pk), str(plain.pk)}
        listed = api.get("/api/v1/conversations/", {"q": asked}).json()["results"]
        assert len(listed) == 2


@pytest.mark.parametrize("asked", ["\u0301", "\u0301 \u0308"])
def test_accents_without_a_letter_find_nothing(api, ines, project, asked):
    say(ines, start(ines, project, title="Café"), "Café")

    assert api.get("/api/v1/search/", {"q": asked}).json()["results"] == []
    assert api.get("/api/v1/conversations/", {"q": asked}).json()["results"] == []


def test_search_finds_the_end_of_a_long_message(api, ines, project):
    said = say(
        ines, start(ines, project), "Ein Café. " + "und so weiter " * 6000 + "zuletzt das Kontorhaus am Zürichsee"
    )

    [hit] = api.get("/api/v1/search/", {"q": "kontorhaus zurichsee"}).json()["results"]

    assert hit["id"] == str(said.message.pk)
    assert [hit["snippet"][start:end] for start, end in hit["spans"]] == ["Kontorhaus", "Zürichsee"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("changed_at", "identifier"),
        ("is changed_at empty?", "identifier"),
        ("report.pdf", "file"),
        ("(`report.pdf`)", "file"),
        ("report.pd", "file"),
        ("report", "file"),
        ("example.com", "domain"),
        ("example", "domain"),
        ("a@b.org", "mail"),
        ("https://port.example.org/quays/4?open=1", "address"),
        ("port.example.org", "address"),
        ("/etc/nginx.conf", "path"),
        ("3.14", "number"),
        ("INV-1234", "invoice"),
        ("1234", "invoice"),
        ("2.4.1-rc2", "version"),
        ("state-of-the-art", "word"),
    ],
)
def test_search_finds_what_is_more_than_a_word(api, ines, project, asked, found):
    conversation = start(ines, project, title="Port")
    posted = {kind: say(ines, conversation, text) for kind, text in TECHNICAL.items()}

    hits = api.get("/api/v1/search/", {"q": asked}).json()["results"]

    assert hits[0]["id"] == str(posted[found].message.pk)
    assert hits[0]["spans"]


def test_search_stays_in_the_conversation_that_is_named(api, ines, project):
    here, there = start(ines, project, title="Here"), start(ines, project, title="There")
    say(ines, here, "A ledger here.")
    say(ines, there, "A ledger there.")

    hits = api.get("/api/v1/search/", {"q": "ledger", "conversation": str(here.pk)}).json()["results"]

    assert [hit["snippet"] for hit in hits] == ["A ledger here."]


def test_search_pages_with_a_cursor(api, ines, project):
    conversation = start(ines, project, title="Port")
    for number in range(3):
        answer(say(ines, conversation, f"Ledger number {number}"), "Yes.")

    first = api.get("/api/v1/search/", {"q": "ledger", "limit": 2}).json()
    second = api.get("/api/v1/search/", {"q": "ledger", "limit": 2, "cursor": first["next"]}).json()

    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)
    assert len({hit["id"] for hit in first["results"] + second["results"]}) == 3


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("50% off", {"50% off today"}),
        ("0%", {"50% off today"}),
        ("a_b", {"a_b"}),
        ("ÄRGER", {"Ärger im Hafen"}),
        ("HAF", {"Ärger im Hafen"}),
        ("$1 %s", {"costs $1 %s"}),
        ("hafen ärger", {"Ärger im Hafen"}),
        ("der hafen", {"Ärger im Hafen"}),
        ("im", {"Ärger im Hafen"}),
        ("(Hafen), ÄRG", {"Ärger im Hafen"}),
        ("hafen stadt", set()),
        ("off 50%", {"50% off today"}),
    ],
)
def test_titles_are_found_by_what_stands_in_them_and_not_as_patterns(api, ines, project, asked, found):
    for title in ("50% off today", "50x off today", "a_b", "axb", "Ärger im Hafen", "costs $1 %s"):
        start(ines, project, title=title)

    for _twice in range(2):
        hits = api.get("/api/v1/search/", {"q": asked}).json()["results"]
        assert {hit["title"] for hit in hits} == found
    listed = api.get("/api/v1/conversations/", {"q": asked}).json()["results"]
    assert {each["title"] for each in listed} == found


def test_titles_with_the_words_in_a_row_stand_first_and_pages_lose_none(api, ines, project):
    """Ten titles, the newest with the words the other way round, and a message with one of the words."""
    titles = [f"{'Lisbon budget' if number < 3 else 'Budget for Lisbon'} {number}" for number in range(10)]
    for title in titles:
        start(ines, project, title=title)
    said = say(ines, start(ines, project, title="Port"), "The budget.").message

    pages = [api.get("/api/v1/search/", {"q": "lisbon budget", "limit": 4}).json()]
    while pages[-1]["next"]:
        pages.append(api.get("/api/v1/search/", {"q": "lisbon budget", "limit": 4, "cursor": pages[-1]["next"]}).json())

    hits = [hit for page in pages for hit in page["results"]]
    named = [int(hit["title"][-1]) for hit in hits if hit["kind"] == "conversation"]
    assert named == [2, 1, 0, 9, 8, 7, 6, 5, 4, 3]
    assert [hit["id"] for hit in hits].index(str(said.pk)) == LEADING_TITLES


def test_search_shows_a_stranger_nothing(ines, project):
    say(ines, start(ines, project, title="Port"), "A ledger.")
    other = ProjectFactory()
    stranger = User.objects.get(pk=someone(other).user_id)
    api = Client(headers={"Authorization": f"Bearer {key_of(stranger, organization=other.organization)}"})

    assert api.get("/api/v1/search/", {"q": "ledger"}).json()["results"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "x", "cursor": "forged"}, "cursor"),
        ({"q": "x", "project": "x"}, "project"),
        ({"q": "x", "order": "1"}, "order"),
    ],
)
def test_search_refuses_what_it_cannot_read(api, query, field):
    refused = api.get("/api/v1/search/", query)

    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == [field]


def ids_of(answer):
    return [hit["id"] for hit in answer["results"]]


def test_pages_lose_and_repeat_no_hit_when_titles_match_too(api, ines, project):
    titled = [start(ines, project, title=f"Ledger {number}") for number in range(7)]
    talk = start(ines, project, title="Port")
    said = []
    for number in range(15):
        posted = say(ines, talk, f"Ledger number {number}")
        answer(posted, "The ledger, yes.")
        said += [posted.message.pk, posted.answer.pk]
    expected = {str(row.pk) for row in titled} | {str(pk) for pk in said}

    pages = [api.get("/api/v1/search/", {"q": "ledger", "limit": 8}).json()]
    while pages[-1]["next"]:
        pages.append(api.get("/api/v1/search/", {"q": "ledger", "limit": 8, "cursor": pages[-1]["next"]}).json())

    found = [pk for page in pages for pk in ids_of(page)]
    assert [len(page["results"]) for page in pages] == [8, 8, 8, 8, 5]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert [hit["kind"] for hit in pages[0]["results"]] == ["conversation"] * 5 + ["message"] * 3
    back = pages[-1]
    for page in reversed(pages[:-1]):
        back = api.get("/api/v1/search/", {"q": "ledger", "limit": 8, "cursor": back["previous"]}).json()
        assert ids_of(back) == ids_of(page)
    assert back["previous"] is None


@pytest.fixture
def filed(ines, project):
    """Two talks: a cheap one of Ines, and a dear one of Otto in which another model answered, last year, with a tag."""
    otto = someone(project)
    here, there = start(ines, project, title="Here"), start(otto, project, title="There", tags=["noir"])
    ours, theirs = say(ines, here, "Ours"), say(otto, there, "Theirs")
    for posted in (ours, theirs):
        answer(posted, "Yes.")
    Turn.objects.filter(pk=ours.turn.pk).update(provider_name="Port", model_name="meta/small", cost="0.01")
    Turn.objects.filter(pk=theirs.turn.pk).update(provider_name="Port", model_name="large", cost="0.5")
    year_ago = timezone.now() - timedelta(days=365)
    Message.objects.filter(conversation=there).update(created_at=year_ago)
    Conversation.objects.filter(pk=there.pk).update(created_at=year_ago, last_activity_at=year_ago)
    return SimpleNamespace(here=here, there=there, ours=ours, theirs=theirs, otto=otto)


def newest(posted):
    return [str(posted.answer.pk), str(posted.message.pk)]


def test_search_by_person_alone(api, filed):
    found = api.get("/api/v1/search/", {"author": str(filed.otto.user_id)}).json()

    assert ids_of(found) == [str(filed.theirs.message.pk)]
    assert found["results"][0]["snippet"] == "Theirs"


@pytest.mark.parametrize("name", ["meta/small", "Port/meta/small"])
def test_search_by_model_alone(api, filed, name):
    assert ids_of(api.get("/api/v1/search/", {"model": name}).json()) == [str(filed.ours.answer.pk)]


@pytest.mark.parametrize("name", ["small", "Other/large", "Port"])
def test_search_by_a_model_that_did_not_answer_finds_nothing(api, filed, name):
    assert ids_of(api.get("/api/v1/search/", {"model": name}).json()) == []


def test_search_by_cost_alone(api, filed):
    assert ids_of(api.get("/api/v1/search/", {"min_cost": "0.1"}).json()) == [str(filed.theirs.answer.pk)]


def test_search_by_tag_alone_gives_the_conversation_and_what_is_newest_in_it(api, filed):
    found = ids_of(api.get("/api/v1/search/", {"tag": "noir"}).json())

    assert found == [str(filed.there.pk), *found[1:]]
    assert set(found[1:]) == set(newest(filed.theirs))


def test_search_by_date_alone(api, filed):
    day = (timezone.now() - timedelta(days=30)).isoformat()

    since = ids_of(api.get("/api/v1/search/", {"since": day}).json())
    until = ids_of(api.get("/api/v1/search/", {"until": day}).json())

    assert (since[0], set(since[1:])) == (str(filed.here.pk), set(newest(filed.ours)))
    assert (until[0], set(until[1:])) == (str(filed.there.pk), set(newest(filed.theirs)))


def test_search_by_project_and_by_conversation_alone(api, filed, project):
    in_project = ids_of(api.get("/api/v1/search/", {"project": str(project.pk)}).json())
    in_conversation = ids_of(api.get("/api/v1/search/", {"conversation": str(filed.here.pk)}).json())

    assert in_project[:2] == [str(filed.here.pk), str(filed.there.pk)]
    assert set(in_project[2:]) == set(newest(filed.ours) + newest(filed.theirs))
    assert set(in_conversation) == set(newest(filed.ours))


def test_search_by_filters_together_with_words(api, filed):
    both = {"q": "yes", "model": "large", "min_cost": "0.1", "tag": "noir", "until": timezone.now().isoformat()}

    assert ids_of(api.get("/api/v1/search/", both).json()) == [str(filed.theirs.answer.pk)]
    assert ids_of(api.get("/api/v1/search/", {**both, "min_cost": "0.6"}).json()) == []


def test_search_by_filter_shows_a_stranger_nothing(filed):
    other = ProjectFactory()
    stranger = User.objects.get(pk=someone(other).user_id)
    api = Client(headers={"Authorization": f"Bearer {key_of(stranger, organization=other.organization)}"})

    for asked in ({"tag": "noir"}, {"model": "large"}, {"min_cost": "0"}, {"author": str(filed.otto.user_id)}):
        assert ids_of(api.get("/api/v1/search/", asked).json()) == []


def test_search_leaves_out_answers_that_are_not_written_yet(api, ines, project):
    posted = say(ines, start(ines, project), "Still there?")

    assert ids_of(api.get("/api/v1/search/", {"since": "2020-01-01T00:00:00Z"}).json())[1:] == [str(posted.message.pk)]


def test_tag_chip_opens_a_page_with_the_conversation(filed, ines):
    browser = Client()
    browser.force_login(User.objects.get(pk=ines.user_id))

    page = browser.get("/search/", {"tag": "noir"})

    assert page.context["hits"][0].id == filed.there.pk
    assert f'class="hit" href="/c/{filed.there.pk}/"' in page.content.decode()


def test_search_page_goes_on_where_it_ended(ines, project):
    talk = start(ines, project, title="Port")
    said = {str(say(ines, talk, f"Ledger {number}").message.pk) for number in range(19)}
    said |= {str(start(ines, project, title=f"Ledger {number}").pk) for number in range(4)}
    browser = Client()
    browser.force_login(User.objects.get(pk=ines.user_id))

    first = browser.get("/search/", {"q": "ledger"})
    second = browser.get(first.context["next_url"])

    hits = [str(hit.id) for page in (first, second) for hit in page.context["hits"]]
    assert (len(hits), set(hits), second.context["next_url"]) == (23, said, "")


@pytest.mark.parametrize("rows", [1, 3, 30])
@pytest.mark.parametrize("asked", [{"q": "ledger"}, {"tag": "noir"}])
def test_search_takes_the_same_queries_whatever_it_finds(
    api, ines, project, rows, asked, django_assert_max_num_queries
):
    say(someone(project), start(ines, project, title="Ledger"), "A ledger.")
    stranger_project = ProjectFactory()
    stranger = someone(stranger_project)
    say(stranger, start(stranger, stranger_project, title="Ledger", tags=["noir"]), "A ledger.")
    for number in range(rows):
        say(ines, start(ines, project, title=f"Ledger {number}", tags=["noir"]), "A ledger.")

    with django_assert_max_num_queries(6):
        api.get("/api/v1/search/", asked)
