"""Faults of our own processes and services: D1 to D6, D9, D11, D12."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Self

import httpx
import psycopg
import pytest

from tests.faults.drill import LONG, SCALE, Talker, broken_later, invariants, is_beginning, seed, slow, wait_until
from tests.provider.script import expected_text

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        "PARLANCE_DRILLS" not in os.environ,
        reason="each needs servers of its own and most of a minute: PARLANCE_DRILLS=short, or make drills",
    ),
]


def test_d1_worker_killed_after_some_tokens(provider, seen):
    """kill -9 the streaming worker: `interrupted: worker_lost` in time, the text kept, Continue works, one call."""
    with broken_later(provider) as (stack, talker):
        posted = talker.say(slow(400, 30))
        reading = talker.read(posted)
        wait_until(lambda: reading.text.count(" ") > 30, 30, "thirty words")

        stack.kill("interactive")
        began = time.monotonic()
        shown = reading.text
        turn = talker.until_final(posted, 35 * max(SCALE, 0.4))
        took = time.monotonic() - began

        assert (turn["status"], turn["reason"], turn["usage"]["estimated"]) == ("interrupted", "worker_lost", True)
        kept = talker.answer(posted)["content"]
        assert kept.startswith(shown)
        assert is_beginning(kept, 400)
        assert len([call for call in provider.bodies if call.get("stream")]) == 1
        stack.start("interactive")
        continued = talker.post(f"messages/{posted['answer']['id']}/continue/", status=202)
        assert talker.until_final(continued, 60)["status"] == "completed"
        assert talker.answer(posted)["content"].startswith(kept)
        invariants(stack)
        seen(f"ended after {took:.1f} s with {len(kept.split())} words")


def test_d2_all_workers_killed_and_started_again(provider, seen):
    """kill -9 all workers, start them later: the running turn ends as D1, queued ones run in order."""
    with broken_later(provider) as (stack, talker):
        first = talker.say(slow(400, 30))
        queued = [talker.say(f"[[stub tokens=3]] {number}") for number in range(3)]
        reading = talker.read(first)
        wait_until(lambda: reading.seq > 3, 30, "some words")

        stack.kill("interactive")
        stack.kill("jobs")
        time.sleep(20 * SCALE)
        stack.start("jobs")
        stack.start("interactive")
        began = time.monotonic()

        assert talker.until_final(first, 60)["reason"] == "worker_lost"
        ended = [talker.until_final(each, 60) for each in queued]
        assert [turn["status"] for turn in ended] == ["completed"] * 3
        assert [turn["finished_at"] for turn in ended] == sorted(turn["finished_at"] for turn in ended)
        invariants(stack)
        seen(f"all ended {time.monotonic() - began:.1f} s after the start")


def test_d3_deploy_while_streams_run(provider, seen):
    """SIGTERM during streams: short ones finish in the grace, long ones end `interrupted: shutdown`, queued ones are not lost."""
    count = 20 if LONG else 6
    with broken_later(provider) as (stack, talker):
        people = seed(stack, provider, people=count)
        talkers = [Talker(stack, person) for person in people]
        quick = [each.say(slow(40, 20)) for each in talkers[: count // 2]]
        long = [each.say(slow(4000, 20)) for each in talkers[count // 2 :]]
        readings = [each.read(posted) for each, posted in zip(talkers, quick + long, strict=True)]
        wait_until(lambda: all(reading.seq > 1 for reading in readings), 30, "all streams run")

        stack.kill("interactive", signal.SIGTERM, wait_seconds=60)
        late = talkers[0].say("[[stub tokens=3]] after the deploy")
        stack.start("interactive")

        done = [each.until_final(posted, 30) for each, posted in zip(talkers, quick, strict=False)]
        cut = [each.until_final(posted, 30) for each, posted in zip(talkers[count // 2 :], long, strict=True)]
        assert {turn["status"] for turn in done} == {"completed"}
        assert {(turn["status"], turn["reason"]) for turn in cut} == {("interrupted", "shutdown")}
        assert talkers[0].until_final(late, 40)["status"] == "completed"
        invariants(stack)
        seen(f"{len(done)} finished, {len(cut)} interrupted, 0 queued lost")
        del talker


def test_d4_web_process_killed_in_the_middle(provider, seen):
    """kill -9 the web process: the reader resumes at another one, no token missing, the turn unaffected."""
    with broken_later(provider, webs=2) as (stack, talker):
        posted = talker.say(slow(120, 30))
        reading = talker.read(posted)
        wait_until(lambda: reading.seq > 10, 30, "some words")

        stack.kill("web")
        began = time.monotonic()
        before = reading.seq
        reading.url = reading.url.replace(stack.url_of("web"), stack.url_of("web-2"))
        wait_until(lambda: reading.seq > before, 10, "words again")
        resumed = time.monotonic() - began
        wait_until(lambda: reading.final, 30, "the final event")

        assert (reading.text, reading.gaps, reading.final) == (expected_text(120), 0, "completed")
        seen(f"words again after {resumed:.1f} s")


def test_d5_redis_restarts(provider, seen):
    """Redis away for a while: POST still 202, the stream goes on, readers catch up, nothing lost."""
    with broken_later(provider) as (stack, talker):
        posted = talker.say(slow(150, 30))
        reading = talker.read(posted)
        wait_until(lambda: reading.seq > 5, 30, "some words")

        stack.services.redis.stop()
        time.sleep(1)
        while_away = Talker.say(talker, "[[stub tokens=5]] while Redis is away")
        time.sleep(1)
        stack.services.redis.start()
        began = time.monotonic()

        wait_until(lambda: reading.final, 60, "the final event")
        assert (reading.text, reading.final) == (expected_text(150), "completed")
        assert talker.answer(posted)["content"] == reading.text
        assert talker.until_final(while_away, 40)["status"] == "completed"
        invariants(stack)
        seen(f"final {time.monotonic() - began:.1f} s after Redis was back")


def test_d6_redis_wiped(provider, seen):
    """Redis wiped while a stream runs and turns wait: everything ends, text of client and database equal."""
    with broken_later(provider) as (stack, talker):
        posted = talker.say(slow(150, 30))
        queued = talker.say("[[stub tokens=5]] queued")
        reading = talker.read(posted)
        wait_until(lambda: reading.seq > 5, 30, "some words")

        stack.redis().flushall()
        began = time.monotonic()

        wait_until(lambda: reading.final, 90, "the final event")
        assert reading.final == "completed"
        assert reading.message["content"] == talker.answer(posted)["content"] == expected_text(150)
        assert talker.until_final(queued, 60)["status"] == "completed"
        invariants(stack)
        seen(f"all ended {time.monotonic() - began:.1f} s after the wipe")


def test_d9_postgres_restarts(provider, seen):
    """PostgreSQL away: 503 with Retry-After and no 500, the stream is buffered and persists, nothing lost."""
    with broken_later(provider) as (stack, talker):
        posted = talker.say(slow(200, 30))
        reading = talker.read(posted)
        wait_until(lambda: reading.seq > 5, 30, "some words")

        stack.services.postgres.stop()
        statuses = set()
        for _try in range(4):
            with contextlib.suppress(httpx.TimeoutException):
                answer = talker.client.get("conversations/")
                statuses.add((answer.status_code, "Retry-After" in answer.headers))
            time.sleep(0.5)
        stack.services.postgres.start()

        turn = talker.until_final(posted, 90)
        assert statuses == {(503, True)}
        assert turn["status"] == "completed"
        assert talker.answer(posted)["content"] == expected_text(200)
        invariants(stack)
        seen("503 while away, completed afterwards")


def test_d11_all_connections_taken(provider, seen):
    """Somebody takes every connection: 503 quickly, and everything works soon after the release."""
    with broken_later(provider) as (stack, talker):
        held = []
        with contextlib.suppress(psycopg.OperationalError):
            for _number in range(200):
                held.append(psycopg.connect(stack.env["DATABASE_URL"]))  # noqa: PERF401  (each may be the last)
        with ThreadedReads(talker) as reads:
            time.sleep(3)
        for each in held:
            each.close()
        began = time.monotonic()
        wait_until(lambda: talker.client.get("conversations/").status_code == 200, 10, "reading works again")

        assert len(held) > 10
        assert reads.statuses <= {200, 503}
        assert max(reads.seconds) < 12
        seen(
            f"{len(held)} taken, statuses {sorted(reads.statuses)}, well {time.monotonic() - began:.1f} s after the release"
        )


class ThreadedReads(contextlib.AbstractContextManager):
    """Twenty readers at once: more than the pool has at rest."""

    def __init__(self, talker: Talker) -> None:
        self.talker, self.statuses, self.seconds = talker, set(), [0.0]

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._read) for _each in range(20)]
        for thread in self._threads:
            thread.start()
        return self

    def _read(self) -> None:
        began = time.monotonic()
        with httpx.Client(base_url=self.talker.client.base_url, headers=self.talker.headers, timeout=30) as client:
            self.statuses.add(client.get("conversations/").status_code)
        self.seconds.append(time.monotonic() - began)

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()


def test_d12_table_locked(provider, seen):
    """A lock on the messages table: that path answers 503 in time, other paths go on."""
    with broken_later(provider) as (stack, talker), psycopg.connect(stack.owner_url) as blocker:
        blocker.execute("LOCK TABLE conversations_message IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        blocked = talker.client.post(f"conversations/{talker.conversation}/messages/", json={"content": "hello"})
        took = time.monotonic() - began
        others = talker.client.get("projects/")
        blocker.rollback()

        assert (blocked.status_code, others.status_code) == (503, 200)
        assert took < 5
        assert talker.until_final(talker.say("[[stub tokens=3]] again"), 40)["status"] == "completed"
        seen(f"503 after {took:.1f} s")
