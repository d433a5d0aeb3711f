from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_for
from apps.accounts.models import ApiKey, OrganizationMember, ProjectMember, User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.conversations import presentation, services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.services.turns import Checkpoint
from apps.conversations.types import Ending, LateWriter, MessageStatus, TurnNotFound, TurnStatus, TurnUsage
from apps.core.errors import Forbidden
from apps.core.ids import uuid7
from apps.core.models import Event
from apps.llm import services as llm_services
from apps.llm.models import CallAttempt
from apps.llm.selectors import read_routes
from apps.llm.services.ledger import Opening
from apps.llm.types import CompletionRequest
from tests.accounts.factories import UserFactory, actor_of, key_of
from tests.conversations.factories import say, someone, start
from tests.llm.factories import ModelFactory, ProviderFactory, priced

pytestmark = pytest.mark.django_db

TEXT = [{"type": "text", "text": "So far"}]


@pytest.fixture
def posted(ines):
    project_id = accounts.visible_projects(ines).get().pk
    return say(ines, services.start_conversation(actor=ines, project_id=project_id))


def claim(posted):
    return services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")


def lapse(turn):
    Turn.objects.filter(pk=turn.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_claim_turn_is_taken_once(posted):
    first = claim(posted)

    assert (first.fence, first.message_id) == (1, posted.answer.pk)
    assert claim(posted) is None
    turn = Turn.objects.get()
    assert (turn.status, turn.attempts) == (TurnStatus.RUNNING, 1)


def test_claim_turn_needs_the_engine(ines, posted):
    with pytest.raises(Forbidden):
        services.claim_turn(actor=ines, turn_id=posted.turn.pk, worker="test")

    assert Turn.objects.get().status == TurnStatus.QUEUED


@pytest.mark.parametrize("loss", ["account", "membership", "role"])
def test_claim_turn_asks_again_what_the_person_may(ines, posted, loss):
    project_id = posted.turn.project_id
    match loss:
        case "account":
            User.objects.filter(pk=ines.user_id).update(is_active=False)
        case "membership":
            ProjectMember.objects.filter(user=ines.user_id).delete()
            OrganizationMember.objects.filter(user=ines.user_id).delete()
        case "role":
            ProjectMember.objects.filter(user=ines.user_id, project=project_id).update(role=ProjectRole.VIEWER)

    assert claim(posted) is None

    turn = Turn.objects.get()
    assert (turn.status, turn.reason) == (TurnStatus.FAILED, "forbidden")
    assert Message.objects.get(pk=posted.answer.pk).status == MessageStatus.FAILED
    assert Event.objects.order_by("-topic_position").first().type == "conversations.turn_ended"


def test_claim_turn_ends_what_a_revoked_key_has_queued(ines):
    project = accounts.visible_projects(ines).get()
    actor = actor_for(api_key=key_of(User.objects.get(pk=ines.user_id), project.organization))
    conversation = start(actor, project)
    first, second = say(actor, conversation, "One"), say(actor, start(actor, project), "Two")
    assert claim(first) is not None

    ApiKey.objects.update(revoked_at=Now())

    assert claim(second) is None
    assert Turn.objects.get(pk=second.turn.pk).reason == "forbidden"


def test_claim_turn_asks_few_questions(posted, django_assert_num_queries):
    with django_assert_num_queries(7):
        assert claim(posted) is not None


def test_claim_turn_limits_a_person_to_five(ines, posted):
    project = posted.message.conversation.project
    others = [say(ines, start(ines, project)) for _number in range(5)]
    for other in others:
        assert claim(other) is not None

    assert claim(posted) is None
    assert Turn.objects.get(pk=posted.turn.pk).status == TurnStatus.QUEUED


def test_finish_turn_writes_message_usage_and_totals(posted):
    held = claim(posted)
    usage = TurnUsage(input_tokens=10, output_tokens=4, cost=None, estimated=False)

    services.finish_turn(
        actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=Ending(TurnStatus.COMPLETED, TEXT, usage=usage)
    )

    message = Message.objects.get(pk=held.message_id)
    assert (message.content, message.status) == ("So far", MessageStatus.COMPLETED)
    conversation = Conversation.objects.get()
    assert (conversation.input_tokens, conversation.output_tokens) == (10, 4)
    assert Event.objects.order_by("-topic_position").first().type == "conversations.turn_completed"


def test_conversation_counts_the_time_of_its_answers(ines, posted):
    held = claim(posted)
    Turn.objects.update(started_at=Now() - timedelta(seconds=90))
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=Ending(TurnStatus.STOPPED, TEXT))
    services.requeue_turn(actor=SYSTEM, turn_id=held.turn_id)
    services.stop_turn(actor=ines, turn_id=held.turn_id)

    conversation = Conversation.objects.get()
    assert conversation.answer_seconds == pytest.approx(90, abs=5)
    assert presentation.conversation_data(conversation)["usage"]["seconds"] == round(conversation.answer_seconds, 3)


def test_finish_turn_with_an_old_fence_writes_nothing(posted):
    held = claim(posted)

    with pytest.raises(LateWriter):
        services.finish_turn(
            actor=SYSTEM, turn_id=held.turn_id, fence=held.fence - 1, ending=Ending(TurnStatus.COMPLETED, TEXT)
        )

    assert Message.objects.get(pk=held.message_id).content == ""
    assert Turn.objects.get().status == TurnStatus.RUNNING


def test_checkpoint_turns_passes_over_who_lost_the_fence(posted):
    held = claim(posted)
    good = Checkpoint(held.turn_id, held.fence, held.message_id, TEXT, 3)
    late = Checkpoint(held.turn_id, held.fence + 1, held.message_id, [{"type": "text", "text": "late"}], 9)

    services.checkpoint_turns(actor=SYSTEM, checkpoints=[good, late])

    assert Message.objects.get(pk=held.message_id).parts == TEXT
    assert Turn.objects.get().last_seq == 3


def test_renew_leases_tells_of_stops_and_losses(ines, posted):
    held = claim(posted)

    assert services.renew_leases(actor=SYSTEM, held=[(held.turn_id, held.fence)]) == {held.turn_id: False}
    services.stop_turn(actor=ines, turn_id=held.turn_id)
    assert services.renew_leases(actor=SYSTEM, held=[(held.turn_id, held.fence)]) == {held.turn_id: True}
    assert services.renew_leases(actor=SYSTEM, held=[(held.turn_id, held.fence + 1)]) == {}


def test_stop_turn_ends_a_queued_turn_at_once(ines, posted):
    turn = services.stop_turn(actor=ines, turn_id=posted.turn.pk)

    assert (turn.status, turn.stopped_by_id) == (TurnStatus.STOPPED, ines.user_id)
    assert claim(posted) is None


def test_stop_turn_of_a_stranger_is_hidden(posted):
    with pytest.raises(TurnNotFound):
        services.stop_turn(actor=actor_of(UserFactory()), turn_id=posted.turn.pk)

    assert Turn.objects.get().stop_requested_at is None


def test_stop_turn_is_not_for_who_only_reads(posted):
    held, reader = claim(posted), someone(posted.message.conversation.project, ProjectRole.VIEWER)

    with pytest.raises(Forbidden):
        services.stop_turn(actor=reader, turn_id=held.turn_id)

    turn = Turn.objects.get()
    assert (turn.status, turn.stop_requested_at, turn.stopped_by_id) == (TurnStatus.RUNNING, None, None)


def test_reap_turn_runs_again_while_nothing_was_shown(posted):
    held = claim(posted)
    lapse(posted.turn)

    assert services.reap_turn(turn_id=held.turn_id, streamed_parts=[], streamed_seq=0) == TurnStatus.QUEUED
    assert claim(posted).fence == 3


@pytest.mark.parametrize(("stream", "kept"), [(5, "In the stream"), (3, "In the stream"), (2, "So far")])
def test_reap_turn_interrupts_and_keeps_the_later_of_row_and_stream(posted, stream, kept):
    """The row was written at entry 3; a stream that was wiped and begun again may know less than the row."""
    held = claim(posted)
    services.checkpoint_turns(
        actor=SYSTEM, checkpoints=[Checkpoint(held.turn_id, held.fence, held.message_id, TEXT, 3)]
    )
    lapse(posted.turn)
    streamed = [{"type": "text", "text": "In the stream"}]

    status = services.reap_turn(turn_id=held.turn_id, streamed_parts=streamed, streamed_seq=stream)

    turn = Turn.objects.get()
    assert (status, turn.reason) == (TurnStatus.INTERRUPTED, "worker_lost")
    assert turn.last_seq == max(stream, 3)
    assert Message.objects.get(pk=held.message_id).content == kept


def test_reap_turn_tells_what_the_lost_worker_had_spent(posted):
    organization = posted.message.conversation.organization
    model = ModelFactory(provider=ProviderFactory(organization=organization), **priced())
    held = claim(posted)
    request = CompletionRequest(organization.pk, (), model_id=model.pk, turn_id=held.turn_id)
    route = read_routes(organization_id=organization.pk).models[model.pk]
    opening = Opening(id=uuid7(), request=request, route=route, attempt=1, expected_input_tokens=100)
    llm_services.open_attempt(actor=SYSTEM, opening=opening)
    lapse(posted.turn)

    services.reap_turn(turn_id=held.turn_id, streamed_parts=TEXT, streamed_seq=5, streamed_text="word " * 100)

    turn, conversation, row = Turn.objects.get(), Conversation.objects.get(), CallAttempt.objects.get()
    assert (row.status, row.input_tokens, row.output_tokens) == ("lost", 100, 125)
    assert (turn.input_tokens, turn.output_tokens, turn.cost) == (100, 125, row.cost)
    assert (turn.model_name, turn.provider_name, turn.is_estimated) == (model.name, model.provider.name, True)
    assert (conversation.input_tokens, conversation.output_tokens, conversation.cost) == (100, 125, row.cost)
    assert row.cost > 0

    assert services.requeue_turn(actor=SYSTEM, turn_id=turn.pk)
    held = claim(posted)
    services.finish_turn(
        actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=Ending(TurnStatus.COMPLETED, TEXT)
    )

    conversation.refresh_from_db()
    assert (conversation.input_tokens, conversation.cost) == (100, row.cost)


def test_reap_turn_leaves_a_live_lease_alone(posted):
    held = claim(posted)

    assert services.reap_turn(turn_id=held.turn_id, streamed_parts=TEXT, streamed_seq=5) == ""
    assert Turn.objects.get().status == TurnStatus.RUNNING


def test_reap_turn_gives_up_after_three_starts(posted):
    for _attempt in range(3):
        assert claim(posted) is not None
        lapse(posted.turn)
        status = services.reap_turn(turn_id=posted.turn.pk, streamed_parts=[], streamed_seq=0)

    assert status == TurnStatus.INTERRUPTED
    assert Turn.objects.get().attempts == 3


def test_running_turn_without_a_lease_is_refused_by_the_database(posted):
    with pytest.raises(IntegrityError, match="conversations_turn_running_has_lease"), transaction.atomic():
        Turn.objects.filter(pk=posted.turn.pk).update(status=TurnStatus.RUNNING, lease_until=None)
