"""Kill -9 in the middle of a run: only the step in flight is repeated, and its effect is there once."""

import pytest

from apps.extraction.models import Record
from apps.workflows import engine
from apps.workflows.models import Step
from tests.extraction.factories import people
from tests.workflows.factories import begun, killed

pytestmark = pytest.mark.django_db(transaction=True)

MAKE = {"call": "records.create", "with": {"collection": "people", "data": {"name": "${ $name }"}}}
LOOP = {
    "for": {"each": "name", "in": '${ ["a", "b", "c", "d"] }'},
    "do": [{"make": MAKE}, {"note": {"set": {"last": "${ $name }"}}}],
}


def done(run):
    return set(Step.objects.filter(run=run, status="completed").values_list("pk", flat=True))


def test_effects_happen_once_wherever_the_worker_is_killed(actor, project):
    """One worker after the other dies: with the loop's own row, with a record that is being written, with a step."""
    people(actor, project)
    run = begun(actor, project, [{"all": LOOP}])
    for place in (2, 1, 3, 4, 1, 2):
        before = done(run)
        assert killed(run, place)
        assert before <= done(run)

    engine.go_on(run.pk)

    run.refresh_from_db()
    assert (run.status, run.crashes) == ("completed", 0)
    assert list(Record.objects.order_by("created_at").values_list("title", flat=True)) == ["a", "b", "c", "d"]
    assert len(done(run)) == 9


def test_what_kills_every_worker_fails_in_the_end(actor, project):
    people(actor, project)
    run = begun(actor, project, [{"all": LOOP}])
    assert killed(run, 1)  # the loop began
    assert killed(run, 1)  # and knows its items

    deaths = [killed(run, 1) for _worker in range(4)]

    assert deaths == [True, True, True, True]
    engine.go_on(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "worker_lost")
    assert not Record.objects.exists()
