"""An answer that was stopped and continued took what all its turns took, wherever it is told."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM
from apps.conversations import services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import TurnStatus
from tests.conversations.factories import answer, say, start

pytestmark = pytest.mark.django_db

TOGETHER = {
    "input_tokens": 6,
    "output_tokens": 10,
    "cost": "0.6",
    "currency": "USD",
    "estimated": True,
    "seconds": 3.5,
}


@pytest.fixture
def continued(ines, project):
    """Three tokens in and five out twice, for 0.4 and 0.2."""
    stopped = answer(say(ines, start(ines, project)), "Half an ans", status=TurnStatus.STOPPED)
    took(stopped, cost="0.4", seconds=2.0, is_estimated=True)
    whole = answer(services.continue_answer(actor=ines, message_id=stopped.pk), "Half an answer")
    took(whole, cost="0.2", seconds=1.5)
    return whole


def took(message, *, cost, seconds, is_estimated=False):
    Turn.objects.filter(pk=message.turn_id).update(
        cost=Decimal(cost),
        currency="USD",
        is_estimated=is_estimated,
        started_at=F("finished_at") - timedelta(seconds=seconds),
    )


def test_api_tells_the_sum_and_the_turn_its_own(api, continued):
    told = api.get(f"/api/v1/messages/{continued.pk}/").json()

    assert told["usage"] == TOGETHER
    assert (told["turn"]["usage"]["cost"], told["turn"]["seconds"]) == ("0.2", 1.5)


def test_api_tells_of_a_single_turn_what_the_turn_tells_and_of_a_question_nothing(api, ines, project):
    posted = say(ines, start(ines, project))
    answer(posted)

    told = [api.get(f"/api/v1/messages/{message.pk}/").json() for message in (posted.message, posted.answer)]

    assert told[0]["usage"] is None
    assert told[1]["usage"] == told[1]["turn"]["usage"] | {"seconds": told[1]["turn"]["seconds"]}


def test_who_continues_is_told_what_was_taken_before(ines, continued):
    Turn.objects.filter(pk=continued.turn_id).update(status=TurnStatus.STOPPED)

    posted = services.continue_answer(actor=ines, message_id=continued.pk)

    assert posted.message.beside["output_tokens"] == 10


def test_page_shows_the_sum(ines, continued):
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))

    page = client.get(f"/c/{continued.conversation_id}/").content.decode()

    meta = page.split(f'id="m-{continued.pk}"')[1].split('class="meta"')[1].split('class="tools"')[0]
    shown = re.findall(r"<span>\s*([^<]*?)\s*</span>", meta)
    assert shown == ["m", "3.5 s", "about 10 tokens", "$0.60"]


@pytest.mark.parametrize(("least", "is_found"), [("0.2", True), ("0.5", True), ("0.6", True), ("0.61", False)])
def test_search_finds_what_cost_so_much_together(api, continued, least, is_found):
    hits = api.get("/api/v1/search/", {"min_cost": least}).json()["results"]

    assert [hit["id"] for hit in hits] == [str(continued.pk)] * is_found


@pytest.mark.parametrize("make", ["source", "fork"])
def test_export_of_it_and_of_a_fork_sum_too(ines, continued, make):
    conversation = Conversation.objects.get(pk=continued.conversation_id)
    if make == "fork":
        conversation = services.fork_conversation(actor=ines, conversation_id=conversation.pk)

    usage = services.export_json(conversation=conversation, viewer=ines)["conversation"]["messages"][1]["usage"]

    assert (usage["output_tokens"], usage["cost"], usage["milliseconds"]) == (10, "0.60000000", 3500)


def test_turn_that_an_operator_runs_again_does_not_lose_the_later_one(api, continued):
    first = Turn.objects.filter(message=continued).exclude(pk=continued.turn_id).get()

    assert services.requeue_turn(actor=SYSTEM, turn_id=first.pk)

    assert Message.objects.get(pk=continued.pk).turn_id == first.pk
    assert api.get(f"/api/v1/messages/{continued.pk}/").json()["usage"]["cost"] == "0.6"
