"""What must hold whatever people do: clients agree, both ways of reading a path agree, SQL and Python agree on rights."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, OrganizationRole, ProjectAccess, ProjectRole
from apps.conversations import policies, selectors, services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.topics import ConversationTopic
from apps.conversations.types import ACTIVE, Ending, TurnStatus, Visibility
from apps.core.doors.topics import TopicEvent
from apps.core.errors import DomainError
from apps.core.events import public_name
from apps.core.models import Event
from tests.accounts.factories import (
    ProjectFactory,
    ProjectMemberFactory,
    UserFactory,
    actor_of,
    bearer,
    join,
    key_of,
)
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db

OPERATIONS = 500


class Follower:
    """A client's store: a snapshot, then events in order. What the page's store does, in Python."""

    def __init__(self, viewer: Any, conversation: Conversation) -> None:
        self.viewer, self.id = viewer, conversation.pk
        self.load()

    def load(self) -> None:
        snapshot = ConversationTopic().snapshot(self.viewer, self.id)
        self.position = snapshot.topic_position
        self.conversation = snapshot.data["conversation"]
        self.messages = {row["id"]: row for row in snapshot.data["messages"]}

    def catch_up(self) -> None:
        rows = Event.objects.filter(topic=f"conversation:{self.id}", topic_position__gt=self.position)
        events = [
            TopicEvent(
                row.id, row.topic_position, public_name(row.type), row.type, row.payload, row.subject_id, row.actor_id
            )
            for row in rows.order_by("topic_position")
        ]
        for event, data in zip(events, ConversationTopic().render(self.viewer, self.id, events), strict=True):
            assert event.topic_position == self.position + 1
            self.position = event.topic_position
            for key in ("message", "answer"):
                if row := data.get(key):
                    self.messages[row["id"]] = row
            self.conversation = data.get("conversation", self.conversation)

    def path(self) -> list[dict[str, Any]]:
        """From the newest message up: the head follows it. Above what was never seen (another branch) it reads anew."""
        found: list[dict[str, Any]] = []
        at = max(self.messages.values(), key=lambda row: row["position"], default=None)
        while at is not None:
            found.append(at)
            if at["parent"] and at["parent"] not in self.messages:
                self.load()
                return self.path()
            at = self.messages.get(at["parent"])
        return found[::-1]

    def words(self) -> dict[str, Any]:
        return {
            name: self.conversation[name] for name in ("title", "tags", "visibility", "archived_at", "system_prompt")
        }


def act(dice: random.Random, people: list[Any], conversation: Conversation) -> None:
    actor = dice.choice(people)
    messages = list(Message.objects.filter(conversation=conversation).defer("words").order_by("number"))
    turns = list(Turn.objects.filter(conversation=conversation, status__in=ACTIVE).order_by("created_at"))
    match dice.choice(
        [
            *("post", "edit", "again", "run", "run", "end", "end", "stop", "delete", "restore", "continue", "name"),
            *("branch", "pin", "archive", "unarchive", "gone and back", "fork"),
        ]
    ):
        case "post":
            say(actor, conversation, f"words {dice.random()}")
        case "edit" if messages:
            services.edit_message(actor=actor, message_id=dice.choice(messages).pk, content=f"other {dice.random()}")
        case "again" if messages:
            services.regenerate_answer(actor=actor, message_id=dice.choice(messages).pk)
        case "run" if turns:
            services.claim_turn(actor=SYSTEM, turn_id=dice.choice(turns).pk, worker="test")
        case "end" if turns:
            turn = dice.choice(turns)
            status = dice.choice([TurnStatus.COMPLETED, TurnStatus.FAILED, TurnStatus.INTERRUPTED, TurnStatus.STOPPED])
            ending = Ending(status, [{"type": "text", "text": f"said {dice.random()}"}], reason="test")
            services.finish_turn(actor=SYSTEM, turn_id=turn.pk, fence=turn.fence, ending=ending)
        case "stop" if turns:
            services.stop_turn(actor=actor, turn_id=dice.choice(turns).pk)
        case "delete" if messages:
            services.delete_message(actor=actor, message_id=dice.choice(messages).pk)
        case "restore" if messages:
            services.restore_message(actor=actor, message_id=dice.choice(messages).pk)
        case "continue" if messages:
            services.continue_answer(actor=actor, message_id=dice.choice(messages).pk)
        case "branch" if messages and actor is not people[1]:  # whose page is looked at keeps to the newest branch
            services.choose_branch(
                actor=actor, conversation_id=conversation.pk, message_id=dice.choice([None, dice.choice(messages).pk])
            )
        case "pin":
            services.pin_conversation(actor=actor, conversation_id=conversation.pk, pinned=dice.random() < 0.5)
        case "archive" if dice.random() < 0.3:
            services.archive_conversation(actor=actor, conversation_id=conversation.pk, archived=True)
        case "unarchive":
            services.archive_conversation(actor=actor, conversation_id=conversation.pk, archived=False)
        case "gone and back" if dice.random() < 0.3:
            services.delete_conversation(actor=people[0], conversation_id=conversation.pk)
            services.restore_conversation(actor=people[0], conversation_id=conversation.pk)
        case "fork" if messages:
            services.fork_conversation(
                actor=actor, conversation_id=conversation.pk, message_id=dice.choice(messages).pk
            )
        case "name":
            changes = {"title": f"{dice.random()}", "tags": [f"{dice.randrange(9)}"]}
            services.change_conversation(actor=actor, conversation_id=conversation.pk, changes=changes)


def read(client: Client, key: str, conversation: Conversation) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The conversation and the whole path as the API gives them, page by page."""
    url, headers = f"/api/v1/conversations/{conversation.pk}/", bearer(key)
    rows: list[dict[str, Any]] = []
    query = "?limit=37"
    while query:
        page = client.get(f"{url}messages/{query}", headers=headers).json()
        rows += page["results"]
        query = f"?limit=37&cursor={page['next']}" if page["next"] else ""
    return client.get(url, headers=headers).json(), rows


@pytest.mark.parametrize("seed", [1, 2, 6])
def test_snapshot_and_events_equal_never_left_equal_fresh(seed, monkeypatch, client):
    monkeypatch.setattr("apps.conversations.topics.SNAPSHOT_MESSAGES", 5_000)
    dice = random.Random(seed)
    project = ProjectFactory()
    people = [someone(project) for _each in range(3)]
    conversation = start(people[0], project)
    stayed = Follower(people[1], conversation)
    joined: list[Follower] = []
    refused = 0
    for number in range(OPERATIONS):
        try:
            act(dice, people, conversation)
        except DomainError:
            refused += 1
        if number % 60 == 30:
            joined.append(Follower(people[1], conversation))
        if dice.random() < 0.2:
            stayed.catch_up()
            dice.choice([stayed, *joined]).catch_up()

    for follower in (stayed, *joined):
        follower.catch_up()

    fresh, path = read(client, key_of(User.objects.get(pk=people[1].user_id), project.organization), conversation)
    for row in path:
        del row["siblings"]  # which the page asks for; events do not tell
    assert refused < OPERATIONS * 0.8
    assert len(stayed.messages) > 50
    for follower in (stayed, *joined, Follower(people[1], conversation)):
        shown = [{name: value for name, value in row.items() if name != "siblings"} for row in follower.path()]
        assert shown == path
        assert follower.words() == {name: fresh[name] for name in follower.words()}


@pytest.mark.parametrize("seed", [3, 4])
def test_linear_reading_and_walking_give_the_same_path(seed):
    dice = random.Random(seed)
    project = ProjectFactory()
    ines = someone(project)
    conversation = start(ines, project)
    for number in range(30):
        posted = say(ines, conversation, f"{number}")
        ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "x"}])
        held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
        services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)
    conversation.refresh_from_db()
    assert conversation.is_linear

    for _try in range(40):
        window = dice.choice(
            [
                {"after": dice.randrange(70)},
                {"before": dice.randrange(1, 70)},
                {},
                {"before": conversation.last_number + 1},
            ]
        )
        limit = dice.randrange(1, 80)
        read = []
        for is_linear in (True, False):
            conversation.is_linear = is_linear
            rows = selectors.list_path(conversation=conversation, leaf_id=conversation.head_id, limit=limit, **window)
            read.append([row.pk for row in rows])
        assert read[0] == read[1], (window, limit)


def test_visible_to_agrees_with_can_view_for_random_grants():
    dice = random.Random(5)
    projects = [ProjectFactory(access=dice.choice(ProjectAccess.values)) for _each in range(6)]
    people = []
    for _each in range(14):
        user = UserFactory()
        for project in dice.sample(projects, 3):
            join(user, project.organization, role=dice.choice(OrganizationRole.values))
            if dice.random() < 0.5:
                ProjectMemberFactory(project=project, user=user, role=dice.choice(ProjectRole.values))
        people.append(actor_of(user))
    made = []
    for project in projects:
        owner = someone(project)
        for visibility in Visibility.values:
            made.append(start(owner, project, visibility=visibility))  # noqa: PERF401  (reads better)
    for conversation in made:
        owner = actor_of(conversation.owner)
        for person in dice.sample(people, 4):
            try:
                services.invite_participant(actor=owner, conversation_id=conversation.pk, user_id=person.user_id)
            except DomainError:
                continue
    services.delete_conversation(actor=actor_of(made[0].owner), conversation_id=made[0].pk)

    seen = 0
    for person in people:
        visible = set(selectors.visible_to(person).values_list("pk", flat=True))
        seen += len(visible)
        for row in Conversation.objects.all():
            allowed = policies.can_view(
                person,
                row,
                role=selectors.role_in(row, person),
                is_invited=selectors.is_invited(conversation=row, user_id=person.user_id),
            )
            assert (row.pk in visible) == allowed, (person, row.visibility)
    assert 10 < seen < len(people) * len(made)
