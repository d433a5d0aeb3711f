"""Who waits first: drills with rows alone, as the coordinator and the end of every answer see them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.accounts.actors import actor_for
from apps.accounts.models import User
from apps.accounts.types import SYSTEM
from apps.conversations import services, turn_order
from apps.conversations.models import Turn
from apps.conversations.types import Ending, TurnStatus
from apps.core.types import Priority
from tests.accounts.factories import ProjectFactory, key_of
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def daniel(project):
    return someone(project)


def asked(actor, project, number=1):
    """So many questions, each in a conversation of its own."""
    return [say(actor, start(actor, project)).turn.pk for _number in range(number)]


def claim(turn_id):
    return services.claim_turn(actor=SYSTEM, turn_id=turn_id, worker="test")


def end(held):
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=Ending(TurnStatus.COMPLETED, []))


def test_one_of_each_person_in_turn(project, ines, daniel):
    many, few = asked(ines, project, 6), asked(daniel, project, 2)

    assert turn_order.list_startable() == [many[0], few[0], many[1], few[1], many[2], many[3], many[4]]


def test_answers_that_run_count_as_rounds(project, ines, daniel):
    many = asked(ines, project, 5)
    for turn_id in many[:3]:
        claim(turn_id)
    few = asked(daniel, project, 4)

    assert turn_order.list_startable() == [few[0], few[1], few[2], many[3], few[3], many[4]]


def test_the_end_of_an_answer_hints_others_than_one_who_may_start_nothing(
    project, ines, daniel, monkeypatch, django_capture_on_commit_callbacks
):
    many = asked(ines, project, 20)
    held = [claim(turn_id) for turn_id in many[:5]]
    (other,) = asked(daniel, project)
    hinted = []
    monkeypatch.setattr("apps.core.jobs.hint", lambda _name, **ids: hinted.append(ids.get("turn_id")) or True)

    with django_capture_on_commit_callbacks(execute=True):
        end(held[0])

    assert [turn_id for turn_id in hinted if turn_id] == [other, many[5]]


def test_programs_stand_behind_people(project, ines, daniel):
    key = actor_for(api_key=key_of(User.objects.get(pk=daniel.user_id), project.organization))
    programs, people = asked(key, project, 2), asked(ines, project, 2)

    assert turn_order.list_startable() == [*people, *programs]
    assert set(Turn.objects.values_list("priority", flat=True)) == {Priority.NORMAL, Priority.LOW}


def test_who_lost_their_place_gets_it_back(project, ines, daniel):
    (first,) = asked(ines, project)
    services.stop_turn(actor=ines, turn_id=first)
    others = asked(daniel, project, 2)

    services.requeue_turn(actor=SYSTEM, turn_id=first)

    assert turn_order.list_startable() == [first, *others]


def test_an_organization_is_given_as_many_hints_as_it_has_places(project, ines, daniel, monkeypatch):
    monkeypatch.setattr(turn_order, "MAX_RUNNING_AN_ORGANIZATION", 3)
    elsewhere = ProjectFactory()
    running, many = asked(ines, project), asked(daniel, project, 4)
    claim(running[0])
    others = asked(someone(elsewhere), elsewhere, 2)

    assert turn_order.list_startable() == [many[0], others[0], many[1], others[1]]
    assert turn_order.list_startable(organization_id=elsewhere.organization_id) == others


def test_turns_that_wait_for_another_or_are_new_are_left_out(project, ines):
    first = say(ines, start(ines, project))
    behind = say(ines, first.message.conversation, "Two")

    assert behind.turn.after_turn_id == first.turn.pk
    assert turn_order.list_startable() == [first.turn.pk]
    assert turn_order.list_startable(older_than=timedelta(seconds=3)) == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_turn SET updated_at = now() - interval '1 minute'")
    assert turn_order.list_startable(older_than=timedelta(seconds=3)) == [first.turn.pk]


def test_place_is_told_in_the_same_order(project, ines, daniel, django_assert_num_queries):
    many, few = asked(ines, project, 3), asked(daniel, project)
    turns = list(Turn.objects.filter(status=TurnStatus.QUEUED))

    with django_assert_num_queries(1):
        places = turn_order.places_of(turns)

    assert places == {many[0]: 0, few[0]: 1, many[1]: 2, many[2]: 3}
    with django_assert_num_queries(0):
        assert turn_order.places_of([]) == {}
