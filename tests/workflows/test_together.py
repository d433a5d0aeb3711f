"""Who is at the same thing at the same moment, on connections of their own."""

import threading
import time
from contextlib import closing

import pytest
from django.db import connection, transaction

from apps.extraction import services as records
from apps.workflows import selectors, services
from apps.workflows.types import ChoiceClosed, GateClosed
from tests.accounts.factories import actor_of, member_of
from tests.extraction.factories import people
from tests.workflows.factories import fresh, ran, stage, walked

pytestmark = pytest.mark.django_db(transaction=True)

LONGEST_SECONDS = 10
GATE = {"records": {"collection": "people"}}


@pytest.fixture
def meanwhile():
    """Begins a call on a connection of its own and gives it half a second; what came of it is in the list."""
    threads = []

    def begin(call):
        found = []

        def run():
            with closing(connection):
                try:
                    found.append(call())
                except (ChoiceClosed, GateClosed) as error:
                    found.append(error)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        time.sleep(0.5)
        return found

    def end():
        for thread in threads:
            thread.join(LONGEST_SECONDS)

    begin.end = end
    yield begin
    end()


@pytest.fixture
def waiting(actor, project):
    """A run that waits before a stage which needs a record, and the record."""
    row = records.create_record(actor=actor, collection_id=people(actor, project).pk, data={"name": "Sarah"})
    run = ran(actor, project, [{"a": {"set": "${ . }", **stage("A", requires=[GATE], manual=True)}}])
    return run, row


def test_record_cannot_go_while_a_gate_is_crossed(actor, waiting, meanwhile):
    run, row = waiting

    with transaction.atomic():
        services.advance_stage(actor=actor, run_id=run.pk)
        gone = meanwhile(lambda: records.delete_record(actor=actor, record_id=row.pk))
        was_gone = bool(gone)
    meanwhile.end()

    assert not was_gone
    assert len(gone) == 1
    assert fresh(run).stage == "a"


def test_gate_waits_for_who_takes_a_record_away(actor, waiting, meanwhile):
    run, row = waiting

    with transaction.atomic():
        records.delete_record(actor=actor, record_id=row.pk)
        advanced = meanwhile(lambda: services.advance_stage(actor=actor, run_id=run.pk))
        was_advanced = bool(advanced)
    meanwhile.end()

    assert not was_advanced
    assert isinstance(advanced[0], GateClosed)
    assert fresh(run).stage == ""


def test_of_two_people_who_choose_at_once_one_decides(actor, project, meanwhile):
    other = actor_of(member_of(project))
    options = [{"key": "sea", "title": "At sea"}, {"key": "court", "title": "In court"}]
    run = ran(actor, project, [{"ending": {"call": "choose", "with": {"question": "How?", "options": options}}}])
    choice = selectors.list_choices(run).get()

    with transaction.atomic():
        services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="sea")
        late = meanwhile(
            lambda: services.answer_choice(actor=other, run_id=run.pk, choice_id=choice.pk, option="court")
        )
        was_late = bool(late)
    meanwhile.end()

    assert not was_late
    assert isinstance(late[0], ChoiceClosed)
    assert walked(run).output["choice"] == "sea"
