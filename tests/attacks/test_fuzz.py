"""A59, A60 and A63: what no client would send, at every address of the OpenAPI file. 4xx or nothing found, quickly, never a 500.

The generator reads the OpenAPI file, so a new address is attacked the day it appears. The short form takes some of the
mutations of each field, other ones for the next; ``PARLANCE_ATTACKS=long`` takes them all.
"""

import gc
import json
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core import signing
from django.db import connection, transaction

from apps.accounts.models import OrganizationMember, Project
from apps.conversations import search
from apps.conversations.titles import cleaned
from apps.core import correlation, markup
from tests.accounts.factories import actor_of
from tests.attacks.world import World, call, content_of, operations, random_ids, resolved, rows, sample
from tests.conversations.factories import start

IS_LONG = os.environ.get("PARLANCE_ATTACKS") == "long"

pytestmark = [pytest.mark.attacks, pytest.mark.django_db, pytest.mark.timeout(1800 if IS_LONG else 600)]

#: The machine may be busy with others: what counts is the processor time of this process and of its database server.
SECONDS = 1.0
#: ``pg_sleep(5)`` takes none of it.
WALL_SECONDS = 4.5

DEEP = 10_000
NO_BODIES = {
    "no JSON": b"{",
    "a list": b"[]",
    "a list of objects": b'[{"name": "x"}]',
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"name": NaN}',
    "infinity": b'{"name": -Infinity}',
    "deep lists": b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "bad UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "NUL byte": b'{"name": "a\x00b"}',
    "NUL escaped": b'{"name": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "half a pair": b'{"name": "\\ud800"}',
    "long number": b'{"name": 1' + b"0" * 5000 + b"}",
    "two documents": b"{}{}",
    "a name twice": b'{"name": "x", "name": "y"}',
    "a name twice inside": b'{"name": {"a": 1, "a": 2}}',
}
VALUES = [
    None,
    True,
    0,
    -1,
    10**30,
    1e308,
    0.1,
    "",
    " ",
    "x" * 5000,
    "\u202e\ufeff\u200b",
    "\U0001f600" * 300,
    "' OR 1=1 --",
    "00000000-0000-0000-0000-000000000000",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
    "NaN",
    "1e999999",
    [],
    [[]],
    [None],
    ["x"] * 1000,
    {},
    {"": ""},
    {"$ne": 1},
    {"id": {"id": {"id": 1}}},
]
INJECTIONS = [
    "' OR 1=1 --",
    '"; DROP TABLE accounts_user; --',
    "') UNION SELECT id::text, email FROM accounts_user --",
    "'::tsquery",
    "a' & !b | c:*",
    "<-> & | ! ( )",
    "(((((((",
    ":*",
    "\\' \\",
    "%_%",
    "%s %(x)s {x} $1 $$",
    "$.a ? (@ > 1)",
    '{"$ne": 1}',
    "owner__password",
    "-password",
    "a\x00b",
    "9" * 60,
    "1e999",
    "-9223372036854775809",
    "9999-12-31T23:59:59-14:00",
    "\ud7ff\ue000\ue001",
    "pg_sleep(5)",
    "'||pg_sleep(5)||'",
    "ey.1.2:x:y",
]
REPEATED = {
    "(a+)+$": "a" * 290 + "!",
    "quotes": "'" * 300,
    "spaces": " " * 299 + "x",
    "stars": "*" * 300,
    "combining": "a" + "\u0301" * 299,
    "brackets": "[" * 300,
    "dots": "a." * 150,
    "marks": "\ue000" * 300,
}


def some(values, position, step):
    """In the short form every ``step``-th, beginning elsewhere each time."""
    values = list(values)
    return values if IS_LONG else values[position % step :: step]


def server_seconds():
    """Processor time of the server's process behind our connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    if not stat.exists():  # no Linux: our own time is all there is
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def measured():
    """A list that holds (processor seconds, seconds) at the end. Not of the test process's own garbage."""
    taken = []
    gc.disable()
    server, own, wall = server_seconds(), time.process_time(), time.perf_counter()
    try:
        yield taken
    finally:
        gc.enable()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    taken += [own + server_seconds() - server, wall]


@pytest.fixture
def world():
    return World(is_shared=True)


def undone(operation, world, **what):
    """(status, answer) of a call whose effects are taken back."""
    with transaction.atomic():
        response = call(operation, world.ids, world.headers["B"], **what)
        content = content_of(response)
        transaction.set_rollback(True)
    return response.status_code, content


def with_bodies():
    return [each for each in operations() if each.body and each.media_type == "application/json"]


def with_queries():
    return [each for each in operations() if each.method == "GET" and each.query]


def test_a60_what_is_no_object_is_refused_everywhere(world, record_property):
    before, wrong, asked = rows(), [], 0

    for position, operation in enumerate(with_bodies()):
        for name, body in some(NO_BODIES.items(), position, 6):
            asked += 1
            status, _content = undone(operation, world, body=body)
            if not 400 <= status < 500:
                wrong.append(f"{operation.method} {operation.path} {name}: {status}")

    record_property("got", f"{asked} broken bodies")
    assert wrong == []
    assert rows() == before


def mutations(operation, ids):
    whole = sample(operation.body, ids, whole=True)
    required = resolved(operation.body).get("required", ())
    yield "nothing", {}, "required" if required else ""
    for name in required:
        yield f"without {name}", {key: value for key, value in whole.items() if key != name}, "required"
    yield "unknown", whole | {"no_such_field": 1}, "unknown"
    yield "prototype", whole | {"__proto__": {"is_staff": True}, "constructor": 1}, "unknown"
    for position, name in enumerate(whole):
        for value in some(VALUES, position, 26):
            yield f"{name}={json.dumps(value)[:40]}", whole | {name: value}, ""
            if isinstance(whole[name], dict) and isinstance(value, (str, int, float)):
                inner = dict.fromkeys(whole[name], value) or {"x": value}
                yield f"{name}.*={json.dumps(value)[:40]}", whole | {name: inner}, ""


def test_a60_every_field_of_every_wrong_kind(world, record_property):
    before, wrong, asked = rows(), [], 0

    for operation in with_bodies():
        for name, body, must_fail in mutations(operation, world.ids):
            asked += 1
            status, content = undone(operation, world, body=body)
            if status >= 500 or (must_fail and status < 400):
                wrong.append(f"{operation.method} {operation.path} {name}: {status} {content[:200]}")

    record_property("got", f"{asked} bodies with wrong fields")
    assert wrong == []
    assert rows() == before


HEADERS = {
    "If-Match": ["x", "9" * 5000, '"-1"', "W/", "\xff"],
    "Idempotency-Key": ["", "x" * 300, "\xff\xfe", "a\tb"],
    "X-Request-ID": ["x" * 5000, "<script>", "a b", "\xff"],
    "Accept": ["text/html", "x", "*/*;q=9", "application/json;charset=\xff"],
    "Accept-Language": ["x" * 5000, "de;q=x", "../../etc"],
    "Content-Type": ["", "text/plain", "application/xml", "application/json; charset=utf-7", "multipart/form-data"],
    "Last-Event-ID": ["x", "-1", "9" * 40, "1-2-3"],
    "Range": ["bytes=0-", "bytes=99999999999999999999-", "x"],
    "Origin": ["null", "https://evil.example"],
    "Cookie": ["parlance_session=" + "x" * 5000, "parlance_session=\xff", ";;;=;"],
}


def test_a60_odd_headers_break_nothing(world):
    wrong = []
    chosen = {
        "conversations_change",
        "conversations_read",
        "conversations_start",
        "attachments_download",
        "turns_events",
    }

    for position, operation in enumerate(each for each in operations() if each.id in chosen):
        for name, values in HEADERS.items():
            for value in some(values, position, 2):
                with transaction.atomic():
                    response = call(operation, world.ids, world.headers["B"] | {name: value})
                    transaction.set_rollback(True)
                if response.status_code >= 500:
                    wrong.append(f"{operation.method} {operation.path} {name}: {value[:20]} {response.status_code}")

    assert wrong == []


def test_a59_no_query_reaches_the_database_as_a_command(world, record_property):
    """X, whose own conversation is empty, finds nothing of anybody whatever is asked."""
    start(actor_of(world.people["X"]), first_project_of(world.people["X"]), title="Mine")
    before, wrong, asked = rows(), [], 0

    for operation in with_queries():
        for position, name in enumerate(operation.query):
            for value in some(INJECTIONS, position, 12):
                query = {"q": "x"} if "q" in operation.query else {}
                asked += 1
                for _ in range(3):  # what is slow is slow each time
                    with measured() as taken:
                        response = call(
                            operation, random_ids(world.ids), world.headers["X"], query=query | {name: value}
                        )
                    if taken[0] <= SECONDS and taken[1] <= WALL_SECONDS:
                        break
                text = content_of(response)
                is_answered = response.status_code in {200, 400, 403, 404} and b"ecret" not in text
                if not is_answered or taken[0] > SECONDS or taken[1] > WALL_SECONDS:
                    wrong.append(f"{operation.path}?{name}={value!r}: {response.status_code} {taken} {text[:200]}")

    record_property("got", f"{asked} injected queries")
    assert wrong == []
    assert rows() == before


@pytest.mark.parametrize(
    "name", ["order", "ordering", "sort", "order_by", "fields", "filter", "offset", "owner__password"]
)
def test_a59_there_is_no_order_by_to_inject(name, world):
    wrong = []
    for operation in with_queries():
        status, _content = undone(
            operation, world, query={name: "-password"} | ({"q": "x"} if "q" in operation.query else {})
        )
        if status != 400 and "{" not in operation.path:
            wrong.append(f"{operation.path}: {status}")

    assert wrong == []


def test_a59_cursor_of_another_list_or_key_is_refused(world):
    forged = [
        signing.dumps(
            ["n", "password", "x", str(world.ids["user_id"])], salt="parlance.cursor", key="other", compress=True
        ),
        signing.dumps(["n", "password", "x", str(world.ids["user_id"])], salt="parlance.cursor", compress=True),
        signing.dumps(["n", "pk) --", "x", "y"], salt="parlance.cursor", compress=True),
    ]
    wrong = []
    for operation in (each for each in with_queries() if "cursor" in each.query):
        for cursor in forged:
            query = {"cursor": cursor} | ({"q": "x"} if "q" in operation.query else {})
            status, content = undone(operation, world, query=query)
            if status != 400:
                wrong.append(f"{operation.path}: {status} {content[:100]}")

    assert wrong == []


def first_project_of(user):
    organizations = OrganizationMember.objects.filter(user=user).values("organization")
    return Project.objects.filter(organization__in=organizations).first()


@pytest.mark.parametrize("name", REPEATED)
def test_a63_search_answers_within_a_second(name, world):
    text = REPEATED[name]

    for operation in (each for each in with_queries() if "q" in each.query):
        limit = next(
            int(found["schema"].get("maxLength", 300)) for found in operation.parameters if found["name"] == "q"
        )
        with measured() as taken:
            response = call(operation, world.ids, world.headers["B"], query={"q": text[:limit]})

        assert response.status_code in {200, 400}
        assert taken[0] < SECONDS


@pytest.mark.parametrize("name", REPEATED)
def test_a63_titles_and_markdown_within_a_second(name, world):
    unit = REPEATED[name]
    text = unit * (90_000 // len(unit))
    change = next(each for each in operations() if each.id == "conversations_change")
    taken = {}

    with measured() as taken["markdown"]:
        markup.render(text)
    with measured() as taken["a title of a message"]:
        cleaned(text)
    with measured() as taken["a typed title"]:
        status, _content = undone(change, world, body={"title": text[:200]})

    assert status in {200, 400}
    assert {what: processor for what, (processor, _wall) in taken.items() if processor > SECONDS} == {}


def test_a63_no_pattern_of_ours_nests_repeats():
    """`(a+)+` and its kin, read off the compiled patterns of the modules that meet strangers' words."""
    patterns = [
        value.pattern
        for module in (markup, search, correlation)
        for value in vars(module).values()
        if isinstance(value, re.Pattern)
    ]

    assert patterns
    assert [each for each in patterns if re.search(r"\([^()]*[+*][^()]*\)[+*]", each)] == []


def test_a59_search_finds_only_what_one_may_see(world):
    find = next(each for each in operations() if each.id == "search")

    _status, seen = undone(find, world, query={"q": "Secret"})
    hidden = content_of(call(find, world.ids, world.headers["X"], query={"q": "Secret"}))

    assert b"Secret" in seen
    assert json.loads(hidden)["results"] == []
