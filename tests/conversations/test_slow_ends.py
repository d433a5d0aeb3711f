"""An end that is slow to write meets whoever looks after running turns: it is left to its writer, and everybody hears of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from apps.conversations import control
from apps.conversations.models import Message, Turn
from apps.conversations.types import TurnStatus
from apps.core import redis
from tests.conversations.factories import say, start
from tests.conversations.running import runner, wait_until
from tests.llm.factories import stub_model
from tests.provider.script import expected_text

__all__ = ["runner"]
pytestmark = pytest.mark.django_db(transaction=True)

SLOW_END = """
    CREATE FUNCTION slow_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.8); RETURN NEW; END $$;
    CREATE TRIGGER slow_end BEFORE UPDATE ON conversations_turn FOR EACH ROW
        WHEN (OLD.status = 'running' AND NEW.status = 'completed') EXECUTE FUNCTION slow_end();
"""
FAST_END = "DROP TRIGGER slow_end ON conversations_turn; DROP FUNCTION slow_end()"


@pytest.fixture
def slow_end() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(SLOW_END)
    yield
    with connection.cursor() as cursor:
        cursor.execute(FAST_END)


@pytest.mark.usefixtures("slow_end")
@pytest.mark.parametrize("beside", ["a renewal", "a stop"])
def test_end_that_is_being_written_is_told(ines, project, provider, runner, beside):
    stub_model(provider, organization=project.organization)
    conversation = start(ines, project, title="Harbour")
    posted = say(ines, conversation)

    def running():
        return redis.client().hexists(redis.key("running", conversation.topic), str(posted.turn.pk))

    runner.submit(posted.turn.pk)
    wait_until(lambda: posted.turn.pk in runner.running and runner.running[posted.turn.pk].is_ending)
    assert running()
    if beside == "a stop":
        control.send_stop(posted.turn.pk)
    wait_until(lambda: posted.turn.pk not in runner.running)

    turn = Turn.objects.get(pk=posted.turn.pk)
    assert (turn.status, turn.reason) == (TurnStatus.COMPLETED, "")
    assert Message.objects.get(pk=turn.message_id).content == expected_text(20)
    assert not running(), "its readers were never told that it has ended"
