"""What an operator does to turns in the admin, without reading what was said."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.types import SYSTEM
from apps.conversations import services
from apps.conversations.models import Message, Turn
from apps.conversations.types import TurnStatus
from apps.core.errors import Forbidden
from apps.core.models import Event
from tests.accounts.factories import UserFactory
from tests.conversations.factories import answer, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def posted(ines):
    return say(ines, services.start_conversation(actor=ines, project_id=project_of(ines).pk))


def project_of(actor):
    return services.conversations.accounts.visible_projects(actor).get()


@pytest.fixture
def operator():
    user = UserFactory(is_staff=True, is_superuser=True)
    browser = Client()
    browser.force_login(user)
    return browser


def act(browser, action, *turns):
    answer_ = browser.post(
        reverse("admin:conversations_turn_changelist"),
        {"action": action, "_selected_action": [str(turn.pk) for turn in turns]},
    )
    assert answer_.status_code == 302, answer_.content[:500]


def test_operator_stops_a_turn_that_waits(operator, posted):
    act(operator, "stop", posted.turn)

    turn = Turn.objects.get()
    assert (turn.status, turn.reason) == (TurnStatus.STOPPED, "stopped_before_start")
    assert Message.objects.get(pk=posted.answer.pk).status == "stopped"
    assert services.claim_turn(actor=SYSTEM, turn_id=turn.pk, worker="test") is None


def test_operator_asks_a_running_turn_to_stop_and_its_owner_confirms(operator, posted):
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")

    act(operator, "stop", posted.turn)

    assert Turn.objects.get().status == TurnStatus.RUNNING
    assert services.renew_leases(actor=SYSTEM, held=[(held.turn_id, held.fence)]) == {held.turn_id: True}
    assert Event.objects.filter(type="conversations.turn_stop_requested", subject_id=posted.turn.pk).count() == 1


def test_operator_runs_a_failed_answer_again_in_its_place(operator, posted):
    answer(posted, "Half", status=TurnStatus.FAILED)

    act(operator, "requeue", posted.turn)

    turn = Turn.objects.get()
    assert (turn.status, turn.reason, turn.attempts, turn.finished_at) == (TurnStatus.QUEUED, "", 0, None)
    assert Message.objects.get(pk=posted.answer.pk).status == "pending"
    assert services.claim_turn(actor=SYSTEM, turn_id=turn.pk, worker="test").message_id == posted.answer.pk
    assert Event.objects.filter(type="conversations.turn_queued", subject_id=turn.pk).count() == 1


@pytest.mark.parametrize("status", [TurnStatus.QUEUED, TurnStatus.COMPLETED])
def test_operator_leaves_alone_what_has_not_failed(operator, posted, status):
    if status == TurnStatus.COMPLETED:
        answer(posted, "Done")
    before = Turn.objects.values().get()

    act(operator, "requeue", posted.turn)

    assert Turn.objects.values().get() == before


def test_stop_of_an_ended_turn_changes_nothing(operator, posted):
    answer(posted, "Done")
    before = Turn.objects.values().get()

    act(operator, "stop", posted.turn)

    assert Turn.objects.values().get() == before


def test_member_may_not_do_what_operators_do(ines, posted):
    for deed in (services.stop_turn_as_operator, services.requeue_turn):
        with pytest.raises(Forbidden):
            deed(actor=ines, turn_id=posted.turn.pk)

    assert (Turn.objects.get().status, Turn.objects.get().stop_requested_at) == (TurnStatus.QUEUED, None)


def test_who_is_no_operator_finds_no_admin(posted):
    browser = Client()
    browser.force_login(UserFactory())

    browser.post(
        reverse("admin:conversations_turn_changelist"), {"action": "stop", "_selected_action": [str(posted.turn.pk)]}
    )

    assert Turn.objects.get().status == TurnStatus.QUEUED
