"""Runs of workflows when what they stand on goes away: D1, D3, D6, D9, D29 and D34. All of them break the one stack of the ward."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter

import httpx
import pytest

from tests.faults.drill import LONG, SCALE, by_command, wait_until
from tests.faults.test_processes import START_SECONDS
from tests.workflows.office import Office, opened

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

COUNT = 400 if LONG else 60
#: A worker that was lost: its lease, a sweep, and a busy machine.
LEASE_SECONDS = 20 * SCALE + START_SECONDS
#: What is under way at SIGTERM has so long to end, then it is given back.
LEAVE_SECONDS = 25 * SCALE + START_SECONDS
PEOPLE = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
MAKE = {"call": "records.create", "with": {"collection": "people", "data": {"name": "${ $name | tostring }"}}}
ENDED = ("completed", "failed", "cancelled")


class Runs:
    """Somebody's runs: each makes so many records, one a turn of its loop."""

    def __init__(self, stack, talker):
        self.stack, self.talker, self.project = stack, talker, talker.person["project"]
        collection = {"project": self.project, "name": "People", "document": PEOPLE}
        self.collection = talker.post("collections/", collection, status=201)["id"]

    def define(self, do, name="drill"):
        said = {"dsl": "1.0.3", "namespace": "drills", "name": name, "version": "1.0.0", "title": name}
        body = {"project": self.project, "document": {"document": said, "do": do}}
        return self.talker.post("workflows/", body, status=201)["id"]

    def begin(self, workflow):
        return self.talker.post("runs/", {"workflow": workflow}, status=202)["id"]

    def read(self, run):
        with contextlib.suppress(httpx.HTTPError):
            answer = self.talker.client.get(f"runs/{run}/")
            if answer.status_code == 200:
                return answer.json()
        return {"status": "", "error": None}

    def until(self, run, seconds, *statuses):
        wait_until(lambda: self.read(run)["status"] in (statuses or ENDED), seconds, f"{self.read(run)['status']}")
        found = self.read(run)
        assert found["status"] != "failed", found["error"]
        return found

    def done(self, run):
        """(path, visit) → the step that is done, of what the run came through."""
        sql = "SELECT path, visit, id FROM workflows_step WHERE run_id = %s AND status = 'completed'"
        return {(path, visit): pk for path, visit, pk in self.stack.sql(sql, [run])}

    def names(self):
        """Of all records, how often each is there."""
        sql = "SELECT data->>'name' FROM extraction_record WHERE collection_id = %s AND deleted_at IS NULL"
        return Counter(name for (name,) in self.stack.sql(sql, [self.collection]))

    def until_made(self, count):
        wait_until(lambda: sum(self.names().values()) >= count, 60, f"{count} records")


def loop(count=COUNT, *, first=0, **task):
    """``task`` for each number."""
    return {"all": {"for": {"each": "name", "in": f"${{ [range({first}; {first + count})] }}"}, "do": [task]}}


def once(count=COUNT):
    return Counter(str(number) for number in range(count))


@pytest.fixture
def runs(broken):
    stack, talker, _examine = broken
    return Runs(stack, talker)


def test_d1_worker_killed_in_the_middle_of_a_run(broken, runs, seen):
    """kill -9 of the workers in the middle of a run: only the step in flight is done again, what it makes is there once."""
    stack, _talker, examine = broken
    run = runs.begin(runs.define([loop(make=MAKE)]))
    runs.until_made(COUNT / 4)

    stack.kill("calls")
    before = runs.done(run)
    assert 0 < len(before) < COUNT
    stack.start("calls")
    runs.until(run, LEASE_SECONDS + COUNT / 10, "completed")

    after = runs.done(run)
    assert len(after) == COUNT + 1  # and the loop
    assert before.items() <= after.items()
    assert runs.names() == once()
    examine()
    seen(f"{len(before)} of {COUNT} steps at the kill, each kept, all made once")


class Bookings(Office):
    """It takes its time at the third call until somebody says that it may answer; what has the same key is the same booking."""

    def __init__(self):
        super().__init__()
        self.calls, self.is_asked, self.may_answer = [], threading.Event(), threading.Event()

    def answer(self, path, headers, body):
        self.calls.append((headers["Idempotency-Key"], body))
        if len(self.calls) == 3:
            self.is_asked.set()
            self.may_answer.wait(LEAVE_SECONDS)
        return 200, {"booked": len({key for key, _body in self.calls})}, {}


@by_command
def test_d1_worker_killed_while_another_server_is_asked(broken, runs, settings, seen):
    """kill -9 while a step waits for another server: that one call is made again with its key, so it has its effect once; no other is."""
    stack, _talker, examine = broken
    with opened(Bookings(), settings) as office:
        run = booking(runs, office)
        stack.kill("calls")
        office.may_answer.set()
        stack.start("calls")
        runs.until(run, LEASE_SECONDS, "completed")

    told = Counter(office.calls)
    assert sorted(told.values()) == [1, 1, 1, 1, 2]
    assert told[office.calls[2]] == 2
    assert len({key for key, _body in office.calls}) == 5
    examine()
    seen("five bookings by six calls, the one in flight twice with one key")


def booking(runs, office):
    """A run that waits for the third of five answers."""
    call = {"call": "http", "with": {"method": "POST", "endpoint": office.url, "body": {"for": "${ $name }"}}}
    run = runs.begin(runs.define([loop(5, book=call)]))
    assert office.is_asked.wait(30)
    return run


@by_command
def test_d3_sigterm_while_another_server_is_asked(broken, runs, settings, seen):
    """SIGTERM while a step waits for another server: it is given back after 25 s, nobody waits for its lease; the call is made again with its key."""
    stack, _talker, examine = broken
    with opened(Bookings(), settings) as office:
        run = booking(runs, office)
        held = "SELECT lease_until IS NOT NULL FROM workflows_run WHERE id = %s"
        stack.send("calls", signal.SIGTERM)
        began = time.monotonic()
        wait_until(lambda: not stack.sql(held, [run])[0][0], LEAVE_SECONDS, "given back")
        took = time.monotonic() - began
        office.may_answer.set()
        stack.kill("calls")
        stack.start("calls")
        runs.until(run, START_SECONDS, "completed")

    told = Counter(office.calls)
    assert sorted(told.values()) == [1, 1, 1, 1, 2]
    assert told[office.calls[2]] == 2
    examine()
    seen(f"given back after {took:.1f} s, five bookings by six calls")


class Silent(Office):
    """It answers nobody until it may."""

    def __init__(self):
        super().__init__()
        self.asked, self.answered, self.may_answer = 0, 0, threading.Event()

    def answer(self, path, headers, body):
        self.asked += 1
        self.may_answer.wait(60)
        self.answered += 1
        return 200, {}, {}


@by_command
def test_d29_servers_that_hang(broken, runs, settings, seen):
    """Six steps wait for a server that does not answer: files are read and a run that asks nobody ends meanwhile."""
    _stack, talker, examine = broken
    with opened(Silent(), settings) as office:
        call = {"call": "http", "with": {"method": "GET", "endpoint": office.url}}
        hanging = runs.define([{"ask": call}], "hanging")
        waiting = [runs.begin(hanging) for _number in range(6)]
        wait_until(lambda: office.asked == 6, 30, "six calls")
        began = time.monotonic()
        file = talker.client.post(
            "attachments/", data={"project": runs.project}, files={"file": ("quay.txt", b"The third quay.")}
        ).json()["id"]
        runs.until(runs.begin(runs.define([loop(5, make=MAKE)], "quick")), 30, "completed")
        ready = lambda: talker.client.get(f"attachments/{file}/").json()["text"]["state"] == "ready"  # noqa: E731
        wait_until(ready, 30, "the file was read")
        took, answered = time.monotonic() - began, office.answered
        office.may_answer.set()
        for run in waiting:
            wait_until(lambda: runs.read(run)["status"] in ENDED, 60, "ended")  # noqa: B023

    assert answered == 0
    examine()
    seen(f"a file and a run of five steps in {took:.1f} s beside six calls under way")


@by_command
def test_d6_redis_wiped_while_runs_go_on(broken, runs, seen):
    """Redis killed, wiped and restarted: a run goes on from Postgres, what people begin and let in meanwhile is taken up within 60 s, each effect once."""
    stack, talker, examine = broken
    gate = {"metadata": {"parlance": {"stage": {"title": "More", "manual": True}}}}
    waiting = runs.begin(runs.define([{"more": {**gate, "do": [loop(5, first=COUNT, make=MAKE)]}}], "waiting"))
    runs.until(waiting, 30, "waiting")
    late = runs.define([loop(5, first=COUNT + 5, make=MAKE)], "late")
    run = runs.begin(runs.define([loop(make=MAKE)]))
    runs.until_made(COUNT / 4)

    redis = stack.services.redis
    redis.kill()
    for file in redis.folder.rglob("*"):
        if file.is_file():
            file.unlink()
    at_the_kill = len(runs.done(run))
    assert at_the_kill < COUNT
    talker.post(f"runs/{waiting}/advance/", {"stage": "more"}, status=202)
    begun = runs.begin(late)
    redis.start()
    took = wait_until(
        lambda: all(runs.read(each)["status"] in ENDED for each in (run, waiting, begun)), 60, "all ended"
    )

    assert [runs.read(each)["status"] for each in (run, waiting, begun)] == ["completed"] * 3
    assert runs.names() == once(COUNT + 10)
    examine()
    seen(f"{at_the_kill} of {COUNT} steps at the kill; all three runs ended {took:.1f} s after the start")


def test_d9_postgres_restarts_in_the_middle_of_a_run(broken, runs, seen):
    """PostgreSQL restarts in the middle of a run: it goes on where it was, nothing that was done is done again."""
    stack, _talker, examine = broken
    run = runs.begin(runs.define([loop(make=MAKE)]))
    runs.until_made(COUNT / 4)
    before = runs.done(run)
    assert len(before) < COUNT

    stack.services.postgres.stop()
    stack.services.postgres.start()
    runs.until(run, LEASE_SECONDS + COUNT / 10, "completed")

    assert before.items() <= runs.done(run).items()
    assert runs.names() == once()
    examine()
    seen(f"{len(before)} of {COUNT} steps before, all made once")


@contextlib.contextmanager
def killed_at(stack, role, failpoints):
    """The process, and all that it forks, is killed at these places."""
    whole = dict(stack.env)
    if stack.is_running(role):
        stack.kill(role)
    stack.env |= {"PARLANCE_TESTING": "1", "PARLANCE_FAILPOINTS": failpoints}
    try:
        stack.start(role)
        yield
    finally:
        stack.env.clear()
        stack.env |= whole
        if stack.is_running(role):
            stack.kill(role)
        stack.start(role)


@by_command
def test_d34_killed_between_commit_and_what_follows(broken, runs, seen):
    """kill -9 between the commit and the hint that begins a run, and of worker after worker between its commits: no run is lost, each effect once."""
    stack, talker, examine = broken
    workflow = runs.define([loop(make=MAKE)])
    stack.kill("calls")

    with killed_at(stack, "web-2", "after_commit=kill@1"), pytest.raises(httpx.HTTPError):
        talker.client.post(f"{stack.url_of('web-2')}/api/v1/runs/", json={"workflow": workflow})
    ((run,),) = stack.sql("SELECT id FROM workflows_run WHERE definition_id = %s", [workflow])
    every = 3 * COUNT // 5
    with killed_at(stack, "calls", f"before_commit=kill@{every}"):
        wait_until(lambda: another_lives(stack) and lives(stack, run) >= 3, 4 * LEASE_SECONDS, "two workers were lost")
    runs.until(run, LEASE_SECONDS + COUNT / 10, "completed")

    assert runs.names() == once()
    assert len(runs.done(run)) == COUNT + 1
    examine()
    seen(f"begun by nobody's hint, finished by worker {lives(stack, run)}, all made once")


def another_lives(stack):
    """As the supervisor does: who was killed is started again."""
    if not stack.is_running("calls"):
        stack.start("calls")
    return True


def lives(stack, run):
    """How many workers had it."""
    return stack.sql("SELECT attempts FROM workflows_run WHERE id = %s", [run])[0][0]
