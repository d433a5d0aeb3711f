"""Words of days and times are kept, and are those of the language and the clock of who reads."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from django.utils.formats import date_format

from apps.core.date_words import date_words

FORMS = ["DATE_FORMAT", "DATETIME_FORMAT", "TIME_FORMAT", "SHORT_DATE_FORMAT", "l", "j F", "j F Y"]
NOON = datetime(2026, 3, 9, 12, 5, 33, 7, tzinfo=UTC)


@pytest.mark.parametrize("language", ["en-gb", "de"])
@pytest.mark.parametrize("form", FORMS)
def test_words_are_those_of_django_each_time(language, form):
    with translation.override(language), timezone.override(ZoneInfo("Europe/Lisbon")):
        for moment in (NOON, NOON + timedelta(days=1), NOON):
            assert date_words(moment, form) == date_format(timezone.localtime(moment), form)
        if form not in {"DATETIME_FORMAT", "TIME_FORMAT"}:
            assert date_words(date(2026, 3, 9), form) == date_format(date(2026, 3, 9), form)


def test_same_moment_on_two_clocks_has_two_words():
    said = []
    for place in ("Europe/Lisbon", "Asia/Tokyo", "Europe/Lisbon"):
        with timezone.override(ZoneInfo(place)):
            said.append(date_words(NOON, "H:i"))

    assert said == ["12:05", "21:05", "12:05"]
