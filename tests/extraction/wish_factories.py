"""What somebody asks for in a conversation, read as the worker reads it."""

import pytest

from apps.accounts.types import SYSTEM
from apps.core.doors.commands import CommandCall, commands
from apps.extraction import services, wishing
from apps.extraction.models import Wish
from apps.llm import routing
from tests.accounts.factories import actor_of
from tests.conversations.factories import answer, say, start
from tests.extraction.making import demo, priced_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["demo", "heard", "me", "priced_model", "provider", "running_provider", "talk", "wished"]


@pytest.fixture
def me(owner):
    routing.forget()
    return actor_of(owner)


@pytest.fixture
def talk(me, project):
    """Something was said and answered in it."""
    talk = start(me, project)
    answer(say(me, talk, "Hello"))
    return talk


def wished(me, talk, command, words):
    commands.get(command).run(CommandCall(me, talk.pk, words))
    wish = Wish.objects.latest("created_at")
    wishing.read_wish(wish.pk)
    wish.refresh_from_db()
    return wish


def heard(me, talk, words):
    """Somebody posts it; the log is read, and then the wish."""
    posted = say(me, talk, words).message
    found = services.hear_wish(actor=SYSTEM, message_id=posted.pk)
    if found is not None:
        wishing.read_wish(found.pk)
        found.refresh_from_db()
    return found
