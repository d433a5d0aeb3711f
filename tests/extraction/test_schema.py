import time

import pytest

from apps.core.errors import FieldError
from apps.extraction import schema
from apps.extraction.schema import RelationTo
from apps.extraction.types import SchemaRejected

PERSON = {
    "type": "object",
    "title": "Person",
    "properties": {
        "name": {"type": "string", "minLength": 1, "x-aliases": ["full name"]},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150},
        "born": {"type": "string", "format": "date"},
        "mood": {"enum": ["glad", "sad"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
        "brother": {"type": "string", "x-relation": "people"},
        "friends": {"type": "array", "items": {"type": "string"}, "x-relation": {"collection": "people"}},
        "home": {"$ref": "#/$defs/address"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/child"}},
    },
    "required": ["name", "home"],
    "additionalProperties": False,
    "$defs": {
        "address": {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]},
        "child": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}


def of(**properties):
    return {"type": "object", "properties": properties}


def problems(document):
    with pytest.raises(SchemaRejected) as refused:
        schema.check(document)
    assert refused.value.code == "schema_rejected"
    return [(each.field, each.code) for each in refused.value.fields]


def cpu(function, *args):
    before = time.process_time()
    function(*args)
    return time.process_time() - before


def test_fields_are_named_typed_and_found_through_references():
    found = schema.check(PERSON)

    assert [(f.pointer, f.type, f.is_list, f.required) for f in found.fields] == [
        ("/name", "string", False, True),
        ("/age", "integer", False, False),
        ("/born", "string", False, False),
        ("/mood", "string", False, False),
        ("/tags", "string", True, False),
        ("/brother", "string", False, False),
        ("/friends", "string", True, False),
        ("/home", "object", False, True),
        ("/home/street", "string", False, True),
        ("/children", "object", True, False),
        ("/children/*/name", "string", False, False),
    ]
    assert found.by_pointer["/name"].aliases == ("full name",)
    assert found.by_pointer["/age"].is_nullable
    assert found.by_pointer["/born"].format == "date"
    assert found.by_pointer["/mood"].enum == ("glad", "sad")
    assert found.by_pointer["/brother"].relation == RelationTo("people", many=False)
    assert found.by_pointer["/friends"].relation == RelationTo("people", many=True)
    assert found.field_at("/children/3/name").pointer == "/children/*/name"
    assert found.field_at("/tags/1").pointer == "/tags"
    assert found.field_at("/nothing") is None
    assert [f.name for f in found.top][-2:] == ["home", "children"]


def test_fields_of_alternatives_and_of_parts_put_together():
    found = schema.check(
        of(
            maybe={"anyOf": [{"type": "integer"}, {"type": "null"}]},
            either={"oneOf": [{"type": "integer"}, {"type": "string"}]},
            size={"oneOf": [{"const": "small"}, {"const": "large"}]},
            both={"allOf": [of(a={"type": "string"}), of(b={"type": "number"})]},
        )
    )

    assert [(f.pointer, f.type, f.is_nullable) for f in found.fields] == [
        ("/maybe", "integer", True),
        ("/either", "any", False),
        ("/size", "string", False),
        ("/both", "object", False),
        ("/both/a", "string", False),
        ("/both/b", "number", False),
    ]
    assert found.by_pointer["/size"].enum == ("small", "large")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "S", "home": {"street": "x"}}, []),
        ({"home": {}}, [("/name", "required"), ("/home/street", "required")]),
        ({"name": "", "home": {"street": "x"}}, [("/name", "min_length")]),
        ({"name": "S", "home": {"street": "x"}, "age": "29"}, [("/age", "type")]),
        ({"name": "S", "home": {"street": "x"}, "age": 151}, [("/age", "maximum")]),
        ({"name": "S", "home": {"street": "x"}, "born": "2025-02-30"}, [("/born", "format")]),
        ({"name": "S", "home": {"street": "x"}, "mood": "so so"}, [("/mood", "enum")]),
        ({"name": "S", "home": {"street": "x"}, "tags": ["a", "a"]}, [("/tags", "unique_items")]),
        ({"name": "S", "home": {"street": "x"}, "tags": ["a", "b", "c"]}, [("/tags", "max_items")]),
        ({"name": "S", "home": {"street": "x"}, "a/b": 1}, [("/a~1b", "additional_properties")]),
        ({"name": "S", "home": {"street": "x"}, "children": [{"name": "a"}, {}]}, [("/children/1/name", "required")]),
        ([], [("", "type")]),
        ({"name": float("nan")}, [("", "not_json")]),
        ({"name": "a\0b"}, [("", "not_text")]),
        ({"name": "\ud800"}, [("", "not_text")]),
        ({1: 2}, [("", "not_json")]),
        ({"name": {1, 2}}, [("", "not_json")]),
        ({"age": 10**30}, [("", "not_json")]),
    ],
)
def test_validate_names_the_place_and_the_reason(value, expected):
    found = schema.check(PERSON).validate(value)

    assert sorted((each.field, each.code) for each in found) == sorted(expected)
    assert schema.check(PERSON).is_valid(value) is (not expected)


def test_validate_speaks_to_people():
    assert schema.check(PERSON).validate({"name": "S", "home": {"street": "x"}, "age": "old"}) == [
        FieldError("/age", "type", "This should be a whole number or empty.")
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], [("", "type")]),
        (None, [("", "type")]),
        ({}, [("/type", "root_type")]),
        ({"type": ["object", "null"]}, [("/type", "root_type")]),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, [("/$schema", "dialect")]),
        ({"type": "object", "definitions": {}}, [("/definitions", "keyword")]),
        ({"type": "object", "$dynamicAnchor": "x"}, [("/$dynamicAnchor", "keyword")]),
        (of(a={"$id": "http://x/"}), [("/properties/a/$id", "keyword")]),
        (of(a={"type": "strin"}), [("/properties/a/type", "invalid")]),
        (
            of(a={"minLength": -1}, b={"required": "a"}),
            [("/properties/a/minLength", "invalid"), ("/properties/b/required", "invalid")],
        ),
        (of(a={"$ref": "http://127.0.0.1/x"}), [("/properties/a/$ref", "reference")]),
        (of(a={"$ref": "file:///etc/passwd"}), [("/properties/a/$ref", "reference")]),
        (of(a={"$ref": "#/$defs/nothing"}), [("/properties/a/$ref", "reference")]),
        (of(a={"$ref": "#"}), [("/properties/a/$ref", "reference")]),
        (of(a={"$ref": "#/properties/a"}), [("/properties/a/$ref", "reference")]),
        (of(a={"pattern": "(?=a)b"}), [("/properties/a/pattern", "pattern")]),
        (of(a={"pattern": r"(a)\1"}), [("/properties/a/pattern", "pattern")]),
        (of(a={"patternProperties": {"(?!x)": {}}}), [("/properties/a/patternProperties/(?!x)", "pattern")]),
        (of(a={"pattern": "x" * 501}), [("/properties/a/pattern", "too_large")]),
        (of(a={"type": "string", "x-relation": "No Slug"}), [("/properties/a/x-relation", "relation")]),
        (of(a={"type": "integer", "x-relation": "people"}), [("/properties/a/type", "relation")]),
        (of(a={"x-aliases": "one"}), [("/properties/a/x-aliases", "type")]),
        (of(a={"x-was": 3}), [("/properties/a/x-was", "type")]),
        (of(a={"default": "\0"}), [("", "not_text")]),
        (of(a={"default": float("inf")}), [("", "not_json")]),
        (of(**{f"p{n}": {} for n in range(201)}), [("", "too_many_properties")]),
    ],
)
def test_check_says_what_is_wrong_where(document, expected):
    assert problems(document) == expected


def test_check_takes_a_schema_as_tools_write_it():
    written = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/person", **PERSON}

    assert schema.check(written).is_valid({"name": "S", "home": {"street": "x"}})


def test_check_keeps_order_and_digest_through_a_store_that_sorts():
    found = schema.check(of(zebra={}, ape={}, cow={}))
    stored = {key: found.document[key] for key in sorted(found.document)}
    stored["properties"] = {key: found.document["properties"][key] for key in ("ape", "cow", "zebra")}

    again = schema.check(stored)

    assert again is found
    assert [f.name for f in schema.check(stored | {"title": "T"}).fields] == ["zebra", "ape", "cow"]
    assert schema.check(of(ape={}, zebra={}, cow={})) != found


def test_check_leaves_the_given_document_alone():
    given = of(a={}, b={})

    found = schema.check(given)
    given["properties"]["c"] = {}

    assert given == of(a={}, b={}, c={})
    assert [f.name for f in found.fields] == ["a", "b"]


@pytest.mark.parametrize(
    "defs",
    [
        {"a": {"$ref": "#/$defs/a"}},
        {"a": {"properties": {"x": {"$ref": "#/$defs/b"}}}, "b": {"items": {"$ref": "#/$defs/a"}}},
        {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}},
        {f"n{n}": {"$ref": f"#/$defs/n{(n + 1) % 900}"} for n in range(900)},
    ],
)
def test_references_in_a_loop_are_refused(defs):
    assert [code for _place, code in problems({"type": "object", "$defs": defs})] == ["loop"]


def test_references_that_double_are_counted_and_not_unfolded():
    doubling = {f"d{n}": of(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"}) for n in range(11)}
    document = {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {**doubling, "d11": {}}}

    spent = cpu(lambda: problems(document))

    assert ("", "too_many_properties") in problems(document)
    assert spent < 0.5


def test_alternatives_that_double_are_refused():
    doubling = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}

    assert problems(
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {**doubling, "d40": {}}}
    ) == [("", "too_large")]


def deep(levels, wrap):
    found = {}
    for _ in range(levels):
        found = wrap(found)
    return {"type": "object", "properties": {"a": found}}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (deep(12, lambda inner: of(a=inner)), "too_deep"),
        (deep(12, lambda inner: {"items": inner}), "too_deep"),
        (deep(50_000, lambda inner: {"items": inner}), "too_deep"),
        (deep(50_000, lambda inner: {"not": inner}), "too_deep"),
        (of(a={"description": "x" * 10_000_000}), "too_large"),
        (of(a={"enum": [str(n) for n in range(100_000)]}), "too_large"),
        (of(a={"const": list(range(1_000_000))}), "too_large"),
        (of(**{f"p{n}": {"description": "x" * 1000} for n in range(150)}, q={"enum": ["ä" * 60_000]}), "too_large"),
        (of(**{f"p{n}": {"pattern": "(a{30}){30}"} for n in range(150)}), "too_many_patterns"),
    ],
    ids=["objects", "lists", "very deep", "deep not", "10 MB", "choices", "million", "bytes", "patterns"],
)
def test_bombs_are_refused_at_bounded_cost(document, code):
    spent = cpu(lambda: problems(document))

    assert [each for _place, each in problems(document)] == [code]
    assert spent < 1.0


def test_eleven_levels_are_taken():
    assert schema.check(deep(10, lambda inner: of(a=inner))).validate({}) == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)*x$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"])
def test_catastrophic_patterns_match_in_linear_time(pattern):
    found = schema.check(of(a={"type": "string", "pattern": pattern}))

    spent = cpu(found.validate, {"a": "a" * 200_000 + "!", "b": "x" * 1000})

    assert spent < 2.0


@pytest.mark.parametrize("pattern", ["(a{1000}){1000}", "((((a{50}){50}){50}){50})", r"(\p{L}{100}){100}"])
def test_patterns_that_unfold_are_refused_at_bounded_cost(pattern):
    spent = cpu(lambda: problems(of(a={"pattern": pattern})))

    assert spent < 1.0


def test_names_in_any_script_have_a_pattern():
    found = schema.check(of(a={"pattern": r"^[\p{L} '-]{1,60}$"}))

    assert found.is_valid({"a": "Tomás Ødegård"})
    assert not found.is_valid({"a": "R2"})


def test_large_values_cost_little_and_are_refused():
    found = schema.check(of(a={"type": "array", "uniqueItems": True}))
    deep_value = []
    for _ in range(100_000):
        deep_value = [deep_value]

    for value, code in [
        (list(range(1_000_000)), "too_large"),
        (["x" * 9_000_000], "too_large"),
        (deep_value, "too_deep"),
    ]:
        assert cpu(found.validate, {"a": value}) < 1.0
        assert [each.code for each in found.validate({"a": value})] == [code]


def test_errors_are_at_most_a_hundred():
    found = schema.check(of(a={"type": "array", "items": {"type": "string"}}))

    assert len(found.validate({"a": list(range(50_000))})) == 100
    assert len(schema.check(of() | {"additionalProperties": False}).validate({str(n): n for n in range(500)})) == 100


@pytest.mark.parametrize(
    ("name", "title"),
    [("firstName", "First name"), ("first_name", "First name"), ("URL", "URL"), ("größe", "Größe"), ("a-b", "A b")],
)
def test_names_are_spoken(name, title):
    assert schema.title_of(name) == title
