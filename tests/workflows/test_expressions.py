"""jq in a process of its own: what it gives, and what happens to what wants too much."""

import threading
import time

import pytest

from apps.core.embedded.processes import wait_until
from apps.workflows import expressions
from apps.workflows.expressions import ExpressionFailed


def test_values_and_variables():
    assert expressions.evaluate(".a + $b", {"a": 1}, {"b": 2}) == 3
    assert expressions.evaluate(".a[] ", {"a": [7, 8]}, {}) == 7
    assert expressions.evaluate("empty", {}, {}) is None
    assert expressions.evaluate("$b.c # a remark", {}, {"b": {"c": "x"}}) == "x"


def test_templates_keep_what_is_no_expression():
    template = {"a": "${ .x }", "b": ["${ $y }", "plain ${"], "c": 1}

    assert expressions.fill(template, {"x": [1]}, {"y": None}) == {"a": [1], "b": [None, "plain ${"], "c": 1}


def test_loose_texts_are_expressions_where_jq_understands_them():
    assert expressions.fill({"a": ".x", "b": "Hello world"}, {"x": 1}, {}, loose=True) == {"a": 1, "b": "Hello world"}


@pytest.mark.parametrize("program", ["env", "$ENV", "$__prog_args", "input", "$secrets"])
def test_surroundings_are_out_of_reach(program):
    try:
        found = expressions.evaluate(program, {}, {})
    except ExpressionFailed:
        found = None

    assert not found or set(found) <= {"LC_ALL", "LC_CTYPE"}


@pytest.mark.parametrize(
    "program",
    ["last(range(1e12))", "def f: f; f", "[range(1e10)] | length", '"x" * 1e9 | length', "[limit(1e9; repeat(1))]"],
)
def test_bombs_are_stopped_and_the_next_program_runs(program):
    began = time.monotonic()

    with pytest.raises(ExpressionFailed):
        expressions.evaluate(program, {}, {})

    assert time.monotonic() - began < 5
    assert expressions.evaluate("1 + 1", {}, {}) == 2


def test_more_than_can_be_kept_is_refused():
    with pytest.raises(ExpressionFailed):
        expressions.evaluate("[range(1000000)]", {}, {})


def test_wrong_program_is_named():
    with pytest.raises(ExpressionFailed) as found:
        expressions.evaluate(".a |", {}, {})

    assert found.value.is_syntax
    assert found.value.program == ".a |"


def test_program_that_takes_its_time_holds_up_nobody_else(monkeypatch):
    failed = []
    monkeypatch.setattr(expressions, "_evaluators", team := expressions.Evaluators())

    def take_long():
        try:
            expressions.evaluate("last(range(1e12))", None, {}, seconds=4)
        except ExpressionFailed as error:
            failed.append(error.what)

    slow = threading.Thread(target=take_long)
    slow.start()
    try:
        assert wait_until(lambda: any(each._child for each in team._all), seconds=10)  # it has its child
        assert expressions.evaluate(". + 1", 1, {}) == 2
        assert not failed
    finally:
        slow.join(30)
        team.end()
    assert failed


def test_who_waits_for_too_many_others_is_told(monkeypatch):
    monkeypatch.setattr(expressions, "WAIT_SECONDS", 0.05)
    few = expressions.Evaluators(most=1)

    with few.one(), pytest.raises(expressions.ExpressionsBusy), few.one():
        pass
    with few.one() as evaluator:
        assert evaluator.ask(["1 + 1"], text='{"v": null, "a": {}}') == [2]
    few.end()
