"""Translations are complete, compiled, and keep their placeholders; scripts get words in the page's language."""

import gettext
import re
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from apps.web.strings import strings
from tests.accounts.factories import ProjectFactory, UserFactory

FOLDER = Path(__file__).resolve().parents[2] / "locale" / "de" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\([a-z_]+\)")


def test_compiled_translations_are_those_of_the_source():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    source = (FOLDER / "django.po").read_text()

    assert "#, fuzzy" not in source
    assert 'msgstr ""\n\n' not in source, "a string is not translated"
    assert compiled.gettext("Sign in") == "Anmelden"


def test_placeholders_survive_translation():
    with (FOLDER / "django.mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog

    wrong = [
        (key, text)
        for key, text in catalogue.items()
        if key and isinstance(key, str) and set(PLACEHOLDER.findall(key)) != set(PLACEHOLDER.findall(text))
    ]

    assert wrong == []


def test_scripts_get_their_words_in_the_language_of_the_page():
    with translation.override("de"):
        words = strings()

    assert words["sending"] == "Wird gesendet"
    assert words["answer_finished"]["one"] == "Antwort fertig, %(count)s Wort"
    assert words["answer_finished"]["other"] == "Antwort fertig, %(count)s Wörter"


@pytest.mark.django_db
def test_pages_speak_the_language_of_the_person():
    person = UserFactory(language="de")
    ProjectFactory(owner=person)
    client = Client()
    client.force_login(person)

    page = client.get("/", headers={"accept-language": "en"}).content.decode()

    assert '<html lang="de"' in page
    assert "Woran arbeiten Sie?" in page
