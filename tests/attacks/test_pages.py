"""A16 on pages: every page there is, with a stranger's cookie and a key or token of somebody who may more.

Generated from the addresses themselves: scopes are asked on the API alone, so a header must not change who a page is for.
"""

import os
import re
from uuid import uuid4

import pytest
from django.urls import URLPattern, get_resolver

from apps.accounts.actors import PROGRAM_PATHS
from apps.accounts.services import sessions
from apps.accounts.tokens import pair_for
from apps.accounts.types import SessionKind
from apps.core.models import Event
from tests.accounts.factories import ProjectFactory, UserFactory, bearer, key_of
from tests.attacks.caller import Client
from tests.attacks.world import World, content_of

IS_LONG = os.environ.get("PARLANCE_ATTACKS") == "long"

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
#: Ends the stranger's own session, which the answers after it would show.
ENDING = {"account_logout", "readyz"}


def routes(patterns=None, prefix=""):
    for found in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(found.pattern)
        if isinstance(found, URLPattern):
            yield route, found.name
        else:
            yield from routes(found.url_patterns, route)


def pages(ids):
    """Addresses with ids of somebody else's things in them."""

    def value(argument):
        kind, name = argument.groups()
        return str(ids.get(name) or {"int": 1, "uuid": uuid4()}.get(kind, "x"))

    for route, name in routes():
        path = "/" + _ARGUMENT.sub(value, route)
        if path.startswith("/admin/") and route.count("/") > 3:  # one guard stands before all of them
            continue
        if name not in ENDING and not path.startswith(PROGRAM_PATHS) and not re.search(r"[\^$()\\]", path):
            yield path


@pytest.fixture
def stranger(db):
    client = Client(raise_request_exception=False)
    user = UserFactory(name="Xaver")
    ProjectFactory(owner=user)
    client.force_login(user)
    return client


def headers_of(world):
    token = pair_for(sessions.begin_session(user=world.owner, kind=SessionKind.TOKEN)).access
    limited = key_of(world.owner, world.organization, scopes=("audit:read",))
    return {"limited key": {"X-API-Key": limited}, "token": bearer(token)}


def answer_of(response, hidden):
    """What an answer tells; tokens and nonces in it are new each time."""
    content = content_of(response)
    return response.status_code, response.headers.get("Location"), [each for each in hidden if each.encode() in content]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a16_header_opens_no_page(method, stranger, record_property):
    world = World()
    hidden = [
        world.owner.email,
        world.owner.name,
        world.organization.name,
        "ecret",
        *(str(each) for name, each in world.ids.items() if name != "number"),
    ]
    headers = headers_of(world)
    theirs = Event.objects.filter(organization_id=world.organization.pk)
    before, wrong, asked = theirs.count(), [], 0

    for position, path in enumerate(pages(world.ids)):
        usual = answer_of(stranger.generic(method, path), hidden)
        # The short form takes one of the two headers for each page, with POST the other one.
        for name, sent in list(headers.items()) if IS_LONG else [list(headers.items())[(position + len(method)) % 2]]:
            asked += 1
            answer = answer_of(stranger.generic(method, path, headers=sent), hidden)
            if answer != usual:
                wrong.append(f"{method} {path} with {name}: {answer} instead of {usual}")

    record_property("got", f"{asked} calls of pages with {method}")
    assert wrong == []
    assert asked > 150
    assert theirs.count() == before
