"""Words that somebody sent forge no line of a log, in either form."""

import io
import json
import logging
import re
import secrets

import pytest
from django.http import HttpResponseServerError
from django.test import Client
from django.utils.log import log_response

from apps.core import logs

FORGED = 'here\n2026-11-21T12:00:00Z [info     ] "Signed in" [accounts]\x1b[2J\r\x00'


@pytest.fixture
def lines(settings):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def forge():
        logging.getLogger("forger").warning("asked for %s", FORGED, extra={"path": FORGED})

    def written(form, act=forge):
        logs.configure({"level": "INFO", "format": form})
        out = io.StringIO()
        root.handlers[0].setStream(out)
        act()
        return out.getvalue().removesuffix("\n").split("\n")

    yield written
    logs.configure(settings.LOGGING)
    root.handlers, root.level = before, level


def test_json_is_one_line_an_entry(lines):
    (line,) = lines("json")

    assert json.loads(line)["event"] == f"asked for {FORGED}"


def test_text_begins_no_line_of_its_own_and_steers_no_terminal(lines):
    first, *others = lines("text")

    assert re.match(r"\d{4}-", first)
    assert others
    assert all(line.startswith("    | ") for line in others)
    assert all(line.isprintable() for line in [first, *others])


TOKEN = secrets.token_urlsafe(32)
LINKS = [
    "/accounts/link/{}/",
    "/accounts/invitation/{}/",
    "/accounts/signup/{}/",
    "/accounts/password/reset/key/3x-{}/",
    "/accounts/confirm-email/{}/",
    "/s/{}/",
]


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("link", LINKS)
def test_links_that_open_something_are_not_logged_with_a_refused_request(link, form, lines):
    browser = Client(enforce_csrf_checks=True)

    (line,) = lines(form, lambda: browser.post(link.format(TOKEN)))

    assert "CSRF" in line
    assert link.partition("{")[0].rpartition("/")[0] in line
    assert TOKEN not in line


@pytest.mark.parametrize("form", ["json", "text"])
def test_links_are_not_logged_with_a_request_that_failed(form, lines, rf):
    request = rf.get(f"/s/{TOKEN}/files/019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11/?a={TOKEN}")
    failed = HttpResponseServerError()

    (line,) = lines(form, lambda: log_response("%s: %s", "Failed", request.path, response=failed, request=request))

    assert TOKEN not in line
    assert "/files/019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11/" in line


@pytest.mark.parametrize("form", ["json", "text"])
def test_request_for_another_host_is_refused_in_one_line(form, lines):
    answers = []

    (line,) = lines(form, lambda: answers.append(Client().get("/", headers={"Host": "elsewhere.example"})))

    assert answers[0].status_code == 400
    assert "elsewhere.example" in line
    assert "Traceback" not in line
