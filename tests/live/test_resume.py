"""What it costs the database when somebody comes back, and that those who come back together share what is the same for all."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.services import projects
from apps.accounts.types import ProjectAccess
from apps.conversations import selectors, services
from apps.conversations.events import ConversationChanged
from apps.core.db import in_thread
from apps.core.events import emit
from apps.core.limits import Limit, Tokens
from apps.core.types import Scope
from apps.live import selectors as live
from apps.live.hub import find_kind, hub
from apps.live.outlet import Outlet
from apps.live.socket import Socket
from apps.live.subscription import Subscription
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, member_of
from tests.conversations.factories import answer, say, start
from tests.live.test_subscription import Page

pytestmark = pytest.mark.django_db(transaction=True)


class Counted(Subscription):
    """Knows how many statements its last reading took."""

    queries = 0

    def _load(self):
        with CaptureQueriesContext(connection) as seen:
            found = super()._load()
        self.queries = len(seen)
        return found


class CountedPage(Page):
    def __init__(self, topic, actor):
        super().__init__(topic)
        self.actor = actor

    async def connect(self):
        self.socket = Socket(self.actor, "", Outlet(self.send), Tokens(Limit(100, 100)))
        self.subscription = Counted(self.socket, self.reader.topic, *find_kind(self.reader.topic))
        return await self.subscription.open(self.reader.position, dict(self.reader.seqs))

    @property
    def heard(self):
        return self.reader.events


class World:
    def __init__(self, readers=3):
        owner = UserFactory()
        self.project = ProjectFactory(owner=owner)
        self.owner = actor_of(owner)
        self.readers = [actor_of(member_of(self.project)) for _each in range(readers)]
        self.conversation = start(self.owner, self.project, title="One")
        self.topic = f"conversation:{self.conversation.pk}"

    def answered(self):
        answer(say(self.owner, self.conversation))

    def renamed(self):
        services.change_conversation(actor=self.owner, conversation_id=self.conversation.pk, changes={"title": "Two"})


async def dropped(world):
    """A page of each reader that was here, and is gone."""
    pages = [CountedPage(world.topic, reader) for reader in world.readers]
    for page in pages:
        await page.connect()
    for page in pages:
        page.drop()
    return pages


async def back(pages):
    for page in pages:
        await page.connect()
    for page in pages:
        await page.until(lambda page=page: page.heard)
    return [page.subscription.queries for page in pages]


async def test_one_who_missed_nothing_costs_one_query():
    world = await in_thread(World)
    (page, *_others) = await dropped(world)

    assert await page.connect()

    assert page.subscription.queries == 1
    page.drop()


async def test_messages_and_turns_are_read_once_for_all_who_missed_them():
    world = await in_thread(World)
    pages = await dropped(world)
    await in_thread(world.answered)

    queries = await back(pages)

    assert queries == [2, 1, 1]
    assert pages[1].heard == pages[0].heard
    assert [event["event"] for event in pages[2].heard] == ["message.created", "turn.started", "turn.completed"]
    assert pages[2].heard[-1]["data"]["message"]["content"] == "Answer"
    for page in pages:
        page.drop()


async def test_what_is_told_of_the_conversation_is_each_readers_own():
    world = await in_thread(World)
    await in_thread(world.answered)
    pages = await dropped(world)
    first, second, _third = world.readers
    await in_thread(services.mark_read, actor=first, conversation_id=world.conversation.pk, number=2)
    await in_thread(world.renamed)

    queries = await back(pages)

    assert queries == [2, 2, 2]
    assert [page.heard[-1]["data"]["conversation"]["unread"] for page in pages] == [0, 2, 2]
    again = CountedPage(world.topic, second)
    again.reader.position = pages[1].reader.position - 1
    assert await back([again]) == [1]
    assert again.heard == pages[1].heard[-1:]
    for page in (*pages, again):
        page.drop()


async def test_what_happened_since_is_never_answered_from_memory():
    world = await in_thread(World)
    pages = await dropped(world)
    posted = await in_thread(say, world.owner, world.conversation, "taken back")
    await pages[0].connect()
    await in_thread(services.delete_message, actor=world.owner, message_id=posted.message.pk)

    await back(pages[1:])

    assert [event["data"]["message"]["content"] for event in pages[1].heard] == ["", ""]
    for page in pages:
        page.drop()


async def test_stranger_who_comes_back_is_refused_though_the_words_are_at_hand():
    world = await in_thread(World)
    pages = await dropped(world)
    await in_thread(world.answered)
    await back(pages[:1])
    await in_thread(
        projects.change_project,
        actor=world.owner,
        project_id=world.project.pk,
        access=ProjectAccess.RESTRICTED,
    )

    assert not await pages[1].connect()

    assert pages[1].heard == []
    pages[0].drop()


def test_rights_and_events_are_one_question(db):
    world = World(readers=1)
    world.answered()
    stranger = actor_of(member_of(ProjectFactory()))

    with CaptureQueriesContext(connection) as seen:
        found = selectors.list_events_for(conversation_id=world.conversation.pk, viewer=world.readers[0], after=1)

    assert len(seen) == 1
    assert found == live.list_topic_events(world.topic, 1)
    assert len(found) == 3
    assert selectors.list_events_for(conversation_id=world.conversation.pk, viewer=world.readers[0], after=99) == []
    assert selectors.list_events_for(conversation_id=world.conversation.pk, viewer=stranger, after=0) is None
    assert selectors.list_events_for(conversation_id=uuid4(), viewer=stranger, after=0) is None


async def test_words_at_hand_are_forgotten(monkeypatch):
    monkeypatch.setattr("apps.live.feed.TOLD_SECONDS", 0.05)
    world = await in_thread(World)
    pages = await dropped(world)
    await in_thread(world.answered)
    await back(pages[:1])
    feed = hub().feeds[world.topic]
    assert feed._told

    await pages[0].until(lambda: not feed._told)

    assert await back(pages[1:2]) == [2]
    for page in pages[:2]:
        page.drop()


async def watched(world):
    """Pages that follow, and how many statements each look of their feed takes from now on."""
    pages = [CountedPage(world.topic, reader) for reader in world.readers]
    for page in pages:
        await page.connect()
    feed, looks = hub().feeds[world.topic], []
    real = feed._look

    def counted(*args):
        with CaptureQueriesContext(connection) as seen:
            found = real(*args)
        looks.append(len(seen))
        return found

    feed._look = counted
    return pages, looks


async def test_bell_that_tells_the_event_saves_reading_it_and_one_look_serves_all():
    world = await in_thread(World)
    await in_thread(world.answered)
    pages, looks = await watched(world)

    posted = await in_thread(say, world.owner, world.conversation)
    for page in pages:
        await page.until(lambda page=page: page.heard)

    assert looks == [1]
    assert {event["data"]["message"]["id"] for page in pages for event in page.heard} == {str(posted.message.pk)}
    for page in pages:
        page.drop()


@transaction.atomic
def unheard(world):
    """As when Redis lost the bell."""
    fact = ConversationChanged(world.conversation.pk, ("title",))
    emit(fact, actor=world.owner, scope=Scope(world.topic), subject=("conversation", world.conversation.pk))


async def test_gap_before_what_a_bell_tells_is_read():
    world = await in_thread(World)
    (first, *others), looks = await watched(world)
    await in_thread(unheard, world)

    await in_thread(say, world.owner, world.conversation)
    await first.until(lambda: len(first.heard) == 2)

    assert looks == [7]  # the log; for each reader the message, and the conversation as they have it
    assert [event["event"] for event in first.heard] == ["conversations.conversation_changed", "message.created"]
    for page in (first, *others):
        page.drop()
