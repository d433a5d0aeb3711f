"""Time that is over, and workers that are killed just then."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.workflows import engine, services
from apps.workflows.models import Choice, Run, Step
from tests.workflows.factories import begun, fresh, killed, ran, stage, step, tell, walked

pytestmark = pytest.mark.django_db
ASK = {"call": "ask", "with": {"question": "How old?"}}
LATE = {"do": [{"ask": ASK}], "timeout": {"after": {"hours": 1}}}


def overdue(run, path):
    row = step(run, path)
    deadline = (timezone.now() - timedelta(seconds=1)).isoformat()
    Step.objects.filter(pk=row.pk).update(state={**row.state, "deadline": deadline})
    Run.objects.filter(pk=run.pk).update(status="queued", wake_at=None)


@pytest.mark.django_db(transaction=True)
def test_worker_killed_while_it_withdraws_ends_nothing_but_itself(actor, project):
    run = ran(actor, project, [{"late": LATE}])
    overdue(run, "late")

    assert killed(run, 1)
    assert (step(run, "late").status, step(run, "late/do/ask").status) == ("running", "waiting")
    engine.go_on(run.pk)

    run = fresh(run)
    assert (run.status, run.error["code"]) == ("failed", "timeout")
    assert (step(run, "late/do/ask").status, Choice.objects.get().status) == ("cancelled", "withdrawn")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("place", "slow"), [(5, "waiting"), (6, "cancelled")])
def test_worker_killed_when_a_branch_has_won_leaves_the_winner(actor, project, place, slow):
    """Where the others are withdrawn, and where the race is ended."""
    branches = [{"slow": ASK}, {"quick": {"set": {"x": 1}}}]
    run = begun(actor, project, [{"race": {"fork": {"compete": True, "branches": branches}}}])

    assert killed(run, place)
    assert step(run, "race/fork/slow").status == slow
    engine.go_on(run.pk)

    assert (fresh(run).status, fresh(run).output) == ("completed", {"x": 1})
    assert "won" not in step(run, "race").state


def test_what_timed_out_is_asked_anew_when_somebody_tries_again(actor, project):
    run = ran(actor, project, [{"late": LATE}])
    overdue(run, "late")
    assert walked(run).status == "failed"

    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert (run.status, run.waits_for) == ("waiting", "ask")
    choice = Choice.objects.get(status="open")
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text="28")
    assert walked(run).output["answer"] == "28"


def test_block_that_is_tried_again_has_its_time_anew(actor, project):
    error = {"type": "https://example.org/x", "status": 500}
    do = [{"late": {"do": [{"no": {"raise": {"error": error}}}], "timeout": {"after": {"hours": 1}}}}]
    run = ran(actor, project, do)
    overdue(run, "late")
    Run.objects.filter(pk=run.pk).update(status="failed")

    services.retry_run(actor=actor, run_id=run.pk)

    assert "deadline" not in step(run, "late").state


def test_what_is_heard_while_the_deadline_is_written_is_not_forgotten(actor, project):
    """A worker read the step before; the log's consumer writes into it meanwhile."""
    wanted = {"all": [{"with": {"type": "film.cut"}}, {"with": {"type": "film.dubbed"}}]}
    run = ran(actor, project, [{"hear": {"listen": {"to": wanted}}}], name="hearer")
    Run.objects.filter(pk=run.pk).update(status="queued")
    held, (row,) = services.claim_run(actor=SYSTEM, run_id=run.pk)
    event = {"source": "https://example.org", "type": "film.cut", "data": {"n": 1}}
    teller = begun(actor, project, [{"tell": {"emit": {"event": {"with": event}}}}], name="teller")
    engine.go_on(teller.pk)
    tell()

    services.keep_deadline(actor=SYSTEM, held=held, step=row, deadline=timezone.now())

    state = step(run, "hear").state
    assert ([each["type"] for each in state["heard"]], "deadline" in state) == (["film.cut"], True)
    assert row.state == state


# The whole run


def test_run_that_takes_longer_than_its_workflow_may_fails_and_has_its_time_anew(actor, project):
    """At a stage, which nothing else ends."""
    late = [{"scenes": {"set": {"x": 1}, **stage("Scenes", manual=True)}}]
    run = ran(actor, project, late, timeout={"after": {"hours": 1}})
    assert run.status == "waiting"
    assert timedelta(minutes=59) < run.wake_at - timezone.now() <= timedelta(hours=1)
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(hours=1), status="queued")

    run = walked(run)

    assert (run.status, run.error["code"], run.error["instance"]) == ("failed", "timeout", "/timeout")
    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)
    assert (run.status, run.waits_for) == ("waiting", "stage")
    services.advance_stage(actor=actor, run_id=run.pk)
    assert walked(run).status == "completed"


def test_way_back_gives_the_workflow_its_time_anew(actor, project):
    do = [{"first": {"set": {"x": 1}}}, {"second": {"set": {"y": 2}, **stage("Second")}}]
    run = ran(actor, project, do, timeout={"after": {"hours": 1}})
    assert run.status == "completed"
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(hours=2))

    services.roll_back(actor=actor, run_id=run.pk, stage="second")
    services.resume_run(actor=actor, run_id=run.pk)

    assert walked(run).status == "completed"


def test_what_ends_before_the_time_of_the_workflow_ends_as_it_is(actor, project):
    run = ran(actor, project, [{"rest": {"wait": "PT1M"}}], timeout={"after": {"hours": 1}})

    assert run.wake_at - timezone.now() <= timedelta(minutes=1)


# Attempts


def tried(policy, *tasks, **more):
    caught = {"retry": {"delay": {"seconds": 60}, **policy}, "do": [{"gave": {"set": {"up": True}}}]}
    return [{"risk": {"try": list(tasks), "catch": caught, **more}}]


NO = {"no": {"raise": {"error": {"type": "https://example.org/x", "status": 500}}}}
#: Fails at first, then asks.
THEN_ASKS = [
    {"again": {"switch": [{"first": {"when": "${ $context == null }", "then": "mark"}}, {"other": {"then": "block"}}]}},
    {"mark": {"set": "${ . }", "export": {"as": {"seen": True}}}},
    {**NO},
    {"block": {"do": [{"ask": ASK}]}},
]


def due(run, **state):
    """As if the time that it waits for had come; ``state``: what the try remembers."""
    row = step(run, "risk")
    waits = [(timezone.now() - timedelta(seconds=1)).isoformat() for _wait in row.state["waits"]]
    Step.objects.filter(pk=row.pk).update(state={**row.state, "waits": waits, **state})
    Run.objects.filter(pk=run.pk).update(status="queued", wake_at=None)


def ago(**how_long):
    return (timezone.now() - timedelta(**how_long)).isoformat()


def test_no_attempt_begins_when_the_time_of_all_is_over(actor, project):
    run = ran(actor, project, tried({"limit": {"duration": {"seconds": 90}}}, NO))
    assert (run.status, run.waits_for) == ("waiting", "retry")

    due(run)
    run = walked(run)
    assert run.waits_for == "retry"
    due(run, since=ago(seconds=31))
    run = walked(run)

    assert (run.status, run.output) == ("completed", {"up": True})
    assert Step.objects.filter(run=run, path="risk/try/no").count() == 3


def test_attempt_that_waits_too_long_is_over_and_counts(actor, project):
    policy = {"limit": {"attempt": {"duration": {"minutes": 5}, "count": 2}}}
    run = ran(actor, project, tried(policy, *THEN_ASKS))
    due(run)
    run = walked(run)
    assert (run.status, run.waits_for) == ("waiting", "ask")
    assert timedelta(minutes=4) < run.wake_at - timezone.now() <= timedelta(minutes=5)

    due(run, begun=[ago(minutes=6)])
    run = walked(run)
    assert (run.waits_for, Choice.objects.get().status) == ("retry", "withdrawn")
    due(run)
    run = walked(run)

    assert (run.status, run.waits_for) == ("waiting", "ask")
    assert Choice.objects.filter(status="open").count() == 1
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=Choice.objects.get(status="open").pk, text="28")
    assert walked(run).output["answer"] == "28"


def test_attempt_ends_with_the_time_of_all(actor, project):
    run = ran(actor, project, tried({"limit": {"duration": {"minutes": 5}}}, *THEN_ASKS))
    due(run)
    run = walked(run)
    assert run.waits_for == "ask"

    due(run, since=ago(minutes=6))
    run = walked(run)

    assert (run.status, run.output, Choice.objects.get().status) == ("completed", {"up": True}, "withdrawn")
