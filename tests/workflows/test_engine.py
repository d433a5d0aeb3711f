"""Runs: what each kind of task does, what is remembered, and what happens when a worker dies."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.workflows import engine, invariants, services
from apps.workflows.models import Choice, Run, Step
from apps.workflows.types import RunState
from tests.workflows.factories import begun, defined, document, fresh, ran, step, steps, walked

pytestmark = pytest.mark.django_db


def put(**values):
    return {"set": values}


def test_data_goes_from_task_to_task(actor, project):
    do = [
        {"first": {"set": {"sum": "${ .a + 1 }"}, "export": {"as": "${ {kept: .sum} }"}}},
        {
            "second": {
                "set": {"was": "${ $context.kept }", "now": "${ .sum * 2 }"},
                "output": {"as": "${ .now + .was }"},
            }
        },
    ]

    run = ran(actor, project, do, {"a": 1}, output={"as": "${ {result: .} }"})

    assert (run.status, run.output) == ("completed", {"result": 6})
    assert steps(run) == [("first", "completed"), ("second", "completed")]
    assert step(run, "second").input == {"sum": 2}


def test_if_skips_and_then_jumps(actor, project):
    do = [
        {"never": {"set": {"x": 1}, "if": "${ .go == false }"}},
        {"jump": {"set": "${ . }", "then": "last"}},
        {"between": put(x=2)},
        {"last": {"set": {"x": 3}}},
        {"over": {"set": "${ . }", "then": "end"}},
        {"after": put(x=4)},
    ]

    run = ran(actor, project, do, {"go": True})

    assert run.output == {"x": 3}
    assert [path for path, _status in steps(run)] == ["never", "jump", "last", "over"]


def test_switch_takes_the_first_case_that_is_true(actor, project):
    do = [
        {"which": {"switch": [{"big": {"when": ".n > 10", "then": "big"}}, {"else": {"then": "small"}}]}},
        {"big": {"set": {"size": "big"}, "then": "end"}},
        {"small": {"set": {"size": "small"}}},
    ]

    assert ran(actor, project, do, {"n": 11}).output == {"size": "big"}
    assert ran(actor, project, do, {"n": 1}, name="other").output == {"size": "small"}


def test_for_goes_through_a_list_and_while_ends_it(actor, project):
    body = {"for": {"each": "n", "in": "${ .list }", "at": "place"}, "while": "${ .sum < 6 }"}
    do = [
        {
            "all": {
                **body,
                "do": [{"add": {"set": {"sum": "${ .sum + $n }", "list": "${ .list }", "at": "${ $place }"}}}],
            }
        }
    ]

    run = ran(actor, project, do, {"sum": 0, "list": [1, 2, 3, 4, 5]})

    assert run.output["sum"] == 6
    assert run.output["at"] == 2
    assert [row.visit for row in Step.objects.filter(run=run, path="all/do/add").order_by("number")] == [1, 2, 3]


def test_fork_gives_all_or_the_first(actor, project):
    branches = [{"slow": {"do": [{"rest": {"wait": {"hours": 1}}}, {"a": put(x="slow")}]}}, {"quick": put(x="quick")}]
    do = [{"race": {"fork": {"compete": True, "branches": branches}}}]

    run = ran(actor, project, do)

    assert (run.status, run.output) == ("completed", {"x": "quick"})
    assert step(run, "race/fork/slow/do/rest").status == "cancelled"
    both = ran(actor, project, [{"both": {"fork": {"branches": [{"a": put(x=1)}, {"b": put(x=2)}]}}}], name="both")
    assert both.output == [{"x": 1}, {"x": 2}]


def test_raise_is_caught_by_its_type_and_by_no_other(actor, project):
    error = {"type": "https://example.org/broken", "status": 418, "title": "Teapot"}
    caught = {"errors": {"with": {"status": 418}}, "as": "wrong", "do": [{"b": {"set": {"was": "${ $wrong.title }"}}}]}
    do = [{"risk": {"try": [{"a": {"raise": {"error": error}}}], "catch": caught}}]

    run = ran(actor, project, do)
    other = {**caught, "errors": {"with": {"status": 500}}}
    failed = ran(actor, project, [{"risk": {"try": [{"a": {"raise": {"error": error}}}], "catch": other}}], name="b")

    assert (run.status, run.output) == ("completed", {"was": "Teapot"})
    assert (failed.status, failed.error["status"], failed.error["instance"]) == ("failed", 418, "/do/0/risk/try/0/a")


def test_retries_wait_longer_each_time_and_end(actor, project):
    policy = {"delay": {"seconds": 60}, "backoff": {"exponential": {}}, "limit": {"attempt": {"count": 2}}}
    error = {"type": "https://example.org/x", "status": 500}
    caught = {"retry": policy, "do": [{"gave": {"set": {"up": True}}}]}
    do = [{"risk": {"try": [{"a": {"raise": {"error": error}}}], "catch": caught}}]

    run = ran(actor, project, do)
    first = run.wake_at - timezone.now()
    assert run.status == "waiting"
    passed(run)
    run = walked(run)
    second = run.wake_at - timezone.now()
    passed(run)
    run = walked(run)

    assert timedelta(seconds=50) < first <= timedelta(seconds=60)
    assert timedelta(seconds=100) < second <= timedelta(seconds=120)
    assert (run.status, run.output) == ("completed", {"up": True})
    assert Step.objects.filter(run=run, path="risk/try/a", status="failed").count() == 3


def passed(run):
    """The time that it waits for."""
    row = step(run, "risk")
    if row:
        waits = [(timezone.now() - timedelta(seconds=1)).isoformat() for _wait in row.state["waits"]]
        Step.objects.filter(pk=row.pk).update(state={**row.state, "waits": waits})
    Run.objects.filter(pk=run.pk).update(status="queued", wake_at=None)


def test_wait_ends_at_its_time(actor, project):
    run = ran(actor, project, [{"rest": {"wait": "PT1H"}}, {"after": put(x=1)}])

    assert (run.status, run.waits_for) == ("waiting", "time")
    row = step(run, "rest")
    Step.objects.filter(pk=row.pk).update(state={"until": timezone.now().isoformat()})
    Run.objects.filter(pk=run.pk).update(wake_at=timezone.now())
    engine.go_on(run.pk)

    assert fresh(run).output == {"x": 1}


def test_what_takes_too_long_is_an_error_that_can_be_caught(actor, project):
    slow = {"rest": {"wait": {"hours": 2}, "timeout": {"after": {"seconds": 1}}}}
    caught = {"errors": {"with": {"status": 408}}, "do": [{"late": put(late=True)}]}

    run = ran(actor, project, [{"risk": {"try": [slow], "catch": caught}}])
    row = step(run, "risk/try/rest")
    deadline = (timezone.now() - timedelta(seconds=1)).isoformat()
    Step.objects.filter(pk=row.pk).update(state={**row.state, "deadline": deadline})
    Run.objects.filter(pk=run.pk).update(status="queued")

    assert walked(run).output == {"late": True}


def test_emit_is_heard_by_listen_of_another_run(actor, project):
    wanted = {"one": {"with": {"type": "film.ready", "data": {"kind": "short"}}}}
    hearer = ran(actor, project, [{"hear": {"listen": {"to": wanted}}}], name="hearer")
    assert (hearer.status, hearer.waits_for) == ("waiting", "event")

    for kind in ("long", "short"):
        event = {"source": "https://example.org", "type": "film.ready", "data": {"kind": kind, "n": "${ .n }"}}
        ran(actor, project, [{"tell": {"emit": {"event": {"with": event}}}}], {"n": 7}, name=f"teller-{kind}")
    hearer = walked(hearer)

    assert (hearer.status, hearer.output) == ("completed", [{"kind": "short", "n": 7}])


def test_inner_run_gives_its_output_and_its_error(actor, project):
    defined(actor, project, [{"double": {"set": {"x": "${ .x * 2 }"}}}], name="inner")
    defined(
        actor, project, [{"no": {"raise": {"error": {"type": "https://example.org/no", "status": 409}}}}], name="bad"
    )
    inner = {"namespace": "tests", "name": "inner", "version": "1.0.0", "input": {"x": "${ .x }"}}

    run = ran(actor, project, [{"call": {"run": {"workflow": inner}}}], {"x": 4}, name="outer")
    failed = ran(actor, project, [{"call": {"run": {"workflow": {**inner, "name": "bad"}}}}], {"x": 1}, name="outer-2")

    assert (run.status, run.output) == ("completed", {"x": 8})
    assert (failed.status, failed.error["status"]) == ("failed", 409)


def test_workflow_that_runs_itself_ends(actor, project):
    inner = {"namespace": "tests", "name": "sample", "version": "1.0.0"}

    run = ran(actor, project, [{"again": {"run": {"workflow": inner}}}])

    assert (run.status, run.error["code"]) == ("failed", "too_deep")
    assert Run.objects.count() == 6


def test_endless_loop_ends_at_so_many_steps(actor, project, monkeypatch):
    monkeypatch.setattr(engine, "MAX_STEPS", 40)

    run = ran(actor, project, [{"a": {"set": "${ . }"}}, {"b": {"set": "${ . }", "then": "a"}}], {"x": 1})

    assert (run.status, run.error["code"]) == ("failed", "too_many_steps")
    assert run.step_count == 40


def test_no_catch_takes_the_end_of_so_many_steps(actor, project, monkeypatch):
    monkeypatch.setattr(engine, "MAX_STEPS", 40)
    fails = [{"a": {"raise": {"error": {"type": "https://example.com/x", "status": 500, "title": "x"}}}}]
    caught = {"retry": {"limit": {"attempt": {"count": 1_000_000}}}}

    run = ran(actor, project, [{"t": {"try": fails, "catch": caught}}])

    assert (run.status, run.error["code"]) == ("failed", "too_many_steps")


def test_end_inside_a_block_leaves_nothing_under_way(actor, project):
    waits = {"who": {"call": "ask", "with": {"question": "Who?"}}}
    leaves = {"out": {"do": [{"a": {"set": {"x": 1}, "then": "end"}}]}}

    run = ran(actor, project, [{"both": {"fork": {"branches": [waits, leaves]}}}])

    assert run.status == "completed"
    assert invariants.check_ended_are_whole() == []
    assert not Choice.objects.filter(run=run, status="open").exists()


def test_wrong_expression_fails_the_run_and_says_where(actor, project):
    run = ran(actor, project, [{"a": {"set": {"x": "${ .a / 0 + (.b | tonumber) }"}}}], {"a": 1, "b": "x"})

    assert (run.status, run.error["code"], run.error["instance"]) == ("failed", "expression_failed", "/do/0/a")


def test_run_inside_whose_input_does_not_fit_begins_and_fails(actor, project):
    schema = {"type": "object", "required": ["name"]}
    defined(actor, project, [{"a": put(x=1)}], name="inside", input={"schema": {"format": "json", "document": schema}})
    inside = {"workflow": {"namespace": "tests", "name": "inside", "version": "latest", "input": {}}}

    run = ran(actor, project, [{"begin": {"run": inside}}])

    assert (run.status, run.error["status"]) == ("failed", 400)
    assert Run.objects.get(parent=run).error["code"] == "does_not_fit"


def test_run_keeps_its_version(actor, project):
    do = [{"rest": {"wait": "PT1H"}}, {"after": put(x="old")}]
    run = ran(actor, project, do)
    new = document([{"rest": {"wait": "PT1H"}}, {"after": put(x="new")}])

    changed = services.change_definition(actor=actor, definition_id=run.definition_id, document=new)
    row = step(run, "rest")
    Step.objects.filter(pk=row.pk).update(state={"until": timezone.now().isoformat()})
    Run.objects.filter(pk=run.pk).update(status="queued")

    assert changed.number == 2
    assert walked(run).output == {"x": "old"}
    assert fresh(run).followed.number == 1


def test_retry_goes_on_at_the_step_that_failed(actor, project):
    do = [{"one": put(x=1)}, {"two": {"do": [{"look": {"set": {"y": "${ $context.there | tonumber }"}}}]}}]
    run = ran(actor, project, do)
    assert run.status == "failed"
    before = step(run, "one").pk

    again = services.retry_run(actor=actor, run_id=run.pk)
    assert again.status == "queued"
    again = walked(run)

    assert again.status == "failed"
    assert step(run, "one").pk == before
    assert [row.status for row in Step.objects.filter(run=run, path="two/do/look").order_by("number")] == [
        "replaced",
        "failed",
    ]
    with pytest.raises(RunState):
        services.resume_run(actor=actor, run_id=run.pk)


def test_resume_leaves_the_run_with_the_worker_that_has_it(actor, project):
    run = begun(actor, project, [{"a": put(x=1)}])
    held, _memory = services.claim_run(actor=SYSTEM, run_id=run.pk)
    services.pause_run(actor=actor, run_id=run.pk)

    again = services.resume_run(actor=actor, run_id=run.pk)

    assert services.claim_run(actor=SYSTEM, run_id=run.pk) is None
    assert (again.status, again.version) == ("running", run.version + 2)
    assert Run.objects.get(pk=run.pk).fence == held.fence
    services.give_back(actor=SYSTEM, held=held)
    assert walked(run).output == {"x": 1}


def test_fork_goes_its_own_way_from_a_step(actor, project):
    do = [
        {"one": put(x=1)},
        {"two": {"do": [{"a": {"set": {"x": "${ .x + 1 }"}}}, {"b": {"set": {"x": "${ .x * 10 }"}}}]}},
    ]
    run = ran(actor, project, do)

    other = services.fork_run(actor=actor, run_id=run.pk, number=step(run, "two/do/b").number)
    other = walked(other)

    assert (run.output, other.output, other.cause) == ({"x": 20}, {"x": 20}, "fork")
    assert other.forked_from_id == run.pk
    assert steps(other) == [
        ("one", "completed"),
        ("two", "completed"),
        ("two/do/a", "completed"),
        ("two/do/b", "completed"),
    ]


def test_pause_resume_and_cancel(actor, project):
    run = ran(actor, project, [{"rest": {"wait": "PT1H"}}, {"after": put(x=1)}])

    assert services.pause_run(actor=actor, run_id=run.pk).status == "paused"
    engine.go_on(run.pk)
    assert fresh(run).status == "paused"
    services.resume_run(actor=actor, run_id=run.pk)
    assert walked(run).status == "waiting"
    services.cancel_run(actor=actor, run_id=run.pk)

    assert fresh(run).status == "cancelled"
    assert steps(run) == [("rest", "cancelled")]
    with pytest.raises(RunState):
        services.retry_run(actor=actor, run_id=run.pk)


def test_worker_that_lost_the_run_writes_nothing(actor, project):
    definition = defined(actor, project, [{"a": put(x=1)}, {"b": put(x=2)}])
    run = services.start_run(actor=actor, definition_id=definition.pk)
    claimed = services.claim_run(actor=SYSTEM, run_id=run.pk)
    assert services.claim_run(actor=SYSTEM, run_id=run.pk) is None
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    engine.go_on(run.pk)
    with pytest.raises(engine.LateWriter):
        engine._walk(*claimed)

    assert fresh(run).output == {"x": 2}
    assert steps(run) == [("a", "completed"), ("b", "completed")]


def test_run_whose_workers_die_is_given_up(actor, project):
    definition = defined(actor, project, [{"a": put(x=1)}])
    run = services.start_run(actor=actor, definition_id=definition.pk)
    for _crash in range(6):
        services.claim_run(actor=SYSTEM, run_id=run.pk)
        Run.objects.filter(pk=run.pk, status="running").update(lease_until=timezone.now() - timedelta(seconds=1))

    assert fresh(run).status == "failed"
    assert fresh(run).error["code"] == "worker_lost"
