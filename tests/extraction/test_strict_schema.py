import pytest

from apps.extraction import coercion, schema, strict_schema
from apps.extraction.strict_schema import Dropped
from apps.llm.adapters.enforceable import is_enforceable

PERSON = {
    "type": "object",
    "title": "Person",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 80, "title": "Name", "description": "As on the card"},
        "age": {"type": "integer", "minimum": 0, "default": 3},
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
        "site": {"type": "string", "format": "uri"},
        "born": {"type": "string", "format": "date"},
        "mood": {"type": "string", "enum": ["glad", "sad"]},
        "none": {"type": ["string", "null"]},
        "either": {"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 3}]},
        "maybe": {"anyOf": [{"$ref": "#/$defs/address"}, {"type": "null"}]},
        "home": {"$ref": "#/$defs/address"},
        "both": {
            "allOf": [{"$ref": "#/$defs/address"}, {"type": "object", "properties": {"floor": {"type": "integer"}}}]
        },
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True},
        "free": {"type": "object"},
        "any": {},
        "brother": {"type": "string", "x-relation": "people"},
    },
    "required": ["name", "home"],
    "additionalProperties": False,
    "if": {"required": ["age"]},
    "then": {"required": ["born"]},
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}},
            "required": ["street"],
            "additionalProperties": False,
        }
    },
}
FOUND = schema.check(PERSON)
FULL = {
    "name": "S",
    "age": 3,
    "code": "A",
    "site": "https://x.de",
    "born": "2020-01-01",
    "mood": "sad",
    "none": None,
    "either": "x",
    "maybe": None,
    "home": {"street": "x"},
    "both": {"street": "x", "floor": 3},
    "tags": ["a", "b"],
    "free": '{"a": 1}',
    "any": "x",
    "brother": "Tom",
}
ALLOWED = {
    "openai": {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description", "pattern"),
        *("format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
    },
    "anthropic": {
        *(
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "enum",
            "anyOf",
            "description",
            "format",
            "minItems",
        ),
    },
}


def parts(node):
    yield node
    for each in node.get("properties", {}).values():
        yield from parts(each)
    if "items" in node:
        yield from parts(node["items"])
    for each in node.get("anyOf", []):
        yield from parts(each)


def assert_strict(found, kind):
    optional = unions = 0
    for each in parts(found):
        assert not each.keys() - ALLOWED[kind], each
        assert "type" in each or "anyOf" in each or "enum" in each
        if each.get("type") == "object":
            assert each["additionalProperties"] is False
            optional += len(each["properties"]) - len(each["required"])
        unions += "anyOf" in each or isinstance(each.get("type"), list)
    if kind == "openai":
        assert optional == 0
    else:
        assert optional <= 24
        assert unions <= 16
    schema.check(found)


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_the_subset_of_each_provider_is_kept_to(kind):
    found = strict_schema.for_provider(FOUND, kind)

    assert_strict(found.schema, kind)
    assert schema.check(found.schema).validate(FULL) == []
    assert list(found.schema["properties"]) == list(PERSON["properties"])


def test_what_is_dropped_is_told_by_field():
    openai = strict_schema.for_provider(FOUND, "openai").dropped
    anthropic = strict_schema.for_provider(FOUND, "anthropic").dropped

    assert set(openai) == {
        Dropped("", "if"),
        Dropped("", "then"),
        Dropped("/name", "minLength"),
        Dropped("/name", "maxLength"),
        Dropped("/site", "format"),
        Dropped("/either", "oneOf"),
        Dropped("/either", "maxLength"),
        Dropped("/tags", "uniqueItems"),
        Dropped("/free", "type"),
        Dropped("/any", "type"),
    }
    assert set(anthropic) - set(openai) == {
        Dropped("/age", "minimum"),
        Dropped("/code", "pattern"),
        Dropped("/tags", "minItems"),
    }
    assert set(openai) - set(anthropic) == {Dropped("/site", "format")}


def test_optional_fields_may_be_null_where_all_are_required():
    found = strict_schema.for_provider(FOUND, "openai").schema

    assert found["required"] == list(PERSON["properties"])
    assert found["properties"]["name"] == {"type": "string", "description": "Name: As on the card"}
    assert found["properties"]["age"] == {"type": ["integer", "null"], "minimum": 0}
    assert found["properties"]["mood"] == {"type": ["string", "null"], "enum": ["glad", "sad", None]}
    assert found["properties"]["tags"]["anyOf"][1] == {"type": "null"}
    assert found["properties"]["home"]["type"] == "object"
    assert found["properties"]["both"]["anyOf"][0]["required"] == ["floor", "street"]


def test_optional_fields_beyond_what_anthropic_takes_become_texts_that_are_read_back():
    many = schema.check({"type": "object", "properties": {f"n{n}": {"type": "integer"} for n in range(60)}})

    found = strict_schema.for_provider(many, "anthropic")

    assert_strict(found.schema, "anthropic")
    assert len([d for d in found.dropped if d.keyword == "type"]) == 60 - 24 - 16
    assert found.schema["properties"]["n59"] == {"type": "string"}
    fitted = coercion.fit({"n1": 4, "n58": "", "n59": "7"}, {"many": many})
    assert (fitted.entities[0].fields, fitted.unplaced) == ({"n1": 4, "n59": 7}, ())


def test_plain_keeps_all_but_our_own():
    found = strict_schema.for_provider(FOUND, "plain")

    assert found.dropped == ()
    assert found.schema["properties"]["name"] == PERSON["properties"]["name"]
    assert found.schema["properties"]["brother"] == {"type": "string"}
    assert found.schema["$defs"] == PERSON["$defs"]
    assert not [name for name in found.schema if name.startswith("x-")]


def test_levels_beyond_what_openai_takes_become_text():
    inner = {"type": "string"}
    for _ in range(10):
        inner = {"type": "object", "properties": {"a": inner}, "required": ["a"]}

    found = strict_schema.for_provider(schema.check(inner), "openai").schema

    depth = 0
    while "properties" in found:
        found, depth = found["properties"]["a"], depth + 1
    assert (found["type"], depth) == ("string", 9)


@pytest.mark.parametrize("kind", ["openai", "anthropic", "plain"])
def test_envelope_is_read_back_by_coercion(kind):
    places = schema.check(
        {"type": "object", "title": "Places", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
    )
    schemas = {"people": FOUND, "places": places}

    found = strict_schema.envelope(schemas, kind)

    if kind != "plain":
        assert_strict(found.schema, kind)
        assert Dropped("/people/name", "minLength") in found.dropped
    assert "brother" not in str(found.schema["properties"]["entities"])
    assert found.schema["properties"]["links"]["items"]["properties"]["field"]["enum"] == ["people.brother"]
    fields = {name: value for name, value in FULL.items() if name != "brother"}
    fields["free"] = {"a": 1} if kind == "plain" else fields["free"]
    fields["both"] = {"street": "x"} if kind == "plain" else fields["both"]
    fields["maybe"] = {"street": "y"} if kind == "plain" else None
    answer = {
        "entities": {
            "people": [{"id": "p1", "fields": fields}, {"id": "p2", "fields": fields | {"name": "T"}}],
            "places": [],
        },
        "links": [{"from": "p1", "field": "people.brother", "to": "p2"}],
    }
    assert schema.check(found.schema).validate(answer) == []
    fitted = coercion.fit(answer, schemas)
    assert [e.fields["name"] for e in fitted.entities] == ["S", "T"]
    assert [(link.from_id, link.field, link.to_id) for link in fitted.links] == [("p1", "/brother", "p2")]
    assert fitted.unplaced == ()


def test_envelope_without_relations_has_no_links():
    found = strict_schema.envelope(
        {"places": schema.check({"type": "object", "properties": {"city": {"type": "string"}}})}
    )

    assert list(found.schema["properties"]) == ["entities"]


def test_what_is_made_for_openai_is_enforced_word_by_word():
    assert is_enforceable(strict_schema.for_provider(FOUND, "openai").schema)
    assert is_enforceable(strict_schema.envelope({"people": FOUND}, "openai").schema)
    for other in (
        strict_schema.for_provider(FOUND, "plain").schema,
        strict_schema.for_provider(FOUND, "anthropic").schema,
    ):
        assert not is_enforceable(other)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": [1], "required": 3, "additionalProperties": False},
        {"type": "object", "properties": {"a": 1}, "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": {}}}, "required": [[]], "additionalProperties": False},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
        {
            "type": "object",
            "properties": {"a": {"type": "string", "minLength": 1}},
            "required": ["a"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"a": {"type": "string", "format": "uri"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    ],
)
def test_what_openai_would_refuse_is_not_asked_of_it(document):
    assert not is_enforceable(document)
