"""What holds rows at the same time, on connections of its own."""

import threading
import time
from contextlib import closing

import pytest
from django.db import OperationalError, connection, transaction

from apps.accounts.types import SYSTEM
from apps.conversations import selectors, services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import Ending, TurnStatus
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db(transaction=True)

LONGEST_SECONDS = 10


def test_posting_does_not_wait_for_the_turn_before_to_end():
    """The two waited for each other, and one of them was refused with 503."""
    project = ProjectFactory()
    owner = someone(project)
    conversation = start(owner, project)
    earlier = say(owner, conversation).turn
    is_locked, is_posted = threading.Event(), threading.Event()

    def end_the_turn():
        with closing(connection), transaction.atomic():
            selectors.lock_turn(earlier.pk)
            is_locked.set()
            assert is_posted.wait(LONGEST_SECONDS)
            Conversation.objects.filter(pk=conversation.pk).update(input_tokens=7)

    ending = threading.Thread(target=end_the_turn)
    ending.start()
    assert is_locked.wait(LONGEST_SECONDS)
    later = say(owner, conversation, "and this").turn
    is_posted.set()
    ending.join(LONGEST_SECONDS)

    assert Turn.objects.get(pk=later.pk).after_turn_id == earlier.pk
    assert Conversation.objects.get(pk=conversation.pk).input_tokens == 7


@pytest.mark.parametrize("act", ["stop", "delete"])
def test_who_stops_waits_for_the_end_of_the_turn_and_not_beside_it(act):
    project = ProjectFactory()
    owner = someone(project)
    conversation = start(owner, project)
    posted = say(owner, conversation)
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "done"}])
    acts = {
        "end": lambda: services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending),
        "stop": lambda: services.stop_turn(actor=owner, turn_id=held.turn_id),
        "delete": lambda: services.delete_conversation(actor=owner, conversation_id=conversation.pk),
    }
    failed = []

    def run(name):
        with closing(connection):
            try:
                acts[name]()
            except OperationalError as error:
                failed.append((name, error))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("end", act)]
    with transaction.atomic():
        # The end comes as far as its message, with what it has locked until then.
        Message.objects.select_for_update().get(pk=posted.answer.pk)
        for thread in threads:
            thread.start()
            time.sleep(0.3)
    for thread in threads:
        thread.join(LONGEST_SECONDS)

    assert failed == []
    assert Turn.objects.get(pk=held.turn_id).status == TurnStatus.COMPLETED
