import json
import time

import pytest

from apps.extraction import coercion, grounding, repair, schema, strict_schema
from apps.llm.adapters import demo_answers, demo_reading, demo_rules
from apps.llm.types import NeutralMessage, Role

NULLABLE = {"type": ["string", "null"]}
CHARACTERS = schema.check(
    {
        "type": "object",
        "title": "Characters",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "occupation": {"type": "string"},
            "born": {"type": "string", "format": "date"},
            "email": {"type": "string", "format": "email"},
            "mood": {"type": "string", "enum": ["stubborn", "calm"]},
            "background": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "is_lead": {"type": "boolean"},
            "brother": {"type": "string", "x-relation": "characters"},
            "family": {"type": "array", "items": {"type": "string"}, "x-relation": "characters"},
            "lives_in": {"type": "string", "x-relation": "locations"},
        },
        "required": ["name", "age"],
    }
)
LOCATIONS = schema.check(
    {"type": "object", "properties": {"name": {"type": "string"}, "description": {"type": "string"}}}
)
EXPENSES = schema.check(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "amount": {"type": "number"},
            "currency": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "seats": {"type": "integer"},
        },
    }
)
FILM = {"characters": CHARACTERS, "locations": LOCATIONS}
SARAH = "Sarah, a 28-year-old journalist investigating corruption in the port of Lisbon, and her brother Tomás"


def extracted(text, schemas, kind="openai"):
    wanted = strict_schema.envelope(schemas, kind).schema
    raw = json.dumps(demo_answers.extracted([NeutralMessage.of_text(Role.USER, text)], wanted), ensure_ascii=False)
    read = repair.read(raw)
    assert read.steps == ()
    return coercion.fit(read.value, schemas, lost=read.lost)


def told(found, *names):
    return [tuple(e.fields.get(name) for name in names) for e in found.entities if e.collection == "characters"]


@pytest.mark.parametrize("kind", ["openai", "anthropic", "plain"])
def test_the_walk_gives_two_linked_characters_and_one_question(kind):
    found = extracted(SARAH, FILM, kind)

    assert told(found, "name", "age", "occupation") == [("Sarah", 28, "journalist"), ("Tomás", None, None)]
    assert [e.fields["name"] for e in found.entities if e.collection == "locations"] == ["Lisbon"]
    assert [(link.from_id, link.field, link.to_id) for link in found.links] == [
        ("characters-1", "/brother", "characters-2"),
        ("characters-2", "/family", "characters-1"),
    ]
    assert found.unplaced == ()
    missing = [e.field for e in CHARACTERS.validate(found.entities[1].fields)]
    assert missing == ["/age"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Sarah Keller is a twenty-eight-year-old investigative journalist from Lisbon. Her brother Tomás, 31, is a taxi driver.",
            [("Sarah Keller", 28, "investigative journalist"), ("Tomás", 31, "taxi driver")],
        ),
        (
            "Sarah, eine 28-jährige Journalistin, sucht in Lissabon. Ihr Bruder Tomás ist einunddreißig und Taxifahrer in Porto.",
            [("Sarah", 28, "Journalistin"), ("Tomás", 31, "Taxifahrer")],
        ),
        ("John Smith, 45, is a retired police officer.", [("John Smith", 45, "retired police officer")]),
        ("Wolfgang Amadeus ist 35 Jahre alt und Komponist.", [("Wolfgang Amadeus", 35, "Komponist")]),
        ("My name is Zelda. I am a nurse.", [("Zelda", None, None)]),
        ("Dr. Nguyen, an astute surgeon, met Ms. Okafor.", [("Nguyen", None, "surgeon"), ("Okafor", None, None)]),
        (
            "Maria von Trapp (34) and José da Silva (51) are singers.",
            [("Maria von Trapp", 34, None), ("José da Silva", 51, None)],
        ),
        ("Emma is here. Emma Stone is 30. Emma left.", [("Emma Stone", 30, None)]),
        ("The port of Lisbon is old. Der Hafen ist schön. Monday was cold.", []),
        ("", []),
    ],
)
def test_people_are_found_in_english_and_german(text, expected):
    assert told(extracted(text, FILM), "name", "age", "occupation") == expected


def test_what_is_found_stands_in_the_text():
    text = "Anna Schmidt (34), Lehrerin aus Köln, geboren am 12.3.1990, anna@example.org. Sie ist stubborn."

    found = extracted(text, FILM)

    person = found.entities[0]
    assert person.fields == {
        "name": "Anna Schmidt",
        "age": 34,
        "occupation": "Lehrerin",
        "born": "1990-03-12",
        "email": "anna@example.org",
        "mood": "stubborn",
        "background": "Anna Schmidt (34), Lehrerin aus Köln, geboren am 12.3.1990, anna@example.org.",
    }
    known = grounding.Text(text, language="de")
    for placed in person.placed:
        field = CHARACTERS.field_at(placed.pointer)
        assert grounding.ground(placed.value, known, field=field) is not None, placed


TOLD = schema.check(
    {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("name", "background", "notes", "description", "motivation", "fear")
        },
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SARAH,
            [
                {
                    "name": "Sarah",
                    "description": "Sarah, a 28-year-old journalist investigating corruption in the port of Lisbon",
                },
                {"name": "Tomás"},
            ],
        ),
        (
            "Sarah, eine 28-jährige Journalistin, die in Lissabon sucht, und ihr Bruder Tomás",
            [
                {"name": "Sarah", "description": "Sarah, eine 28-jährige Journalistin, die in Lissabon sucht"},
                {"name": "Tomás"},
            ],
        ),
        ("Tomás is 31.", [{"name": "Tomás"}]),
    ],
)
def test_each_has_its_own_words_in_one_field_and_the_rest_stays_empty(text, expected):
    found = extracted(text, {"characters": TOLD, "locations": LOCATIONS})

    assert [each.fields for each in found.entities if each.collection == "characters"] == expected
    assert {tuple(e.fields) for e in found.entities if e.collection == "locations"} <= {("name",)}


@pytest.mark.parametrize(
    ("text", "homes"),
    [
        ("Sarah works in Lisbon.", []),
        ("Sarah is a nurse from Lisbon.", []),
        ("Sarah now lives in Lisbon.", ["Lisbon"]),
        ("Sarah wohnt in Lissabon.", ["Lissabon"]),
        ("Sarah moved to Lisbon and looks for work in Porto.", ["Lisbon"]),
    ],
)
def test_home_is_where_somebody_is_said_to_live(text, homes):
    found = extracted(text, FILM)

    names = {e.id: e.fields["name"] for e in found.entities}
    assert [names[link.to_id] for link in found.links if link.field == "/lives_in"] == homes


def test_place_is_told_of_where_a_sentence_begins_with_it():
    found = extracted("Porto lies on the river. Anna lives in Porto.", FILM)

    assert [e.fields for e in found.entities if e.collection == "locations"] == [
        {"name": "Porto", "description": "Porto lies on the river."}
    ]


def test_kin_is_whose_it_is():
    found = extracted(
        "Miguel Costa's wife Rita owns a bar in Porto. Rita's sister Ana is a nurse. Ihr Bruder Rui lebt in Faro.", FILM
    )

    names = {e.id: e.fields["name"] for e in found.entities}
    links = [(names[x.from_id], x.field, names.get(x.to_id, x.mention)) for x in found.links]
    assert ("Miguel Costa", "/family", "Rita") in links
    assert ("Rita", "/family", "Ana") in links
    assert [link for link in links if link[1] == "/lives_in"] == [("Rui", "/lives_in", "Faro")]


def test_things_are_found_by_their_amounts_and_dates():
    found = extracted(
        'Expenses:\n- Taxi to the airport: €35.50 on 2025-03-04\n- Hotel "Avenida", 240 EUR, 3 March 2025, 12 seats',
        {"expenses": EXPENSES},
    )

    assert [e.fields for e in found.entities] == [
        {"title": "Taxi to the airport", "amount": 35.5, "currency": "EUR", "date": "2025-03-04"},
        {"title": "Avenida", "amount": 240, "currency": "EUR", "date": "2025-03-03", "seats": 12},
    ]
    assert extracted("Nothing of the sort.", {"expenses": EXPENSES}).entities == ()


def test_other_schemas_are_answered_as_before():
    assert demo_rules.is_envelope(strict_schema.envelope(FILM).schema)
    assert not demo_rules.is_envelope({"type": "object", "properties": {"entities": {"type": "string"}}})
    assert not demo_rules.is_envelope(strict_schema.for_provider(CHARACTERS, "openai").schema)


@pytest.mark.parametrize(
    "piece",
    ["Sarah ", "Sarah's brother Tom ", "28 ", "in Lisbon ", "A. ", "€1,", "a@", "x", "Ab-", "1990-", "her ", "\n- "],
)
def test_long_texts_cost_what_they_are_long(piece):
    spent = time.process_time()
    extracted(piece * (200_000 // len(piece)), {**FILM, "expenses": EXPENSES})

    assert time.process_time() - spent < 6.0


def test_reading_is_bounded_in_people():
    text = ". ".join(f"Dr. {chr(65 + n // 26)}{chr(97 + n % 26)}xer is old" for n in range(300))

    assert len(demo_reading.read(text).people) == 100
