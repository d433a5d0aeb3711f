import pytest

from apps.extraction import schema, schema_forms
from apps.extraction.schema_forms import FieldForm, FieldKind


def column(*samples):
    found = schema_forms.from_csv_header(["A"], [[each] for each in samples])
    own = found["properties"]["a"]
    return own.get("format", own["type"])


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (["1", "-2", ""], "integer"),
        (["1", "2.5"], "number"),
        (["1,234.50", "3"], "number"),
        (["1.234,50"], "number"),
        (["007", "12"], "string"),
        (["+49 151 2345", "+1 23"], "string"),
        (["12345678901234567890123"], "number"),
        (["yes", "No"], "boolean"),
        (["ja", "nein"], "boolean"),
        (["2025-01-31", "2024-12-01"], "date"),
        (["31.01.2025"], "date"),
        (["2025-02-30"], "string"),
        (["2025-01-31T10:00:00Z"], "date-time"),
        (["a@b.de"], "email"),
        (["https://x.de/a"], "uri"),
        (["Lisbon", "2"], "string"),
        (["", " "], "string"),
        ([], "string"),
    ],
)
def test_types_are_what_every_sample_agrees_on(samples, kind):
    assert column(*samples) == kind


@pytest.mark.parametrize(
    ("form", "value", "detail"),
    [
        ("date", "22025-01-01", "Write a date as 2026-11-23."),
        ("email", "nobody", "This is no e-mail address."),
        ("uri", "example", "Write a whole address, as https://example.org."),
        ("ipv4", "example", "This is not of the form “ipv4”."),
    ],
)
def test_what_is_of_another_form_is_told_how_to_write_it(form, value, detail):
    found = schema.check({"type": "object", "properties": {"a": {"type": "string", "format": form}}})

    assert [each.detail for each in found.validate({"a": value})] == [detail]


def test_short_names_are_made_of_the_letters_of_a_name():
    assert [schema_forms.slug_of(name) for name in ("Größen", "Ärzte & Praxen", "★")] == [
        "groessen", "aerzte-praxen", "records",
    ]  # fmt: skip


def test_header_becomes_a_schema_that_is_taken():
    found = schema_forms.from_csv_header(
        ["Größe (cm)", "Name", "name", "", " \t", "Straße\nNr."], [["180", "Ana", "x", "", "", ""], ["short row"]]
    )

    fields = schema.check(found).fields
    assert [(f.name, f.title, f.type) for f in fields] == [
        ("groesse_cm", "Größe (cm)", "string"),
        ("name", "Name", "string"),
        ("name_2", "name", "string"),
        ("column_4", "Column 4", "string"),
        ("column_5", "Column 5", "string"),
        ("strasse_nr", "Straße Nr.", "string"),
    ]


def test_a_header_of_a_thousand_columns_is_cut_at_what_a_schema_holds():
    assert len(schema.check(schema_forms.from_csv_header([f"c{n}" for n in range(1000)])).fields) == 200


FORM = [
    FieldForm("name", title="Name", required=True, aliases=("called",), rest={"minLength": 1}),
    FieldForm("about", FieldKind.LONG_TEXT, description="A few lines"),
    FieldForm("age", FieldKind.INTEGER, rest={"minimum": 0}),
    FieldForm("mood", FieldKind.CHOICE, choices=("glad", "sad")),
    FieldForm("tags", FieldKind.TEXT, is_list=True, rest={"maxItems": 3, "items": {"minLength": 2}}),
    FieldForm("mail", FieldKind.EMAIL, was="email"),
    FieldForm("friends", FieldKind.RELATION, is_list=True, relation="people"),
    FieldForm("boss", FieldKind.RELATION, relation="people"),
    FieldForm("size", FieldKind.OTHER, rest={"anyOf": [{"type": "number"}, {"type": "null"}]}),
]


def test_form_goes_to_a_schema_and_back():
    found = schema.check(schema_forms.from_fields(FORM))

    assert schema_forms.to_fields(found) == FORM
    assert found.is_valid({"name": "S", "tags": ["aa"], "mood": "sad", "size": None})
    assert {(e.field, e.code) for e in found.validate({"tags": ["a"], "new": 1})} == {
        ("/new", "additional_properties"),
        ("/tags/0", "min_length"),
        ("/name", "required"),
    }


def test_form_keeps_what_it_has_no_place_for():
    given = schema.check(
        {
            "type": "object",
            "title": "Thing",
            "properties": {
                "a": {"$ref": "#/$defs/a"},
                "b": {"type": ["string", "null"]},
                "c": {"type": "string", "format": "uuid"},
                "d": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "array"}},
                "e": True,
            },
            "required": ["a"],
            "$defs": {"a": {"type": "integer"}},
            "if": {"properties": {"a": {"const": 1}}},
            "then": {"required": ["b"]},
        }
    )

    again = schema.check(schema_forms.from_fields(schema_forms.to_fields(given), base=given))

    for value in [
        {},
        {"a": 1},
        {"a": 1, "b": None},
        {"a": 2},
        {"a": 2, "c": "x"},
        {"a": 2, "d": [1]},
        {"a": 2, "d": ["x", []]},
    ]:
        assert again.is_valid(value) is given.is_valid(value), value
