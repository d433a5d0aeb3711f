"""Days and times in words, as the language of the page has them.

Django puts them together anew each time, which takes 40 to 80 µs; a page of a table says hundreds of them, and most of them again on the next page.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language


def date_words(value: date, form: str) -> str:
    """``form`` is one of Django's, to the minute and without the time zone: ``DATE_FORMAT``, ``j F``. Moments are those of the viewer's clock."""
    if isinstance(value, datetime):
        # Two moments that are the same elsewhere are equal, and would share their words.
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        value = local.replace(second=0, microsecond=0, tzinfo=None)
    return _words(value, form, get_language())


@lru_cache(maxsize=8192)
def _words(value: date, form: str, _language: str | None) -> str:
    return date_format(value, form)
