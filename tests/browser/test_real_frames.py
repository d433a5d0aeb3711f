"""The page's store on the frames of a real run: hub, subscription, runner, streams and services, in one process.

After 500 random operations a tab that never left, tabs that lost frames, dropped and came back, and tabs that came late all
end with what a fresh ``GET`` gives. People switch branches, those whose tabs are looked at too.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import Actor
from apps.conversations.models import Conversation, Turn
from apps.conversations.runner import Runner
from apps.conversations.types import ACTIVE
from apps.core import redis
from apps.core.errors import DomainError
from apps.core.events import topic_position
from apps.core.limits import Limit, Tokens
from apps.live.hub import close_hub, find_kind
from apps.live.outlet import Outlet
from apps.live.socket import Socket
from apps.live.subscription import Subscription
from apps.llm import clients, routing, shared_state
from tests.accounts.factories import ProjectFactory, bearer, key_of
from tests.browser.modules import open_modules
from tests.conversations.factories import someone, start
from tests.conversations.operations import act
from tests.llm.factories import stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

OPERATIONS = 500

TABS = """async () => {
    const store = await import("conversations/store");
    const states = new Map();
    const of = (tab) => states.get(tab) ?? states.set(tab, store.createState()).get(tab);
    const taken = {
        event: store.applyEvent, delta: store.applyDelta, status: store.applyStatus, snapshot: store.applySnapshot,
    };
    window.tabs = {
        known: (tab) => ({ after: of(tab).position, turns: store.positionsOf(of(tab)) }),
        take: (tab, frames) => {
            const results = JSON.parse(frames).map((frame) => taken[frame.type]?.(of(tab), frame));
            return { isBehind: results.includes(store.GAP), isStale: of(tab).isPathStale };
        },
        view: (tab) => JSON.stringify(store.viewOf(of(tab))),
    };
}"""


class Process:
    """The loop of a web process, and a runner beside it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="web", daemon=True)
        self._thread.start()
        self.runner = Runner()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        self.runner.close()
        for work in (clients.close_all(), shared_state.leave_loop()):
            asyncio.run_coroutine_threadsafe(work, self.runner.loop).result(10)
        self.run(close_hub())
        self.run(redis.close_async())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Tab:
    """A socket without a network on one side, the page's store on the other; frames wait in between until they are taken."""

    def __init__(self, page: Any, process: Process, name: str, viewer: Actor, topic: str) -> None:
        self.page, self.process, self.name, self.viewer, self.topic = page, process, name, viewer, topic
        self.waiting: deque[str] = deque()
        self.taken = self.asked_again = 0
        self.open()

    async def _send(self, message: dict[str, Any]) -> None:
        assert message["type"] == "websocket.send", message
        self.waiting.append(message["text"])

    def open(self, *, anew: bool = False) -> None:
        """Ask for what the store lacks, as the page does; ``anew`` for the whole state."""
        known = self.known()
        after = None if anew else known["after"]

        async def subscribe() -> None:
            self.socket = Socket(self.viewer, "", Outlet(self._send), Tokens(Limit(100, 100)))
            subscription = Subscription(self.socket, self.topic, *find_kind(self.topic))
            self.socket.subscriptions[self.topic] = subscription
            assert await subscription.open(after, known["turns"])

        self.process.run(subscribe())

    def known(self) -> dict[str, Any]:
        return self.page.evaluate("(tab) => tabs.known(tab)", self.name)

    def drop(self) -> None:
        """What was on its way is lost."""

        async def end() -> None:
            self.socket.end()

        self.process.run(end())
        self.waiting.clear()

    def take(self) -> None:
        frames = [self.waiting.popleft() for _each in range(len(self.waiting))]
        self.taken += len(frames)
        if not frames:
            return
        found = self.page.evaluate("([tab, frames]) => tabs.take(tab, frames)", [self.name, f"[{','.join(frames)}]"])
        if found["isStale"]:
            self.reload()
        elif found[
            "isBehind"
        ]:  # words of an answer on a branch that the last snapshot did not tell of: asked for again
            self.asked_again += 1
            self.come_back()

    def come_back(self) -> None:
        self.drop()
        self.open()
        self.take()

    def reload(self) -> None:
        self.drop()
        self.open(anew=True)
        self.take()

    def view(self) -> dict[str, Any]:
        return json.loads(self.page.evaluate("(tab) => tabs.view(tab)", self.name))


@pytest.fixture
def process() -> Iterator[Process]:
    routing.forget()
    made = Process()
    yield made
    made.close()


def fresh(client: Client, key: str, conversation: Conversation) -> tuple[str, list[dict[str, Any]]]:
    """The title and the whole path as the API gives them, page by page."""
    url, headers = f"/api/v1/conversations/{conversation.pk}/", bearer(key)
    rows: list[dict[str, Any]] = []
    query = "?limit=37"
    while query:
        page = client.get(f"{url}messages/{query}", headers=headers).json()
        rows += page["results"]
        query = f"?limit=37&cursor={page['next']}" if page["next"] else ""
    for row in rows:
        del row["siblings"]  # which the page asks for; events do not tell
    return client.get(url, headers=headers).json()["title"], rows


def submit(process: Process, conversation: Conversation) -> int:
    """What a hint does; gives how many have not ended."""
    active = list(Turn.objects.filter(conversation=conversation, status__in=ACTIVE).values_list("pk", flat=True))
    for turn_id in active:
        process.runner.submit(turn_id)
    return len(active)


def settle(process: Process, conversation: Conversation, tabs: list[Tab]) -> None:
    """Until every answer has ended and every tab has heard of everything."""
    deadline = time.monotonic() + 60
    while submit(process, conversation):
        assert time.monotonic() < deadline, "answers that do not end"
        for tab in tabs:
            tab.take()
        time.sleep(0.02)
    position = topic_position(f"conversation:{conversation.pk}")
    while any((tab.known()["after"] or 0) < position for tab in tabs):
        assert time.monotonic() < deadline, "tabs that do not hear of everything"
        for tab in tabs:
            tab.take()
        time.sleep(0.02)


@pytest.mark.parametrize("seed", [1])
def test_who_never_left_who_came_back_and_who_reads_afresh_see_the_same(seed, page, client, provider, process):
    dice = random.Random(seed)
    project = ProjectFactory()
    stub_model(provider, organization=project.organization)
    provider.default(tokens=30, delay=0.02, rate=150)
    people = [someone(project) for _each in range(3)]
    conversation = start(people[0], project, title="Harbour")
    topic = f"conversation:{conversation.pk}"
    open_modules(page)
    page.evaluate(TABS)
    watched = people[1:]  # each has one tab that never leaves
    tabs = [Tab(page, process, f"stays {number}", viewer, topic) for number, viewer in enumerate(watched)]
    refused = switched = 0
    for number in range(OPERATIONS):
        try:
            chooser = act(dice, people, conversation)
        except DomainError:
            refused, chooser = refused + 1, None
        for tab in tabs:
            if chooser is not None and tab.viewer == chooser:
                tab.reload()
                switched += 1
        submit(process, conversation)
        if number % 60 == 30:
            tabs.append(Tab(page, process, f"came at {number}", dice.choice(watched), topic))
        if dice.random() < 0.3:
            tab = dice.choice(tabs)
            if not tab.name.startswith("stays") and dice.random() < 0.5:
                tab.come_back()
            tab.take()
    settle(process, conversation, tabs)
    tabs += [Tab(page, process, f"comes last {number}", viewer, topic) for number, viewer in enumerate(watched)]
    settle(process, conversation, tabs)

    assert refused < OPERATIONS * 0.8
    assert switched > 5
    assert min(tab.taken for tab in tabs[:2]) > 150
    assert max(tab.asked_again for tab in tabs) < OPERATIONS / 5
    deltas = Turn.objects.filter(conversation=conversation, last_seq__gt=3).count()
    assert deltas > 20, "answers were streamed while people acted"
    for tab in tabs:
        title, path = fresh(client, key_of(User.objects.get(pk=tab.viewer.user_id), project.organization), conversation)
        view = tab.view()
        assert view["title"] == title, tab.name
        assert len(view["messages"]) >= min(50, len(path)), tab.name
        shown = [row["id"] for row in view["messages"]]
        assert shown == [row["id"] for row in path[-len(shown) :]], tab.name
        assert view["messages"] == path[-len(shown) :], tab.name
