"""Words without accents, the same here and in the database."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.postgres.search import SearchQuery
from django.db import connection

from apps.conversations.models import Message
from apps.core.folding import folded, folded_in_place
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db


def said(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Plain words, 4.2 & so on", "Plain words, 4.2 & so on"),
        ("Café Cafe\u0301 Müller Ångström", "Cafe Cafe Muller Angstrom"),
        ("Straße Smørrebrød Łódź Đorđe", "Strasse Smorrebrod Lodz Dorde"),
        ("Ελλάδα Алёна", "Ελλαδα Алена"),
        ("東京の港が 한국어 हिन्दी กรุงเทพ ⚓", "東京の港が 한국어 हिन्दी กรุงเทพ ⚓"),
    ],
)
def test_words_are_folded_alike_here_and_in_the_database(text, plain):
    assert folded(text) == plain
    assert said("SELECT core_folded(%s)", text) == plain


def test_every_latin_greek_and_cyrillic_letter_is_folded_alike_and_in_its_place():
    letters = "".join(map(chr, [*range(0x20, 0x300), *range(0x370, 0x530), *range(0x1E00, 0x2000)]))

    assert said("SELECT core_folded(%s)", letters) == folded(letters)
    assert len(folded_in_place(letters)) == len(letters)
    assert folded_in_place("Café Müller, Straße") == "Cafe Muller, Straße"


def test_index_of_a_text_of_more_words_than_there_is_room_for_has_the_first_of_them():
    text = " ".join(f"{number:x}é{number * 7919:08x}" for number in range(60_000))

    words = said("SELECT length(core_words(%s))", text)

    assert 10_000 < words < 60_000
    assert said("SELECT core_words(%s) @@ to_tsquery('simple', '0e00000000')", text)


def test_words_are_made_where_no_schema_is_looked_in():
    """As while rows are restored alone: ``pg_restore --data-only``."""
    project = ProjectFactory()
    ines = someone(project)
    message = say(ines, start(ines, project), "Im Café").message
    schema = said("SELECT current_schema()")

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = ''")
        cursor.execute(f"SELECT {schema}.core_words('café') @@ 'cafe'::tsquery, {schema}.core_folded(NULL)")
        told = cursor.fetchone()
        cursor.execute(
            f"UPDATE {schema}.conversations_message SET content = 'Das Bücherregal' WHERE id = %s", [message.pk]
        )
        cursor.execute(f"SELECT words::text FROM {schema}.conversations_message WHERE id = %s", [message.pk])
        words = cursor.fetchone()[0]
        cursor.execute("SET LOCAL search_path TO DEFAULT")

    assert told == (True, None)
    assert "bucherregal" in words


def test_what_was_indexed_with_accents_is_indexed_anew_and_nothing_else():
    project = ProjectFactory()
    ines = someone(project)
    conversation = start(ines, project)
    message, plain = (say(ines, conversation, content).message for content in ("Im Café", "In the bar"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_message SET words = to_tsvector('simple', content)")
    found = Message.objects.filter(words=SearchQuery("cafe", config="simple"))
    version = "SELECT xmin::text FROM conversations_message WHERE id = %s"
    before = said(version, plain.pk)
    assert not found.exists()

    migration = import_module("apps.conversations.migrations.0012_words_without_accents")
    migration.index_again(apps, SimpleNamespace(connection=connection))

    assert found.get().pk == message.pk
    assert said(version, plain.pk) == before
