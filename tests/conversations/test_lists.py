"""Lists of conversations: what is read at once is what the queryset says, page by page and both ways."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.conversations import selectors, services
from apps.conversations.models import Conversation
from apps.conversations.types import ListFilter
from apps.core.paging import Order, Window
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db

NEWEST = Order("last_activity_at")


@pytest.fixture
def many(ines, project):
    made = [start(ines, project, title=f"number {place}", tags=["odd"] if place % 2 else []) for place in range(12)]
    for place, conversation in enumerate(made):
        # Pairs share a time, so that the id has to decide.
        Conversation.objects.filter(pk=conversation.pk).update(
            last_activity_at=timezone.now() - timedelta(minutes=place // 2)
        )
        say(ines, conversation)
    for place, change in ((1, {"pinned": True}), (2, {"archived": True}), (3, {"archived": True, "pinned": True})):
        services.change_all(actor=ines, conversation_id=made[place].pk, changes=change, expected_version=None)
    services.delete_conversation(actor=ines, conversation_id=made[4].pk)
    return made


def test_window_shows_what_the_list_says(many, ines, project):
    elsewhere = ProjectFactory(organization=project.organization)
    viewers = [ines, someone(project), someone(elsewhere)]
    flags = itertools.product([False, True, None], [False, True], [False, True, None])
    for archived, deleted, pinned in flags:
        for viewer, project_id in itertools.product(viewers, [None, project.pk, elsewhere.pk]):
            only = ListFilter(project_id, archived=archived, deleted=deleted, pinned=pinned)
            rows = selectors.list_conversations(viewer=viewer, only=only)

            found = selectors.read_window(Window(NEWEST, 50), viewer=viewer, only=only)

            assert found == list(rows.order_by("-last_activity_at", "-pk")), only


def test_words_and_tags_narrow_the_window(many, ines):
    named = selectors.read_window(Window(NEWEST, 50), viewer=ines, only=ListFilter(q="NUMBER 11"))
    tagged = selectors.read_window(Window(NEWEST, 50), viewer=ines, only=ListFilter(tag="odd"))

    assert [row.title for row in named] == ["number 11"]
    assert {row.title for row in tagged} == {f"number {place}" for place in (1, 5, 7, 9, 11)}


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_pages_lead_through_the_list_and_back(many, ines, api, limit):
    rows = list(selectors.list_conversations(viewer=ines).order_by("-last_activity_at", "-pk"))
    expected = [str(row.pk) for row in rows]
    address = f"/api/v1/conversations/?limit={limit}"

    forwards, pages = [], [api.get(address).json()]
    while pages[-1]["next"]:
        pages.append(api.get(f"{address}&cursor={pages[-1]['next']}").json())
    forwards = [row["id"] for page in pages for row in page["results"]]
    backwards, page = [], pages[-1]
    while page["previous"]:
        page = api.get(f"{address}&cursor={page['previous']}").json()
        backwards = [row["id"] for row in page["results"]] + backwards

    assert forwards == expected
    assert backwards == expected[: len(backwards)]
    assert len(pages) >= len(expected) // limit


def test_pins_and_unread_are_each_viewers_own(many, ines, api):
    listed = {row["title"]: row for row in api.get("/api/v1/conversations/").json()["results"]}

    assert listed["number 1"]["is_pinned"] is True
    assert [title for title, row in listed.items() if row["is_pinned"]] == ["number 1"]
