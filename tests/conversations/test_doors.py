from __future__ import annotations

from dataclasses import dataclass, fields
from uuid import uuid4

import pytest
from django.db import transaction

from apps.accounts.events import InstanceClaimed
from apps.accounts.mailbox_events import MailboxProved
from apps.accounts.types import SYSTEM
from apps.agents import selectors as agents
from apps.agents.receivers import ensure_assistant
from apps.conversations import portability, receivers, selectors, services
from apps.conversations.models import Conversation, Message, Participation, ShareLink, Turn
from apps.conversations.types import Visibility
from apps.core.doors.consumers import LoggedEvent
from apps.core.doors.exporters import ExportScope
from apps.core.eventlog.consumers import logged
from apps.core.events import emit
from apps.core.models import Event
from apps.core.types import Scope
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


@dataclass
class Told:
    ines: object
    project: object
    conversation: Conversation


@pytest.fixture
def told():
    project = ProjectFactory()
    ines = someone(project)
    conversation = start(ines, project, title="Port")
    answer(say(ines, conversation))
    say(ines, conversation, "more")
    return Told(ines, project, conversation)


def test_links_that_an_account_made_before_its_address_was_confirmed_are_withdrawn_once(told):
    services.change_conversation(
        actor=told.ines, conversation_id=told.conversation.pk, changes={"visibility": Visibility.LINK}
    )
    before = services.make_link(actor=told.ines, conversation_id=told.conversation.pk).link
    with transaction.atomic():
        fact = MailboxProved(told.ines.user_id, "sso", keys=0, second_factors=0, identities=0, sessions=0)
        emit(fact, actor=told.ines, scope=Scope(f"user:{told.ines.user_id}"), subject=("user", told.ines.user_id))
    event = logged(Event.objects.get(type="accounts.mailbox_proved"))
    after = services.make_link(actor=told.ines, conversation_id=told.conversation.pk).link

    for _again in range(2):
        receivers.withdraw_unproved(event)

    assert list(ShareLink.objects.filter(revoked_at=None)) == [after]
    assert Event.objects.filter(type="conversations.link_withdrawn").count() == 1
    assert ShareLink.objects.exclude(revoked_at=None).get().pk == before.pk


def test_exporter_gives_what_the_viewer_may_read(told):
    elsewhere = someone(ProjectFactory())

    def titles(viewer):
        scope = ExportScope(viewer, told.project.organization_id)
        return [row["conversation"]["title"] for row in portability._rows(scope)]

    assert titles(told.ines) == ["Port"]
    assert titles(elsewhere) == []


def test_eraser_of_an_organization_leaves_nothing_of_it_and_all_of_others(told):
    other = ProjectFactory()
    kept = start(someone(other), other)

    first = portability._erase_organization(told.project.organization_id)
    second = portability._erase_organization(told.project.organization_id)

    assert (first > 4, second) == (True, 0)
    assert [Message.objects.count(), Turn.objects.count()] == [0, 0]
    assert list(Conversation.objects.values_list("pk", flat=True)) == [kept.pk]


def test_eraser_of_a_person_keeps_their_words(told):
    Participation.objects.create(
        organization_id=told.project.organization_id, conversation=told.conversation, user_id=told.ines.user_id
    )

    assert portability._erase_person(told.ines.user_id) == 1
    assert Message.objects.filter(author_id=told.ines.user_id).count() == 2


def test_gauges_count_what_is_not_final(told):
    assert selectors.stats_active_turns() == {"queued": 1, "running": 0, "waiting": 0}
    assert selectors.stats_oldest_queued_seconds() >= 0


def test_welcome_is_made_once_for_the_owner_of_a_new_installation():
    project = ProjectFactory()
    owner = someone(project)
    with transaction.atomic():
        emit(
            InstanceClaimed(user_id=owner.user_id),
            actor=SYSTEM,
            scope=Scope(f"organization:{project.organization_id}", project.organization_id),
        )
    row = Event.objects.get(type="accounts.instance_claimed")
    names = [field.name for field in fields(LoggedEvent)]
    event = LoggedEvent(**{name: getattr(row, name) for name in names})

    receivers.welcome(event)
    receivers.welcome(event)

    made = Conversation.objects.get()
    path = selectors.list_path(conversation=made, leaf_id=made.head_id)
    assert [row.role for row in path] == ["user", "assistant"]
    assert made.owner_id == owner.user_id
    told = Event.objects.filter(topic=made.topic).order_by("topic_position")
    assert [(row.topic_position, row.type) for row in told] == [
        (1, "conversations.conversation_started"),
        (2, "conversations.message_posted"),
    ]
    assert told[1].payload["answer_id"] == str(path[1].pk)


def test_project_gets_one_assistant_however_often_it_is_told(told):
    ensure_assistant(told.project.pk)
    ensure_assistant(told.project.pk)
    ensure_assistant(uuid4())

    assert [agent.is_default for agent in agents.list_agents(told.ines, project_id=told.project.pk)] == [True]
