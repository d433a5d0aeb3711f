"""What must hold whatever people do: both ways of reading a path agree, SQL and Python agree on rights."""

from __future__ import annotations

import random

import pytest

from apps.accounts.types import SYSTEM, OrganizationRole, ProjectAccess, ProjectRole
from apps.conversations import policies, selectors, services
from apps.conversations.models import Conversation
from apps.conversations.types import Ending, TurnStatus, Visibility
from apps.core.errors import DomainError
from tests.accounts.factories import (
    ProjectFactory,
    ProjectMemberFactory,
    UserFactory,
    actor_of,
    join,
)
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


def test_visible_to_agrees_with_can_view_for_random_grants():
    dice = random.Random(5)
    projects = [ProjectFactory(access=dice.choice(ProjectAccess.values)) for _each in range(6)]
    people = []
    for _each in range(14):
        user = UserFactory()
        for project in dice.sample(projects, 3):
            join(user, project.organization, role=dice.choice(OrganizationRole.values))
            if dice.random() < 0.5:
                ProjectMemberFactory(project=project, user=user, role=dice.choice(ProjectRole.values))
        people.append(actor_of(user))
    made = []
    for project in projects:
        owner = someone(project)
        for visibility in Visibility.values:
            made.append(start(owner, project, visibility=visibility))  # noqa: PERF401  (reads better)
    for conversation in made:
        owner = actor_of(conversation.owner)
        for person in dice.sample(people, 4):
            try:
                services.invite_participant(actor=owner, conversation_id=conversation.pk, user_id=person.user_id)
            except DomainError:
                continue
    services.delete_conversation(actor=actor_of(made[0].owner), conversation_id=made[0].pk)

    seen = 0
    for person in people:
        visible = set(selectors.visible_to(person).values_list("pk", flat=True))
        seen += len(visible)
        for row in Conversation.objects.all():
            allowed = policies.can_view(
                person,
                row,
                role=selectors.role_in(row, person),
                is_invited=selectors.is_invited(conversation=row, user_id=person.user_id),
            )
            assert (row.pk in visible) == allowed, (person, row.visibility)
    assert 10 < seen < len(people) * len(made)
