"""Static files carry the hash of their content, and only the right hash may be kept for ever."""

import pytest
from django.templatetags.static import static
from django.test import Client

from apps.web.modules import import_map

pytestmark = pytest.mark.django_db


def headers_of(address):
    """The file itself is closed at once: an open one is a warning, and warnings are errors here."""
    answer = Client().get(address)
    assert answer.status_code == 200
    answer.getvalue()
    answer.close()
    return answer.headers


def test_address_carries_the_hash_and_may_be_kept_for_ever():
    address = static("core/css/tokens.css")

    headers = headers_of(address)

    assert "?v=" in address
    assert headers["Cache-Control"].endswith("immutable")


def test_wrong_hash_gets_the_file_but_may_not_keep_it():
    headers = headers_of("/static/core/css/tokens.css?v=0000000000")

    assert "immutable" not in headers["Cache-Control"]


def test_import_map_names_every_script_with_its_hash():
    addresses = import_map()["imports"]

    assert addresses["web/main"].startswith("/static/web/main.js?v=")
    assert all("?v=" in address for address in addresses.values())


def test_file_is_framed_and_read_by_no_other_page():
    headers = headers_of("/static/web/main.js")

    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
