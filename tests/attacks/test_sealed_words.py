"""A64 for words: said to be sensitive over HTTP, answered by a model as a stream; then dumped, listened to and read in real processes."""

import asyncio
import subprocess
import threading

import pytest

from apps.core.embedded.binaries import postgres_folder
from apps.core.embedded.service_user import service_user
from tests.attacks.test_process_secrets import send
from tests.browser import duo
from tests.live.client import Client
from tests.provider.fixtures import provider, running_provider
from tests.stack import Stack

__all__ = ["provider", "running_provider"]

pytestmark = [pytest.mark.attacks, pytest.mark.timeout(300)]

ASKED, TOLD = "zimtkanarie7c1e5f", "muskatkanarie9b2d4a"


@pytest.fixture(scope="module")
def stack(running_provider):
    with Stack(env={"PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}) as running:
        running.cast = duo.hire(running, running_provider.openai_url)
        yield running


class Ear(threading.Thread):
    """Everything that is published in the stack's Redis."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self._pubsub = stack.redis().pubsub()
        self._pubsub.psubscribe("*")
        self.heard, self.is_over = [], False
        self.start()

    def run(self):
        while not self.is_over:
            if message := self._pubsub.get_message(timeout=0.2):
                self.heard.append(repr(message["data"]))


def in_redis(stack):
    client = stack.redis()
    return "".join(repr((key, client.dump(key), _rows(client, key))) for key in client.scan_iter())


def _rows(client, key):
    return client.xrange(key) if client.type(key) == b"stream" else None


def dumped(stack):
    tool = postgres_folder(service_user()) / "bin" / "pg_dump"
    run = subprocess.run([str(tool), "--dbname", stack.owner_url], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


async def test_a64_sensitive_words_are_in_no_dump_no_redis_and_no_log(stack, provider, record_property):
    provider.script({"text": f"You said {TOLD}, and {TOLD} again."})
    _status, pair = send(stack, "POST", "/auth/token/", {"email": stack.cast["ines_email"], "password": duo.PASSWORD})
    token = pair["access"]
    _status, talk = send(stack, "POST", "/conversations/", {"project": stack.cast["project"]}, token)
    path = f"/conversations/{talk['id']}/messages/"
    ear = Ear(stack)

    async with Client(stack.ws_url, {"Authorization": f"Bearer {token}"}) as page:
        await page.follow(f"conversation:{talk['id']}")
        status, _posted = send(stack, "POST", path, {"content": f"The code is {ASKED}.", "sensitive": True}, token)
        await page.until(lambda: any('"state":"completed"' in frame for frame in page.raw), 60)
        frames = "".join(page.raw)
    await asyncio.sleep(0.5)
    ear.is_over = True
    _status, told = send(stack, "GET", path, None, token)
    places = {
        "pg_dump": dumped(stack),
        "Redis": in_redis(stack),
        "published": "".join(ear.heard),
        "logs": "".join(stack.log(role) for role in stack.roles),
        "events": repr(stack.sql("SELECT payload FROM core_event")),
    }
    _status, found = send(stack, "GET", f"/search/?q={ASKED}", None, token)

    record_property("got", f"a dump of {len(places['pg_dump'])} characters, {len(ear.heard)} announcements")
    assert status == 202
    assert [row["sensitive"] for row in told["results"]] == [True, True]
    assert ASKED in told["results"][0]["content"]
    assert TOLD in told["results"][1]["content"]
    assert TOLD in frames  # it came as a stream to who may read it
    assert len(ear.heard) > 3
    assert "stub-small" in places["pg_dump"]
    assert [(place, word) for place, text in places.items() for word in (ASKED, TOLD) if word in text] == []
    assert found["results"] == []
