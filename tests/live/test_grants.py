"""Whoever loses one conversation hears nothing more of it, at once: a grant taken back, a denial, a closed team."""

import pytest

from apps.accounts.types import Permission
from apps.conversations import services
from apps.core.db import in_thread
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, join
from tests.conversations.factories import start
from tests.live.test_rights import following, is_told_to_go

pytestmark = pytest.mark.django_db(transaction=True)


class World:
    def __init__(self):
        self.owner, self.guest = UserFactory(), UserFactory()
        project = ProjectFactory(owner=self.owner)
        join(self.guest, project.organization, role="guest")
        self.conversation = start(actor_of(self.owner), project)
        self.topic = f"conversation:{self.conversation.pk}"
        services.invite_participant(
            actor=actor_of(self.owner),
            conversation_id=self.conversation.pk,
            user_id=self.guest.pk,
            permission=Permission.VIEW,
        )


@pytest.fixture
async def world():
    return await in_thread(World)


@pytest.mark.parametrize("change", [services.remove_participant, services.deny_participant])
async def test_guest_who_loses_the_conversation_hears_nothing_more(world, change):
    guest, owner = await following(world, world.guest), await following(world, world.owner)

    await in_thread(change, actor=actor_of(world.owner), conversation_id=world.conversation.pk, user_id=world.guest.pk)

    assert await is_told_to_go(guest, world.topic)
    assert owner.reader.errors == []
    owner.drop()
