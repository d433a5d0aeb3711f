"""What a definition has to be, and where it says what is wrong."""

import json

import pytest

from apps.workflows import checks, documents
from apps.workflows.types import DefinitionRejected
from tests.workflows.factories import document, stage


def refused(given):
    with pytest.raises(DefinitionRejected) as found:
        checks.check(given)
    return [(each.field, each.code) for each in found.value.fields]


def test_published_schema_is_whole_and_of_this_version():
    published = checks.dsl()

    assert published["$id"] == "https://serverlessworkflow.io/schemas/1.0.3/workflow.json"
    assert len(published["$defs"]) == 47
    references = {part.split('"')[0] for part in json.dumps(published).split('"#/$defs/')[1:]}
    assert references - set(published["$defs"]) == set()


def test_every_kind_of_task_is_taken():
    given = document(
        [
            {"say": {"call": "ask", "with": {"question": "Who?"}}},
            {"all": {"do": [{"one": {"set": {"a": 1}}}]}},
            {"tell": {"emit": {"event": {"with": {"source": "https://example.org", "type": "a.b"}}}}},
            {"round": {"for": {"in": "${ .list }"}, "do": [{"one": {"set": {"a": 1}}}]}},
            {"apart": {"fork": {"branches": [{"one": {"set": {"a": 1}}}]}}},
            {"hear": {"listen": {"to": {"one": {"with": {"type": "a.b"}}}}}},
            {"stop": {"raise": {"error": {"type": "https://example.org/e", "status": 400}}}},
            {"inner": {"run": {"workflow": {"namespace": "tests", "name": "other", "version": "1.0.0"}}}},
            {"put": {"set": {"a": "${ .b }"}}},
            {"which": {"switch": [{"yes": {"when": "${ .a }", "then": "put"}}, {"no": {"then": "end"}}]}},
            {"risk": {"try": [{"one": {"set": {"a": 1}}}], "catch": {"do": [{"two": {"set": {"a": 2}}}]}}},
            {"rest": {"wait": {"seconds": 1}}},
        ]
    )

    assert checks.check(given) == given
    assert [task.kind for task in documents.walk(given) if "/" not in task.path] == [
        "call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("do", "field", "code"),
    [
        ([{"a": {"cal": "ask"}}], "/do/0/a", "unknown_kind"),
        ([{"a": {"set": {"x": 1}, "wait": {"seconds": 1}}}], "/do/0/a", "unknown_kind"),
        ([{"a": {"wait": {"secs": 1}}}], "/do/0/a/wait", "invalid"),
        ([{"a": {"call": "no.such"}}], "/do/0/a/call", "unknown_function"),
        ([{"a": {"call": "grpc", "with": {}}}], "/do/0/a/call", "not_runnable"),
        ([{"a": {"run": {"shell": {"command": "rm"}}}}], "/do/0/a/run/shell", "not_runnable"),
        ([{"a": {"run": {"script": {"language": "js", "code": "1"}}}}], "/do/0/a/run/script", "not_runnable"),
        ([{"a": {"run": {"container": {"image": "x"}}}}], "/do/0/a/run/container", "not_runnable"),
        ([{"a": {"set": {"x": 1}, "then": "z"}}], "/do/0/a/then", "unknown_task"),
        ([{"a": {"set": {"x": 1}}}, {"a": {"set": {"x": 1}}}], "/do/1/a", "twice"),
        ([{"a/b": {"set": {"x": 1}}}], "/do/0/a~1b", "name"),
        ([{"a": {"do": [{"b": {"wat": 1}}]}}], "/do/0/a/do/0/b", "unknown_kind"),
        ([{"a": {"do": [{"b": {"set": {"x": 1}, **stage("Inner")}}]}}], "/do/0/a/do/0/b/metadata/parlance/stage", "not_here"),
        ([{"a": {"set": {"x": 1}, **stage("A", requires=[{"recrods": 1}])}}], "/do/0/a/metadata/parlance/stage/requires/0", "invalid"),
        ([{"a": {"set": {"x": 1}, **stage("A", requires=[{"stage": "b"}])}}], "/do/0/a/metadata/parlance/stage/requires/0", "unknown_stage"),
        ([], "/do", "blank"),
    ],
)  # fmt: skip
def test_wrong_documents_say_where(do, field, code):
    assert (field, code) in refused(document(do))


ONCE = [{"a": {"set": {"x": 1}}}]
OUTSIDE = {"schema": {"resource": {"endpoint": {"uri": "https://example.org/schema.json"}}}}
SHAPE = {"schema": {"document": {"type": "object"}}}


def choose(options, **more):
    return [{"a": {"call": "choose", "with": {"question": "Which?", "options": options, **more}}}]


def hear(to, **more):
    return [{"a": {"listen": {"to": to}, **more}}]


@pytest.mark.parametrize(
    ("do", "more", "field", "code"),
    [
        (ONCE, {"input": OUTSIDE}, "/input/schema/resource", "not_runnable"),
        (ONCE, {"output": OUTSIDE}, "/output/schema/resource", "not_runnable"),
        ([{"a": {"set": {"x": 1}, "input": OUTSIDE}}], {}, "/do/0/a/input/schema/resource", "not_runnable"),
        ([{"a": {"set": {"x": 1}, "export": {**SHAPE, "as": "."}}}], {}, "/do/0/a/export/schema", "not_runnable"),
        (ONCE, {"timeout": "lunch"}, "/timeout", "unknown_name"),
        ([{"a": {"wait": "PT1H", "timeout": "lunch"}}], {}, "/do/0/a/timeout", "unknown_name"),
        ([{"a": {"try": ONCE, "catch": {"retry": "often"}}}], {}, "/do/0/a/catch/retry", "unknown_name"),
        ([{"a": {"raise": {"error": "gone"}}}], {}, "/do/0/a/raise/error", "unknown_name"),
        (
            hear({"one": {"with": {"type": "order.paid"}, "correlate": {"order": {"from": ".data.order"}}}}),
            {},
            "/do/0/a/listen/to/one/correlate",
            "not_runnable",
        ),
        (
            hear({"one": {"with": {"type": "a.b"}}}, foreach={"item": "x", "do": ONCE, "output": {"as": "."}}),
            {},
            "/do/0/a/foreach/output",
            "not_runnable",
        ),
        (hear({"one": {"with": {"type": "extraction.record_created"}}}), {}, "/do/0/a/listen/to/one/with/type", "unknown_event"),
        (hear({"any": [{"with": {"type": "workflows.run_advanced.v1"}}]}), {}, "/do/0/a/listen/to/any/0/with/type", "unknown_event"),
        (hear({"all": [{"with": {"type": "workflows.run_canceled"}}]}), {}, "/do/0/a/listen/to/all/0/with/type", "unknown_event"),
        (
            hear({"any": [], "until": {"one": {"with": {"type": "extraction.record_made"}}}}),
            {},
            "/do/0/a/listen/to/until/one/with/type",
            "unknown_event",
        ),
        (choose(["Yes"]), {}, "/do/0/a/with/options/0", "type"),
        (choose(["${ .first }", {"key": "no", "titel": "${ .no }", "title": "No"}]), {}, "/do/0/a/with/options/1/titel", "additional_properties"),
        ([{"a": {"call": "choose", "with": {"question": "${ .question }"}}}], {}, "/do/0/a/with/options", "required"),
        ([{"a": {"do": choose([], rule="${ .rule }")}}], {}, "/do/0/a/do/0/a/with/options", "min_items"),
        (
            [{"a": {"call": "wish", "with": {"question": "Which?"}}}],
            {"use": {"functions": {"wish": {"call": "choose", "with": {"options": [{"key": "a", "title": 5}]}}}}},
            "/use/functions/wish/with/options/0/title",
            "type",
        ),
        (
            [{"a": {"set": {"x": 1}, "metadata": {"parlance": {"compensate": [{"call": "notify", "with": {"text": 5}}]}}}}],
            {},
            "/do/0/a/metadata/parlance/compensate/0/with/text",
            "type",
        ),
    ],
)  # fmt: skip
def test_what_would_be_passed_over_is_refused(do, more, field, code):
    assert refused(document(do, **more)) == [(field, code)]


def test_option_that_is_a_word_is_told_what_options_have():
    with pytest.raises(DefinitionRejected) as found:
        checks.check(document(choose(["Yes"])))

    assert [each.detail for each in found.value.fields] == ["This should be a group of fields with: key, title."]


@pytest.mark.parametrize(
    ("do", "more"),
    [
        (choose("${ .options }", rule="${ .rule }", quorum="${ .quorum }"), {}),
        (choose(["${ .one }", {"key": "${ .key }", "title": "Yes", "category": "${ .category }"}]), {}),
        ([{"a": {"call": "http", "with": {"method": "${ .method }", "endpoint": {"uri": "${ .uri }"}}}}], {}),
        (choose([{"key": "a", "title": "A"}], quorum=".quorum"), {"evaluate": {"mode": "loose"}}),
    ],
)
def test_what_expressions_give_is_looked_at_when_they_run(do, more):
    given = document(do, **more)

    assert checks.check(given) == given


def test_names_that_are_defined_are_taken():
    use = {
        "timeouts": {"lunch": {"after": {"hours": 1}}},
        "retries": {"often": {"limit": {"attempt": {"count": 3}}}},
        "errors": {"gone": {"type": "https://example.org/gone", "status": 410}},
    }
    do = [
        {"rest": {"wait": "PT1M", "timeout": "lunch"}},
        {"risk": {"try": [{"no": {"raise": {"error": "gone"}}}], "catch": {"retry": "often"}}},
        {"hear": {"listen": {"to": {"any": [{"with": {"type": "workflow.advanced"}}, {"with": {"type": "my.own"}}]}}}},
    ]
    given = document(do, use=use, timeout="lunch")

    assert checks.check(given) == given


def test_another_version_of_the_language_is_refused():
    given = document([{"a": {"set": {"x": 1}}}])
    given["document"]["dsl"] = "0.8.0"

    assert refused(given) == [("/document/dsl", "unknown_version")]


def test_catalogs_are_refused():
    catalogs = {"shared": {"endpoint": {"uri": "https://example.org/catalog"}}}
    given = document([{"a": {"set": {"x": 1}}}], use={"catalogs": catalogs})

    assert refused(given) == [("/use/catalogs", "not_runnable")]


def test_too_large_and_too_deep_are_refused():
    deep = {"set": {"x": 1}}
    for _level in range(30):
        deep = {"do": [{"a": deep}]}

    assert refused(document([{"a": {"set": {"x": "y" * 300_000}}}])) == [("", "too_large")]
    assert "too_deep" in [code for _field, code in refused(document([{"a": deep}]))]
    assert ("/do", "too_many") in refused(document([{f"t{n}": {"set": {"x": 1}}} for n in range(501)]))


def test_program_that_jq_does_not_understand_is_refused():
    assert refused(document([{"a": {"set": {"x": "${ .a | }"}}}]))[0][1] == "unknown_expression"
    assert refused(document([{"a": {"set": {"x": 1}, "if": "nonsense("}}]))[0][1] == "unknown_expression"


@pytest.mark.parametrize("name", ["files.arrived", "agents.done", "core.alert", "order.paid"])
def test_what_documents_emit_may_begin_with_any_word(name):
    checks.check(document(hear({"one": {"with": {"type": name}}})))
