"""A key does no more than its scopes, whichever way a service is reached."""

from dataclasses import replace
from uuid import uuid4

import pytest

from apps.accounts.services import sessions
from apps.accounts.types import ActorKind, ProjectRole
from apps.agents import services as agents
from apps.agents.models import Agent
from apps.conversations import services
from apps.conversations.models import Participation
from apps.conversations.types import HeldTitle
from apps.core.errors import Forbidden
from tests.accounts.factories import UserFactory, actor_of
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


def limited(actor, *scopes):
    return replace(actor, kind=ActorKind.KEY, key_id=uuid4(), scopes=frozenset(scopes))


def own_views():
    return list(Participation.objects.order_by("pk").values("user", "pinned_at", "head", "last_read_number"))


def test_key_that_only_reads_leaves_its_owners_view_alone(project):
    owner = someone(project)
    conversation = start(owner, project)
    said = answer(say(owner, conversation))
    key = limited(owner, "conversations:read")
    before = own_views()

    with pytest.raises(Forbidden):
        services.pin_conversation(actor=key, conversation_id=conversation.pk, pinned=True)
    with pytest.raises(Forbidden):
        services.choose_branch(actor=key, conversation_id=conversation.pk, message_id=said.pk)
    with pytest.raises(Forbidden):
        services.mark_read(actor=key, conversation_id=conversation.pk, number=1)

    assert own_views() == before


def test_reader_arranges_their_own_view(project):
    conversation = start(someone(project), project)
    reader = someone(project, ProjectRole.VIEWER)

    services.pin_conversation(actor=reader, conversation_id=conversation.pk, pinned=True)

    assert Participation.objects.get(user=reader.user_id).pinned_at is not None


def test_title_of_a_model_is_given_by_the_platform_alone(project):
    owner = someone(project)
    conversation = start(owner, project)

    with pytest.raises(Forbidden):
        services.title_conversation(actor=owner, held=HeldTitle(conversation.pk, 1), title="Mine")

    conversation.refresh_from_db()
    assert conversation.title == ""


def test_key_without_the_scope_makes_no_agent(project):
    key = limited(someone(project, ProjectRole.MANAGER), "conversations:write", "agents:read")

    with pytest.raises(Forbidden):
        agents.create_agent(actor=key, project_id=project.pk, name="Another")

    assert not Agent.objects.filter(name="Another").exists()


def test_member_makes_no_link_that_signs_in_somebody():
    with pytest.raises(Forbidden):
        sessions.make_sign_in_link(actor=actor_of(UserFactory()), user=UserFactory())
