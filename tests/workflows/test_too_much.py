"""More than can be taken: each has its error, and what comes after it goes well."""

import json
import time

import pytest

from apps.workflows import checks
from apps.workflows.models import Definition, Run, Step
from apps.workflows.types import MAX_DATA_BYTES, DefinitionRejected
from tests.workflows.factories import defined, document, ran, walked

pytestmark = pytest.mark.django_db
URL = "/api/v1/workflows/"
RUNS = "/api/v1/runs/"
MEGABYTES = "y" * 10_000_000
DO = [{"a": {"set": {"x": 1}}}]


def post(api, where, body):
    return api.post(where, json.dumps(body), content_type="application/json")


def test_ten_megabytes_of_input(api, actor, project):
    made = defined(actor, project, DO)

    answer = post(api, RUNS, {"workflow": str(made.pk), "input": {"x": MEGABYTES}})

    assert (answer.status_code, answer.json()["code"]) == (400, "data_too_large")
    assert not Run.objects.exists()


def test_ten_megabytes_of_a_document(api, project):
    big = document([{"a": {"set": {"x": MEGABYTES}}}])

    answer = post(api, URL, {"project": str(project.pk), "document": big})

    assert (answer.status_code, answer.json()["code"]) == (400, "definition_rejected")
    with pytest.raises(DefinitionRejected) as found:
        checks.check(big)
    assert [(each.field, each.code) for each in found.value.fields] == [("", "too_large")]
    assert not Definition.objects.exists()


@pytest.mark.parametrize(
    "bomb",
    ["last(range(1e12))", "[range(1e9)] | length", "def f: f; f", "[limit(1e9; repeat(1))]"],
)
def test_bomb_in_an_expression_of_a_run(actor, project, bomb):
    began = time.monotonic()

    run = ran(actor, project, [{"a": {"set": {"x": f"${{ {bomb} }}"}}}])

    assert (run.status, run.error["code"], run.error["instance"]) == ("failed", "expression_failed", "/do/0/a")
    assert time.monotonic() - began < 15
    assert ran(actor, project, DO, name="after").status == "completed"


def test_bomb_that_goes_off_while_jq_reads_it():
    """It works out what is constant at once."""
    with pytest.raises(DefinitionRejected) as found:
        checks.check(document([{"a": {"set": {"x": '${ "x" * 1e9 | length }'}}}]))

    assert [(each.field, each.code) for each in found.value.fields] == [("/do/0/a/set/x", "unknown_expression")]


def test_bomb_can_be_caught(actor, project):
    caught = {"errors": {"with": {"status": 400}}, "do": [{"b": {"set": {"went": "off"}}}]}
    do = [{"risk": {"try": [{"a": {"set": {"x": "${ last(range(1e12)) }"}}}], "catch": caught}}]

    assert ran(actor, project, do).output == {"went": "off"}


def test_what_grows_beyond_what_a_step_keeps(actor, project):
    double = {"set": {"x": "${ .x + .x }"}}
    do = [{"all": {"for": {"in": "${ [range(40)] }"}, "do": [{"double": double}]}}]

    run = ran(actor, project, do, {"x": "0123456789"})

    assert run.status == "failed"
    assert run.error["code"] in {"expression_failed", "data_too_large"}


@pytest.mark.parametrize(
    "grow",
    [
        {"d": {"set": {"a": "${ . }", "b": "${ . }"}}},
        {"d": {"fork": {"branches": [{"a": {"set": "${ . }"}}, {"b": {"set": "${ . }"}}]}}},
    ],
)
def test_what_says_the_same_thing_twice_each_time_ends(actor, project, grow):
    run = ran(
        actor, project, [{"all": {"for": {"each": "n", "in": "${ [range(40)] }"}, "do": [grow]}}], {"x": "0" * 99}
    )

    assert (run.status, run.error["code"] in {"expression_failed", "data_too_large"}) == ("failed", True)
    assert max(len(json.dumps(row.output)) for row in Step.objects.filter(run=run)) <= MAX_DATA_BYTES


@pytest.mark.parametrize(
    "loop",
    [
        [{"a": {"set": {"x": 1}, "then": "b"}}, {"b": {"set": {"x": 2}, "then": "a"}}],
        [{"a": {"for": {"in": "${ [range(100)] }"}, "do": [{"b": {"set": {"x": 1}}}], "then": "a"}}],
    ],
)
def test_loop_without_end(actor, project, monkeypatch, loop):
    monkeypatch.setattr("apps.workflows.engine.MAX_STEPS", 150)

    run = ran(actor, project, loop)

    assert (run.status, run.error["code"]) == ("failed", "too_many_steps")
    assert run.step_count <= 150
    assert walked(run).status == "failed"


def test_run_gives_no_more_than_a_step(actor, project):
    """Each step is small enough; what the document makes of the last one is not."""
    said = {"x": "y" * (MAX_DATA_BYTES * 2 // 3)}

    run = ran(actor, project, [{"a": {"set": "${ . }"}}], said, output={"as": "${ [., .] }"})

    assert (run.status, run.error["code"], run.output) == ("failed", "data_too_large", None)
