"""A1 once more, over HTTP against running processes: every address of the OpenAPI file, through the server, its middleware and its threads."""

import http.client
import json
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from tests.attacks.test_schema import IS_LONG, OVER_HTTP, STREAMS
from tests.attacks.test_sweep import OPEN_WRITES, PUBLIC, WRITTEN_BY_MEMBERS, judge
from tests.attacks.world import ALIASES, operations, sample
from tests.live.client import Client
from tests.stack import Stack

pytestmark = [pytest.mark.attacks, pytest.mark.timeout(300)]

#: What people own.
OURS = "accounts|agents|bulk|conversations|extraction|llm|workflows"
#: What the processes write by themselves, and what says who came by.
THEIRS = "accounts_(audit|attempt|code|device|pseudonym|quota|sign|usersession)|files_"
MAKE = """
import json
from tests.attacks.world import World
world = World()
print("WORLD " + json.dumps({"ids": {name: str(pk) for name, pk in world.ids.items()}, "headers": world.headers}))
"""


@dataclass(frozen=True)
class Answer:
    status_code: int
    content: bytes
    streaming: bool = False


@pytest.fixture(scope="module")
def stack():
    with Stack(env={"PARLANCE_LIMITS": "0"}, interactives=0, jobs=0) as running:
        told = running.manage("shell", "--no-imports", "-c", MAKE)
        line = next(line for line in told.splitlines() if line.startswith("WORLD "))
        running.world = SimpleNamespace(**json.loads(line.removeprefix("WORLD ")))
        yield running


def asked(connection, operation, ids, headers):
    path = operation.path.format(**ids)
    query = {
        name: ids.get(f"{name}_id") or ids[ALIASES[name]]
        for name in operation.query
        if f"{name}_id" in ids or name in ALIASES
    }
    body, sent = b"", {"Content-Type": "application/json", **headers}
    if operation.media_type == "multipart/form-data":
        sent["Content-Type"] = "multipart/form-data; boundary=x"
        body = (
            f'--x\r\nContent-Disposition: form-data; name="project"\r\n\r\n{ids["project_id"]}\r\n'
            '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nwords\r\n--x--\r\n'
        ).encode()
    elif operation.body:
        body = json.dumps(sample(operation.body, ids)).encode()
    connection.request(operation.method, f"{path}?{urlencode(query)}" if query else path, body, sent)
    response = connection.getresponse()
    return Answer(response.status, response.read())


def rows(stack):
    """Of what people own: every table as (rows, digest over them)."""
    names = stack.sql(
        f"SELECT tablename FROM pg_tables WHERE tablename ~ '^({OURS})_' AND tablename !~ '^({THEIRS})' ORDER BY 1"
    )
    parts = [
        f"SELECT '{name}', count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{name}\" t"
        for (name,) in names
    ]
    return {name: (count, digest) for name, count, digest in stack.sql(" UNION ALL ".join(parts))}


@pytest.fixture
def connection(stack):
    with closing(http.client.HTTPConnection(stack.base_url.removeprefix("http://"), timeout=60)) as line:
        yield line


def test_a1_running_processes_tell_strangers_nothing(stack, connection, record_property):
    world = stack.world
    before, wrong, many = rows(stack), [], 0

    for who in ("N", "R", "A", "X", "revoked"):
        for operation in operations():
            is_open = who not in {"N", "revoked"} and operation.id in OPEN_WRITES.keys() | PUBLIC
            if is_open or who in WRITTEN_BY_MEMBERS.get(operation.id, {}) or operation.id in PUBLIC:
                continue
            many += 1
            answer = asked(connection, operation, world.ids, world.headers[who])
            if problem := judge(operation, answer, who, world):
                wrong.append(f"{who} {operation.method} {operation.path}: {problem}")
    read = asked(
        connection,
        next(each for each in operations() if each.id == "conversations_read"),
        world.ids,
        world.headers["B"],
    )

    record_property("got", f"{many} requests over HTTP to running processes")
    record_property("count", ("requests of the matrix over HTTP to running processes", many))
    assert wrong == []
    assert {name: (before[name], now) for name, now in rows(stack).items() if before[name] != now} == {}
    assert (read.status_code, b"Secret talk" in read.content) == (200, True)


TOPICS = ("conversation", "project", "operation", "organization", "user")


async def test_a3_sockets_of_running_processes_tell_strangers_nothing(stack, record_property):
    """Every topic of what is somebody else's, by every way in."""
    world, wrong, many = stack.world, [], 0

    for who in ("R", "A", "X"):
        for topic in TOPICS:
            if who != "X" and topic == "organization":
                continue  # their own
            many += 1
            async with Client(stack.ws_url, world.headers[who]) as page:
                await page.follow(f"{topic}:{world.ids[f'{topic}_id']}")
                heard = "".join(page.raw)
            if '"error"' not in heard or '"snapshot"' in heard or "ecret" in heard:
                wrong.append((who, topic, heard[:300]))
    for who, headers in {"N": {}, "revoked": world.headers["revoked"]}.items():
        many += 1
        async with Client(stack.ws_url, headers) as page:
            await page.until(lambda page=page: page.close_code is not None)
            if page.close_code != 4401 or page.raw:
                wrong.append((who, page.close_code, page.raw))
    async with Client(stack.ws_url, world.headers["B"]) as page:
        own = await page.follow(f"conversation:{world.ids['conversation_id']}")

    record_property("got", f"{many} sockets to running processes")
    record_property("count", ("sockets of strangers to running processes", many))
    assert wrong == []
    assert (own.snapshots, own.errors) == (1, [])


#: Reading with and without the key; chains of making, deleting and reading.
CHAINS = {"fuzzing": ["--include-method", "GET"], "stateful": []}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("phase", CHAINS if IS_LONG else ["fuzzing"])
def test_a60_schemathesis_over_http_finds_nothing(stack, tmp_path, phase, record_property):
    """The last here: it writes, and deletes what it finds. Its checks send requests of their own, with and without the key."""
    world, settings, report = stack.world, tmp_path / "schemathesis.toml", tmp_path / "report.json"
    ids = "".join(f'{name} = "{pk}"\n' for name, pk in world.ids.items())
    settings.write_text(f"[parameters]\n{ids}")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", settings, "run", "docs/openapi.yaml"]
    command += ["--url", stack.base_url, "--header", f"Authorization: {world.headers['B']['Authorization']}"]
    command += ["--phases", phase, "--checks", ",".join(OVER_HTTP), *CHAINS[phase], "--mode", "positive"]
    command += [
        "--max-examples",
        "1",
        "--max-time",
        "300" if IS_LONG else "6",
        "--no-shrink",
        "--generation-deterministic",
    ]
    command += ["--suppress-health-check", "all", "--continue-on-failure", "--report-json-path", report]
    command += [word for each in STREAMS for word in ("--exclude-operation-id", each)]

    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases, tested = (int(re.search(found, done.stdout)[1]) for found in (r"(\d+) generated", r"Tested: (\d+)"))
    record_property("got", f"schemathesis over HTTP, {phase}: {tested} operations, {cases} cases")
    record_property("count", (f"schemathesis over HTTP, cases of {phase}", cases))
    assert json.loads(report.read_text())
    assert tested
