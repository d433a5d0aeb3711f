"""What must hold whatever people do: both ways of reading a path agree."""

from __future__ import annotations

import random

import pytest

from apps.accounts.types import SYSTEM
from apps.conversations import selectors, services
from apps.conversations.types import Ending, TurnStatus
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("seed", [3, 4])
def test_linear_reading_and_walking_give_the_same_path(seed):
    dice = random.Random(seed)
    project = ProjectFactory()
    ines = someone(project)
    conversation = start(ines, project)
    for number in range(30):
        posted = say(ines, conversation, f"{number}")
        ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "x"}])
        held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
        services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)
    conversation.refresh_from_db()
    assert conversation.is_linear

    for _try in range(40):
        window = dice.choice(
            [
                {"after": dice.randrange(70)},
                {"before": dice.randrange(1, 70)},
                {},
                {"before": conversation.last_number + 1},
            ]
        )
        limit = dice.randrange(1, 80)
        read = []
        for is_linear in (True, False):
            conversation.is_linear = is_linear
            rows = selectors.list_path(conversation=conversation, leaf_id=conversation.head_id, limit=limit, **window)
            read.append([row.pk for row in rows])
        assert read[0] == read[1], (window, limit)
