"""What holds rows at the same time, on connections of its own."""

import threading
import time
from contextlib import closing

import pytest
from django.db import connection, transaction

from apps.accounts.types import SYSTEM
from apps.conversations import selectors, services
from apps.conversations.models import Conversation, Turn
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


def test_stopping_waits_for_the_end_of_the_turn_and_not_beside_it():
    project = ProjectFactory()
    owner = someone(project)
    conversation = start(owner, project)
    turn = say(owner, conversation).turn
    held = services.claim_turn(actor=SYSTEM, turn_id=turn.pk, worker="test")
    is_locked, may_end = threading.Event(), threading.Event()

    def end_the_turn():
        with closing(connection), transaction.atomic():
            selectors.lock_turn(turn.pk)
            is_locked.set()
            assert may_end.wait(LONGEST_SECONDS)
            ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "done"}])
            services.finish_turn(actor=SYSTEM, turn_id=turn.pk, fence=held.fence, ending=ending)

    def stop():
        with closing(connection):
            services.stop_turn(actor=owner, turn_id=turn.pk)

    threads = [threading.Thread(target=end_the_turn), threading.Thread(target=stop)]
    threads[0].start()
    assert is_locked.wait(LONGEST_SECONDS)
    threads[1].start()
    time.sleep(0.5)
    may_end.set()
    for thread in threads:
        thread.join(LONGEST_SECONDS)

    assert Turn.objects.get(pk=turn.pk).status == TurnStatus.COMPLETED
