import pytest
from django.test import Client

from apps.accounts.models import User
from tests.accounts.factories import ProjectFactory, key_of
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def ines(project):
    return someone(project)


@pytest.fixture
def client(ines, project):
    token = key_of(User.objects.get(pk=ines.user_id), organization=project.organization)
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_search_finds_words_and_says_where_they_stand(client, ines, project):
    conversation = start(ines, project, title="Port")
    posted = say(ines, conversation, "The second ledger lies in her locker.")

    hits = client.get("/api/v1/search/", {"q": "ledger"}).json()["results"]

    assert [(hit["id"], hit["position"], hit["conversation"]) for hit in hits] == [
        (str(posted.message.pk), 1, str(conversation.pk))
    ]
    assert [hits[0]["snippet"][start:end] for start, end in hits[0]["spans"]] == ["ledger"]


def test_search_stays_in_the_conversation_that_is_named(client, ines, project):
    here, there = start(ines, project, title="Here"), start(ines, project, title="There")
    say(ines, here, "A ledger here.")
    say(ines, there, "A ledger there.")

    hits = client.get("/api/v1/search/", {"q": "ledger", "conversation": str(here.pk)}).json()["results"]

    assert [hit["snippet"] for hit in hits] == ["ledger here"]


def test_search_pages_with_a_cursor(client, ines, project):
    conversation = start(ines, project, title="Port")
    for number in range(3):
        answer(say(ines, conversation, f"Ledger number {number}"), "Yes.")

    first = client.get("/api/v1/search/", {"q": "ledger", "limit": 2}).json()
    second = client.get("/api/v1/search/", {"q": "ledger", "limit": 2, "cursor": first["next"]}).json()

    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)
    assert len({hit["id"] for hit in first["results"] + second["results"]}) == 3


def test_search_shows_a_stranger_nothing(ines, project):
    say(ines, start(ines, project, title="Port"), "A ledger.")
    other = ProjectFactory()
    stranger = User.objects.get(pk=someone(other).user_id)
    client = Client(headers={"Authorization": f"Bearer {key_of(stranger, organization=other.organization)}"})

    assert client.get("/api/v1/search/", {"q": "ledger"}).json()["results"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "q"),
        ({"q": "x", "cursor": "forged"}, "cursor"),
        ({"q": "x", "project": "x"}, "project"),
        ({"q": "x", "order": "1"}, "order"),
    ],
)
def test_search_refuses_what_it_cannot_read(client, query, field):
    refused = client.get("/api/v1/search/", query)

    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == [field]
