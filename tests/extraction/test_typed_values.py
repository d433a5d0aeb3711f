"""What a person types: of numbers with separators the reader's language decides, and a moment is written in one way."""

import json

import pytest
from django.test import Client
from django.utils import timezone, translation

from apps.accounts.models import User
from apps.extraction.models import Record
from apps.extraction.pages.values import Column, read, shown
from tests.accounts.factories import actor_of
from tests.extraction.factories import people, record

TYPED = [
    ("1,000", "integer", 1000, 1000),
    ("1.000", "integer", 1000, 1000),
    ("1 000", "integer", 1000, 1000),
    ("250,000", "integer", 250_000, 250_000),
    ("1,234,567", "integer", 1_234_567, 1_234_567),
    ("-1,500", "integer", -1500, -1500),
    ("29", "integer", 29, 29),
    ("1,5", "integer", 1.5, 1.5),
    ("0,125", "integer", 0.125, 0.125),
    ("1,500", "number", 1500, 1.5),
    ("1.500", "number", 1.5, 1500),
    ("1 500", "number", 1500, 1500),
    ("1,5", "number", 1.5, 1.5),
    ("1.5", "number", 1.5, 1.5),
    ("0.125", "number", 0.125, 0.125),
    ("0,125", "number", 0.125, 0.125),
    ("1.250,50", "number", 1250.5, 1250.5),
    ("1,250.50", "number", 1250.5, 1250.5),
    ("1e-7", "number", 1e-7, 1e-7),
    ("about 5", "number", "about 5", "about 5"),
    ("1,00", "number", 1, 1),
    ("1,00,0", "number", "1,00,0", "1,00,0"),
    ("5k", "integer", "5k", "5k"),
]


@pytest.mark.parametrize(("text", "kind", "english", "german"), TYPED)
def test_number_is_read_as_the_language_of_the_page_writes_it(text, kind, english, german):
    found = {}
    for language in ("en", "de"):
        with translation.override(language):
            found[language] = read(Column("x", "X", kind, item=kind), [text])

    assert found == {"en": english, "de": german}


def test_end_of_the_calendar_stays_a_moment():
    with timezone.override("America/New_York"):
        assert read(Column("x", "X", "date_time"), ["9999-12-31T23:59"]) == "9999-12-31T23:59:00-05:00"


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("value", [1.125, -1.125, 1234.125, 1e-7, 0.5, 1000, 10**15])
def test_what_an_editor_begins_with_is_read_again_as_it_was(value, language):
    column = Column("x", "X", "number", item="number")
    with translation.override(language):
        assert read(column, [shown(column, value, {}).raw]) == value


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "de"])
def test_cell_and_form_keep_thousands(owner, project, language):
    User.objects.filter(pk=owner.pk).update(language=language)
    me = actor_of(owner)
    collection = people(me, project)
    made = record(me, collection, name="Lisbon", age=1)
    browser = Client()
    browser.force_login(owner)

    cell = {"field": "age", "values": ["250,000"], "version": 1, "columns": ["age"]}
    browser.post(f"/record/{made.pk}/cell/", json.dumps(cell), content_type="application/json")
    in_cell = Record.objects.get().data["age"]
    browser.post(f"/record/{made.pk}/edit/", {"v-name": "Lisbon", "v-age": "1.000", "version": 2})
    in_form = Record.objects.get().data["age"]
    browser.post(f"/records/{collection.pk}/add/", {"v-name": "Porto", "v-age": "1 000"})

    assert (in_cell, in_form, Record.objects.get(title="Porto").data["age"]) == (250_000, 1000, 1000)


def test_moment_is_the_same_text_in_whichever_zone_it_was_typed():
    column = Column("x", "X", "date_time")
    found = []
    for zone, typed in (
        ("Europe/Berlin", "2026-01-01T00:30"),
        ("America/Bogota", "2025-12-31T18:30"),
        ("UTC", "2026-01-01T00:30:00+01:00"),
    ):
        with timezone.override(zone):
            found.append(read(column, [typed]))

    assert found == ["2025-12-31T23:30:00Z"] * 3
