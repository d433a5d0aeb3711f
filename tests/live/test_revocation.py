"""What is revoked is dead within five seconds, everywhere, also when Redis forgot everything and the message about it was lost."""

import json
import time
from contextlib import AsyncExitStack

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from apps.core.db import in_thread
from apps.live.socket import SIGNED_OUT
from tests.live.client import Client
from tests.live.sockets import rooms_stack

pytestmark = pytest.mark.timeout(300)  # a stack starts first

WITHIN_SECONDS = 5.0
PERSON = """
import json
from django.conf import settings
from django.test import Client
from apps.accounts import tokens
from apps.accounts.models import ApiKey, UserSession
from apps.accounts.services import sessions
from apps.accounts.types import SessionKind
from tests.accounts.factories import ProjectFactory, UserFactory, key_of

user = UserFactory()
project = ProjectFactory(owner=user)
client = Client()
client.force_login(user)
cookie = client.cookies[settings.SESSION_COOKIE_NAME]
browser = dict(id=str(UserSession.objects.get().pk), cookie=f"{cookie.key}={cookie.value}")
key = key_of(user, project.organization)
held = dict(browser=browser, key=dict(id=str(ApiKey.objects.get().pk), token=key))
for name in ("program", "phone"):
    session = sessions.begin_session(user=user, kind=SessionKind.TOKEN)
    pair = tokens.pair_for(session)
    held[name] = dict(id=str(session.pk), access=pair.access, refresh=pair.refresh)
print("HELD=" + json.dumps(held))
"""


@pytest.fixture(scope="module")
def stack():
    """No coordinator runs: nobody sends a lost message again."""
    with rooms_stack(own_services=True) as started:
        yield started


@pytest.fixture
def held(stack):
    out = stack.manage("shell", "--no-imports", "-c", PERSON)
    line = next(line for line in out.splitlines() if line.startswith("HELD="))
    return json.loads(line.removeprefix("HELD="))


def bearer(pair):
    return {"Authorization": f"Bearer {pair['access']}"}


async def is_refused(url, headers):
    try:
        async with Client(url, headers) as again:
            await again.until(lambda: again.close_code is not None, 3)
            return again.close_code == SIGNED_OUT
    except InvalidStatus as refused:
        return refused.response.status_code in {401, 403}


async def test_ended_sessions_and_keys_are_dead_within_five_seconds_whatever_redis_kept(stack, held):
    ways = {
        "browser": {"Cookie": held["browser"]["cookie"]},
        "program": bearer(held["program"]),
        "key": {"X-API-Key": held["key"]["token"]},
    }
    async with AsyncExitStack() as opened, httpx.AsyncClient(base_url=stack.base_url, timeout=10) as api:
        pages = {name: await opened.enter_async_context(Client(stack.ws_url, way)) for name, way in ways.items()}
        for way in ways.values():
            assert (await api.get("/api/v1/me/", headers=way)).status_code == 200
        await in_thread(stack.services.redis.kill)  # what is published now is heard by nobody

        started = time.monotonic()
        for path in (
            f"me/sessions/{held['browser']['id']}/",
            f"me/sessions/{held['program']['id']}/",
            f"api-keys/{held['key']['id']}/",
        ):
            assert (await api.delete(f"/api/v1/{path}", headers=bearer(held["phone"]))).status_code == 204
        await in_thread(stack.services.redis.start)
        with stack.redis() as client:
            client.flushall()
        for page in pages.values():
            left = started + WITHIN_SECONDS - time.monotonic()
            await page.until(lambda page=page: page.close_code is not None, max(left, 0.1))
        answers = {name: (await api.get("/api/v1/me/", headers=way)).status_code for name, way in ways.items()}
        refreshed = await api.post("/api/v1/auth/token/refresh/", json={"refresh": held["program"]["refresh"]})
        took = time.monotonic() - started

        assert (answers, refreshed.status_code) == (dict.fromkeys(ways, 401), 401)
        assert took < WITHIN_SECONDS
        assert [await is_refused(stack.ws_url, way) for way in ways.values()] == [True] * 3
        assert (
            await api.get("/api/v1/me/", headers=bearer(held["phone"]))
        ).status_code == 200  # who ended them goes on
