import json
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.extraction import coercion, containers, readings, repair, schema
from apps.extraction.coercion import Unplaced
from apps.extraction.schema import Field

PEOPLE = schema.check(
    {
        "type": "object",
        "title": "Person",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer", "title": "Age in years"},
            "height": {"type": "number", "x-aliases": ["size"]},
            "member": {"type": "boolean"},
            "born": {"type": "string", "format": "date"},
            "mood": {"type": "string", "enum": ["Glad", "Sad", "So-so"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "home": {"type": "object", "properties": {"street": {"type": "string"}, "number": {"type": "integer"}}},
            "pets": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
            },
            "brother": {"type": "string", "x-relation": "people"},
            "lives_in": {"type": "array", "items": {"type": "string"}, "x-relation": "places"},
            "extra": {},
        },
    }
)
PLACES = schema.check(
    {"type": "object", "properties": {"place_name": {"type": "string"}, "country": {"type": "string"}}}
)
BOTH = {"people": PEOPLE, "places": PLACES}
ONE = {"people": PEOPLE}
SARAH = {"name": "Sarah", "age": 28}


def fields(value, schemas=ONE, **options):
    return [(e.collection, e.fields) for e in coercion.fit(value, schemas, **options).entities]


def left(found):
    return [(u.pointer, u.value, u.reason) for u in found.unplaced]


@pytest.mark.parametrize(
    "value",
    [
        {"entities": [{"collection": "people", "id": "p1", "fields": SARAH}], "links": []},
        {"entities": {"people": [{"id": "p1", "fields": SARAH}]}, "links": []},
        {"entities": {"people": [{"id": "p1", **SARAH}]}},
        {"people": [SARAH]},
        {"people": SARAH},
        {"Person": SARAH},
        {"person": [SARAH]},
        [SARAH],
        SARAH,
        [[SARAH]],
        {"result": SARAH},
        {"data": [SARAH]},
        {"response": {"people": [SARAH]}},
        json.dumps(SARAH),
        {"people": json.dumps([SARAH])},
        {"collection": "people", "fields": [{"name": "name", "value": "Sarah"}, {"name": "age", "value": 28}]},
        {"type": "Person", **SARAH},
        {"people": {"Sarah": {"age": 28}}},
        {"people": {"0": SARAH}},
        {"Name": "Sarah", "AGE": "28"},
        {"name": ["Sarah"], "age": {"value": 28}},
        {"Age in years": " 28 ", "name": "Sarah"},
    ],
    ids=str,
)
def test_any_container_gives_the_entity(value):
    found = coercion.fit(value, ONE)

    assert [(e.collection, e.fields) for e in found.entities if e.fields != {"name": "0"}] == [("people", SARAH)]
    assert left(found) == []


def test_several_collections_and_the_links_among_them():
    found = coercion.fit(
        {
            "entities": [
                {"collection": "people", "id": "p1", "fields": {"name": "Sarah Keller", "brother": "Tomás"}},
                {"collection": "people", "id": "p2", "fields": {"name": "Tomas Keller"}},
                {"collection": "places", "id": "x1", "fields": {"place_name": "Lisbon"}},
            ],
            "links": [
                {"from": "p1", "field": "lives_in", "to": "x1"},
                {"from": "p2", "field": "lives in", "to": "Porto"},
                {"from": "p2", "field": "brother", "to": "p1"},
                {"from": "p1", "field": "brother", "to": "p2"},
                {"from": "p9", "field": "brother", "to": "p1"},
                {"from": "p1", "field": "hates", "to": "p2"},
            ],
        },
        BOTH,
    )

    assert [(link.from_id, link.field, link.to_collection, link.to_id, link.mention) for link in found.links] == [
        ("p1", "/brother", "people", "p2", "Tomás"),
        ("p1", "/lives_in", "places", "x1", "x1"),
        ("p2", "/lives_in", "places", "", "Porto"),
        ("p2", "/brother", "people", "p1", "p1"),
    ]
    assert [(value, reason) for _place, value, reason in left(found)] == [
        *(("p9", "unlinked"), ("brother", "unlinked"), ("p1", "unlinked")),
        *(("p1", "unlinked"), ("hates", "unlinked"), ("p2", "unlinked")),
    ]


def test_a_relation_told_as_an_object_is_an_entity_of_its_own():
    found = coercion.fit({"name": "Sarah", "lives_in": [{"place_name": "Lisbon", "country": "PT"}, "Porto"]}, BOTH)

    assert [(e.collection, e.fields) for e in found.entities] == [
        ("people", {"name": "Sarah"}),
        ("places", {"place_name": "Lisbon", "country": "PT"}),
    ]
    assert [(link.to_id, link.mention) for link in found.links] == [("#2", "#2"), ("", "Porto")]


def test_names_that_two_have_link_to_nobody():
    found = coercion.fit(
        [{"name": "Ana", "brother": "Rui"}, {"name": "Rui A"}, {"name": "Rui B"}],
        ONE,
    )

    assert [(link.to_id, link.mention) for link in found.links] == [("", "Rui")]


def test_ids_are_unique_and_given_where_there_are_none():
    found = coercion.fit(
        [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}, {"name": "C"}, {"id": 7, "name": "D"}], ONE
    )

    assert [e.id for e in found.entities] == ["a", "a#2", "#3", "7"]


def test_nested_objects_and_lists_keep_their_places():
    found = coercion.fit(
        {
            "name": "Sarah",
            "home": {"Street": "Rua A", "number": "12", "floor": 3},
            "pets": [{"name": "Rex", "age": "two"}, {"age": "old"}, {"name": "Tom"}],
            "tags": "calm",
        },
        ONE,
    )

    assert found.entities[0].fields == {
        "name": "Sarah",
        "home": {"street": "Rua A", "number": 12},
        "pets": [{"name": "Rex", "age": 2}, {"name": "Tom"}],
        "tags": ["calm"],
    }
    assert [(p.pointer, p.source, p.raw) for p in found.entities[0].placed] == [
        ("/name", "/name", "Sarah"),
        ("/home/street", "/home/Street", "Rua A"),
        ("/home/number", "/home/number", "12"),
        ("/pets/0/name", "/pets/0/name", "Rex"),
        ("/pets/0/age", "/pets/0/age", "two"),
        ("/pets/1/name", "/pets/2/name", "Tom"),
        ("/tags/0", "/tags", "calm"),
    ]
    assert left(found) == [("/home/floor", 3, "no_such_field"), ("/pets/1/age", "old", "does_not_fit")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "S", "shoe": 38}, [("/shoe", 38, "no_such_field")]),
        ({"name": "S", "age": "quite old"}, [("/age", "quite old", "does_not_fit")]),
        ({"name": "S", "age": "25-30"}, [("/age", "25-30", "ambiguous")]),
        ({"name": "S", "age": 28.5}, [("/age", 28.5, "does_not_fit")]),
        ({"name": "S", "age": "unknown"}, [("/age", "unknown", "no_value")]),
        ({"name": "S", "mood": "grim"}, [("/mood", "grim", "does_not_fit")]),
        ({"name": "S", "Name": "T"}, [("/Name", "T", "twice")]),
        ({"name": "S", "age": [1, 2]}, [("/age/0", 1, "several"), ("/age/1", 2, "several")]),
        ({"name": "S", "height": "1.80 m"}, [("/height", "m", "rest")]),
        ({"name": "S", "born": "03/04/1990"}, [("/born", "03/04/1990", "ambiguous")]),
        ({"name": "S", "born": "in spring"}, [("/born", "in spring", "does_not_fit")]),
        ({"name": "S", "home": "Rua A"}, [("/home", "Rua A", "does_not_fit")]),
        ({"weather": "mild"}, [("/weather", "mild", "no_collection")]),
        ({"name": "S", "member": "perhaps"}, [("/member", "perhaps", "does_not_fit")]),
        (["x", 3], [("/0", "x", "no_collection"), ("/1", 3, "no_collection")]),
        ({"name": "S", "age": None, "mood": "", "tags": [" "]}, []),
    ],
)
def test_what_fits_nowhere_is_unplaced_with_its_reason(value, expected):
    found = coercion.fit(value, ONE)

    assert sorted(left(found)) == sorted(expected)


def test_aliases_of_a_project_lead_to_fields():
    given = {"call sign": "Sarah", "size": 1.7, "rua": "Rua A"}

    found = coercion.fit(
        [{"name": "x"}, given], ONE, {"people": {"call sign": "name", "rua": "/extra", "none": "/nothing"}}
    )

    assert found.entities[1].fields == {"name": "Sarah", "height": 1.7, "extra": "Rua A"}


def test_lost_things_of_the_repair_are_unplaced():
    read = repair.read('{"name": "Sarah", "name": "Sally"}')

    assert coercion.fit(read.value, ONE, lost=read.lost).unplaced == (
        Unplaced("", "Sally", "duplicate_keys", "", "name"),
    )


@pytest.mark.parametrize(
    ("raw", "kind", "options", "value", "rest"),
    [
        ("29", "integer", {}, 29, ""),
        (" 29 ", "integer", {}, 29, ""),
        (29.0, "integer", {}, 29, ""),
        ("29 years old", "integer", {}, 29, ""),
        ("etwa 30 Jahre", "integer", {}, 30, ""),
        ("twenty-eight", "integer", {}, 28, ""),
        ("achtundzwanzig Jahre alt", "integer", {}, 28, ""),
        ("1,234", "integer", {}, 1234, ""),
        ("1.234", "integer", {}, 1234, ""),
        ("1.234", "number", {}, 1.234, ""),
        ("1.234,5", "number", {}, 1234.5, ""),
        ("5k", "integer", {}, 5000, ""),
        ("5,000 EUR", "number", {}, 5000, "EUR"),
        ("€ 5.5", "number", {}, 5.5, "€"),
        ("-3", "integer", {}, -3, ""),
        ("1e3", "number", {}, 1000, ""),
        ("yes", "boolean", {}, True, ""),
        ("Nein", "boolean", {}, False, ""),
        (0, "boolean", {}, False, ""),
        (29, "string", {}, "29", ""),
        (True, "string", {}, "true", ""),
        ("  x ", "string", {}, "x", ""),
        ("mailto:a@b.de", "string", {"format": "email"}, "a@b.de", ""),
        ("12 March 1990", "string", {"format": "date"}, "1990-03-12", ""),
        ("12.3.1990", "string", {"format": "date"}, "1990-03-12", ""),
        ("1990-03-12T00:00:00Z", "string", {"format": "date"}, "1990-03-12", ""),
        ("so so", "string", {"enum": ("Glad", "So-so")}, "So-so", ""),
        ("glad", "string", {"enum": ("Glad", "So-so")}, "Glad", ""),
        ("2", "any", {"enum": (1, 2)}, 2, ""),
        ("none", "string", {"enum": ("none", "some")}, "none", ""),
    ],
)
def test_readings_are_the_same_scalar_as_the_type_has_it(raw, kind, options, value, rest):
    found = readings.read(raw, Field("/x", "x", "X", kind, **options))

    assert found == readings.Reading(value, rest)
    assert type(found.value) is type(value)


def test_scalars_that_no_store_takes_are_refused():
    for raw in ("1e999", "9" * 100, "1" + "0" * 400):
        assert isinstance(readings.read(raw, Field("/x", "x", "X", "integer")), readings.Refused)


WORD = st.text(st.sampled_from("abcxyzäÖ 0123456789.,-/'[]{}"), max_size=10)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-100, 100_000),
    st.floats(-1000, 1000, allow_nan=False).map(lambda number: round(number, 2)),
    WORD,
    st.sampled_from(
        [
            "29",
            "twenty-eight",
            "unknown",
            "Glad",
            "yes",
            "1990-03-12",
            "3/4/1990",
            "5,000 EUR",
            "28 years",
            "p1",
            "people",
        ]
    ),
)
KEY = st.one_of(
    st.sampled_from(
        [
            "name",
            "Age in years",
            "AGE",
            "height",
            "size",
            "member",
            "born",
            "mood",
            "tags",
            "home",
            "street",
            "number",
            "pets",
            "brother",
            "lives_in",
            "extra",
            "place_name",
            "id",
            "collection",
            "type",
            "fields",
            "data",
            "entities",
            "links",
            "people",
            "Person",
            "places",
            "from",
            "field",
            "to",
            "value",
            "0",
            "1",
            "a/b~c",
        ]
    ),
    st.text("abc", min_size=1, max_size=3),
)
ANSWER = st.recursive(
    SCALAR, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEY, inner, max_size=6)), max_leaves=30
)


def accounted(found):
    placed = [(p.source, p.raw) for entity in found.entities for p in entity.placed]
    left_over = [(u.pointer, u.value) for u in found.unplaced if u.reason != "rest"]
    return [*placed, *found.structure, *left_over]


def inside(value, pointer):
    for step in pointer.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step.replace("~1", "/").replace("~0", "~")]
    return value


@given(ANSWER)
def test_every_scalar_of_an_answer_ends_in_exactly_one_place(answer):
    found = coercion.fit(answer, BOTH)

    said = Counter((place, repr(value)) for place, value in containers.scalars(answer))
    assert Counter((place, repr(value)) for place, value in accounted(found)) == said
    for entity in found.entities:
        places = [each.pointer for each in entity.placed]
        assert len(set(places)) == len(places)
        for each in entity.placed:
            assert inside(entity.fields, each.pointer) == each.value
        problems = BOTH[entity.collection].validate(entity.fields)
        assert not [p for p in problems if p.code in {"type", "enum", "additional_properties"}], problems


@given(ANSWER)
def test_through_the_text_of_an_answer_nothing_is_lost_either(answer):
    read = repair.read("Here:\n```json\n" + json.dumps({"answer": answer}, ensure_ascii=False) + "\n```")

    found = coercion.fit(read.value, BOTH, lost=read.lost)

    said = Counter(repr(value) for _place, value in containers.scalars(answer))
    assert Counter(repr(value) for _place, value in accounted(found)) == said


@pytest.mark.parametrize(
    "value",
    [
        list(range(90_000)),
        [SARAH] * 20_000,
        {"tags": [str(n) for n in range(90_000)]},
        {
            "entities": [
                {"collection": "people", "fields": {"name": f"n{n}", "brother": f"n{n + 1}"}} for n in range(15_000)
            ]
        },
        {f"k{n}": n for n in range(40_000)},
        [list(range(1_000_000))],
        ["x" * 10_000_000],
    ],
    ids=["scalars", "entities", "one list", "links", "keys", "million", "10 MB"],
)
def test_large_answers_cost_what_they_are_long(value):
    spent = time.process_time()
    found = coercion.fit(value, BOTH)

    assert time.process_time() - spent < 8.0
    assert found.entities or found.unplaced


def test_collection_with_a_field_of_anothers_name_is_no_group_of_it():
    things = {
        "name": {"type": "string"},
        "people": {"type": "array", "items": {"type": "string"}, "x-relation": "people"},
    }
    links = {"kind": {"type": "string"}, "one": {"type": "string", "x-relation": "people"}}
    schemas = {
        **ONE,
        "things": schema.check({"type": "object", "properties": things}),
        "relationships": schema.check({"type": "object", "properties": links}),
    }
    said = {
        "people": [{"id": "p1", "fields": SARAH}],
        "things": [{"id": "t1", "fields": {"name": "Boat", "people": ["p1"]}}],
        "relationships": [{"id": "r1", "fields": {"kind": "family", "one": "p1"}}],
    }

    found = coercion.fit({"entities": said, "links": []}, schemas)

    assert [(e.collection, e.id) for e in found.entities] == [
        ("people", "p1"),
        ("things", "t1"),
        ("relationships", "r1"),
    ]
    assert {(link.from_id, link.field, link.to_id) for link in found.links} == {
        ("t1", "/people", "p1"),
        ("r1", "/one", "p1"),
    }
    assert left(found) == []
    assert fields({"name": "Boat", "people": ["Sarah"]}, schemas)[0][0] == "things"
