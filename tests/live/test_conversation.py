"""A real conversation over real processes: socket, server-sent events and the database tell the same, byte for byte."""

import asyncio
import http.client
import json
from uuid import uuid4

import pytest

from tests.live.client import Client
from tests.stack import Stack

pytestmark = pytest.mark.timeout(400)  # a stack starts first

SETUP = """
import json
from tests.accounts.factories import ProjectFactory, UserFactory, key_of
user = UserFactory(email="live@example.org")
project = ProjectFactory(owner=user)
print("SETUP=" + json.dumps(dict(project=str(project.pk), key=key_of(user, project.organization))))
"""


@pytest.fixture(scope="module")
def stack():
    with Stack(jobs=0) as started:
        yield started


@pytest.fixture(scope="module")
def setup(stack):
    out = stack.manage("shell", "--no-imports", "-c", SETUP)
    return json.loads(next(line for line in out.splitlines() if line.startswith("SETUP=")).removeprefix("SETUP="))


def call(stack, setup, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", stack.ports["web"], timeout=60)
    headers = {"Authorization": f"Bearer {setup['key']}", "Content-Type": "application/json"}
    connection.request(method, f"/api/v1/{path}", json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    assert answer.status < 300, (path, answer.status, raw)
    return answer, raw


def events_of(raw: bytes):
    for block in raw.decode().split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id")


async def test_socket_events_and_database_tell_the_same(stack, setup):
    ask = lambda *args: asyncio.to_thread(call, stack, setup, *args)  # noqa: E731
    conversation = json.loads((await ask("POST", "conversations/", {"project": setup["project"]}))[1])
    topic = f"conversation:{conversation['id']}"
    async with Client(stack.ws_url, {"Authorization": f"Bearer {setup['key']}"}) as page:
        reader = await page.follow(topic)
        posted = json.loads(
            (
                await ask(
                    "POST",
                    f"conversations/{conversation['id']}/messages/",
                    {"client_id": str(uuid4()), "content": "Tell me a long story with several paragraphs."},
                )
            )[1]
        )
        turn = posted["turn"]["id"]

        answer, raw = await ask("GET", f"turns/{turn}/events/")
        await page.until(lambda: any(event["event"] == "turn.completed" for event in reader.events), 60)

    told = list(events_of(raw))
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    final = told[-1]
    assert final[0] == "completed"
    deltas = [data for name, data, _id in told if name == "delta"]
    assert [data["seq"] for data in deltas] == list(range(1, len(deltas) + 1))
    streamed = "".join(data["text"] for data in deltas if data["part_type"] == "text")
    rows = json.loads((await ask("GET", f"conversations/{conversation['id']}/messages/"))[1])["results"]
    stored = next(row for row in rows if row["role"] == "assistant")
    assert streamed == stored["content"] == final[1]["message"]["content"] == reader.text_of(turn) != ""

    _answer, rest = await ask("GET", f"turns/{turn}/events/?after=2")
    resumed = list(events_of(rest))
    assert [data["seq"] for name, data, _id in resumed if name == "delta"] == list(range(3, len(deltas) + 1))
    assert resumed[-1][0] == "completed"

    stack.redis().delete(f"{stack.env['PARLANCE_REDIS_PREFIX']}turn:{turn}")
    _answer, expired = await ask("GET", f"turns/{turn}/events/")
    assert [name for name, _data, _id in events_of(expired)] == ["completed"]
