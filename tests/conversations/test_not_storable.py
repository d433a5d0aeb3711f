"""What no row takes (a NUL that came past every sieve) costs one answer its parts, and holds up no other."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from apps.accounts.types import SYSTEM
from apps.conversations import services, sweeps
from apps.conversations.models import Message, Turn
from apps.conversations.running import Running
from apps.conversations.types import MessageStatus, TurnStatus
from apps.core import redis
from apps.live.streams import TurnStream
from apps.llm.types import AppendText
from tests.conversations.factories import say, start
from tests.conversations.running import runner, wait_until
from tests.llm.factories import stub_model
from tests.provider.script import expected_text

__all__ = ["runner"]
pytestmark = pytest.mark.django_db(transaction=True)

NOT_STORABLE = {"type": "card", "name": "a\0b"}


def claimed(actor, project, title):
    posted = say(actor, start(actor, project, title=title))
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    assert held is not None
    return held


def on_loop(runner, work):
    return asyncio.run_coroutine_threadsafe(work, runner.loop).result(20)


def test_end_that_no_row_takes_is_told_as_failed_with_its_words(ines, project, provider, runner):
    stub_model(provider, organization=project.organization)
    provider.script({"rate": 500})
    held = replace(claimed(ines, project, "Harbour"), start_parts=[NOT_STORABLE])

    on_loop(runner, runner._answer(Running(held)))

    turn, message = Turn.objects.get(), Message.objects.get(pk=held.message_id)
    assert (turn.status, turn.reason) == (TurnStatus.FAILED, "internal_error")
    assert (message.status, message.content) == (MessageStatus.FAILED, expected_text(20))
    assert message.parts == [{"type": "text", "text": expected_text(20)}]


def test_checkpoint_that_no_row_takes_holds_up_no_other(ines, project, runner):
    async def begin(held):
        running = Running(held)
        running.stream = TurnStream.open(held.turn_id, fence=held.fence, topic=held.topic, parts=held.start_parts)
        running.stream.append([AppendText(len(held.start_parts), "So far")])
        await running.stream.drain()
        return running

    broken = replace(claimed(ines, project, "Harbour"), start_parts=[NOT_STORABLE])
    whole = claimed(ines, project, "Ships")
    both = [on_loop(runner, begin(held)) for held in (broken, whole)]

    runner.running.update({each.held.turn_id: each for each in both})

    wait_until(lambda: Message.objects.get(pk=whole.message_id).parts == [{"type": "text", "text": "So far"}])
    assert Message.objects.get(pk=broken.message_id).parts == []
    runner.running.clear()


def test_lost_turn_whose_stream_no_row_takes_holds_up_no_other(ines, project):
    broken, whole = claimed(ines, project, "Harbour"), claimed(ines, project, "Ships")
    for held, part in ((broken, NOT_STORABLE), (whole, {"type": "text", "text": "So far"})):
        entry = json.dumps({"seq": 1, "reset": True, "parts": [part]})
        redis.client().xadd(redis.key("turn", held.turn_id), {"d": entry}, id=f"{held.fence}-1")
    Turn.objects.filter(pk=broken.turn_id).update(lease_until=Now() - timedelta(seconds=60))
    Turn.objects.filter(pk=whole.turn_id).update(lease_until=Now() - timedelta(seconds=1))

    sweeps.reap_lost_turns()

    assert Turn.objects.get(pk=broken.turn_id).status == TurnStatus.QUEUED  # its row has nothing: from the beginning
    kept = Turn.objects.get(pk=whole.turn_id)
    assert (kept.status, kept.reason) == (TurnStatus.INTERRUPTED, "worker_lost")
    assert Message.objects.get(pk=whole.message_id).content == "So far"
