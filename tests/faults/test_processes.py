"""Faults of our own processes: D1 to D4, D28. All of them break the one stack of the ward."""

from __future__ import annotations

import contextlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.drill import LONG, SCALE, Talker, by_command, is_beginning, slow, wait_until
from tests.provider.script import expected_text

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

#: Leases and sweeps are scaled, starting a process and a busy machine are not.
START_SECONDS = 15


def calls_for(provider, posted) -> int:
    """Calls that answer this message; a title of an earlier drill may be asked for meanwhile."""
    words = posted["message"]["content"]
    return sum(bool(body.get("stream")) and body["messages"][-1]["content"] == words for body in provider.bodies)


def test_d1_worker_killed_after_fifty_tokens(broken, provider, seen):
    """kill -9 the streaming worker after 50 tokens: `interrupted: worker_lost` within 35 s, text kept, usage estimated, Continue works, one call."""
    stack, talker, examine = broken
    posted = talker.say(slow(400, 50))
    reading = talker.read(posted)
    wait_until(lambda: reading.text.count(" ") >= 50, 30, "fifty words")

    stack.kill("interactive")
    began = time.monotonic()
    turn = talker.until_final(posted, 35 * SCALE + 5)
    took = time.monotonic() - began

    assert (turn["status"], turn["reason"], turn["usage"]["estimated"]) == ("interrupted", "worker_lost", True)
    wait_until(lambda: reading.final, 10, "the reader hears of the end")
    kept = talker.answer(posted)["content"]
    assert kept == reading.message["content"]
    assert kept.startswith(reading.text)
    assert is_beginning(kept, 400)
    assert calls_for(provider, posted) == 1
    stack.start("interactive")
    continued = talker.post(f"messages/{posted['answer']['id']}/continue/", status=202)
    assert talker.until_final(continued, 30)["status"] == "completed"
    assert talker.answer(posted)["content"].startswith(kept)
    examine()
    seen(f"ended after {took:.1f} s with {len(kept.split())} words, 1 call, continued")


@by_command
def test_d2_all_workers_killed_and_started_again(broken, provider, seen):
    """kill -9 all workers, start again after 20 s: the running turn ends as in D1, queued ones run in order, nothing waits for a visibility timeout."""
    stack, talker, examine = broken
    first = talker.say(slow(400, 50))
    queued = [talker.say(f"[[stub tokens=3]] {number}") for number in range(3)]
    reading = talker.read(first)
    wait_until(lambda: reading.text.count(" ") >= 50, 30, "fifty words")

    stack.kill("interactive")
    stack.kill("jobs")
    time.sleep(20 * SCALE)
    stack.start("jobs", "interactive")
    began = time.monotonic()

    turn = talker.until_final(first, 35 * SCALE + START_SECONDS)
    ended = [talker.until_final(each, 20 * SCALE + START_SECONDS) for each in queued]
    took = time.monotonic() - began
    assert (turn["status"], turn["reason"], turn["usage"]["estimated"]) == ("interrupted", "worker_lost", True)
    assert talker.answer(first)["content"].startswith(reading.text)
    assert [turn["status"] for turn in ended] == ["completed"] * 3
    assert [turn["finished_at"] for turn in ended] == sorted(turn["finished_at"] for turn in ended)
    examine()
    seen(f"the first ended and three queued ones ran {took:.1f} s after the start")


@by_command
def test_d3_deploy_while_streams_run(broken, ward, provider, seen):
    """SIGTERM during 100 streams (short form: 8): no new work, streams finish within the grace, the rest is `interrupted: shutdown`, 0 queued lost."""
    stack, talker, examine = broken
    count = 100 if LONG else 8
    with contextlib.ExitStack() as exits:
        talkers = [exits.enter_context(contextlib.closing(Talker(stack, ward.person()))) for _each in range(count)]
        half = count // 2

        def running() -> int:
            return stack.sql("SELECT count(*) FROM conversations_turn WHERE status = 'running' AND last_seq > 0")[0][0]

        # The long ones first, and many at once: the short ones must not have ended before the last has begun.
        with ThreadPoolExecutor(16) as pool:
            long = list(pool.map(lambda each: each.say(slow(4000, 20)), talkers[half:]))
            wait_until(lambda: running() == half, 60, "the long streams run")
            quick = list(pool.map(lambda each: each.say(slow(400 if LONG else 60, 20)), talkers[:half]))

        wait_until(lambda: running() == count, 30, "all streams run")
        began = time.monotonic()
        stack.send("interactive", signal.SIGTERM)
        late = talker.say("[[stub tokens=3]] after the deploy")
        wait_until(lambda: not stack.is_running("interactive"), 30 * SCALE + 15, "the worker has ended")
        took = time.monotonic() - began

        assert talker.turn(late["turn"]["id"])["status"] == "queued"
        stack.start("interactive")
        done = [each.until_final(posted, 30) for each, posted in zip(talkers[:half], quick, strict=True)]
        cut = [each.until_final(posted, 30) for each, posted in zip(talkers[half:], long, strict=True)]
        assert [turn["status"] for turn in done] == ["completed"] * half
        assert {(turn["status"], turn["reason"]) for turn in cut} == {("interrupted", "shutdown")}
        assert talker.until_final(late, 20 * SCALE + START_SECONDS)["status"] == "completed"
        shown = [each.answer(posted)["content"] for each, posted in zip(talkers[half:], long, strict=True)]
        assert all(is_beginning(text, 4000) for text in shown)
    examine()
    seen(f"{len(done)} finished, {len(cut)} interrupted, worker gone after {took:.1f} s, 0 queued lost")


def test_d4_web_process_killed_in_the_middle(broken, provider, seen):
    """kill -9 the web process mid-stream: the reader is at another one within 3 s, resumes at its seq, no token missing, the turn unaffected."""
    stack, talker, examine = broken
    other = Talker(stack, talker.person, base_url=stack.url_of("web-2"))
    posted = other.say(slow(200, 50))
    reading = talker.read(posted)
    wait_until(lambda: reading.seq > 10, 30, "some words")

    reading.url = reading.url.replace(stack.url_of("web"), stack.url_of("web-2"))
    stack.kill("web")
    began, before = time.monotonic(), reading.seq
    resumed = wait_until(lambda: reading.seq > before and reading.breaks, 10, "words again")
    wait_until(lambda: reading.final, 30, "the final event")

    assert resumed <= 3, resumed
    assert (reading.text, reading.gaps, reading.final) == (expected_text(200), 0, "completed")
    assert (reading.turn["attempts"], calls_for(provider, posted)) == (1, 1)
    other.close()
    examine()
    seen(f"words again after {resumed:.1f} s, all 200 after {time.monotonic() - began:.1f} s")


@by_command
def test_d28_work_longer_than_three_leases(broken, provider, seen):
    """A turn that runs longer than three leases while its hint is delivered again and again: one call, one effect."""
    stack, talker, examine = broken
    seconds = 3 * 15 * SCALE + 3
    posted = talker.say(slow(int(20 * seconds), 20))
    wait_until(lambda: talker.turn(posted["turn"]["id"])["status"] == "running", 15, "it runs")
    began = time.monotonic()

    code = (
        "import time\nfrom apps.core import jobs\n"
        f"for _n in range({int(seconds)}): jobs.hint('conversations.run_turn', turn_id='{posted['turn']['id']}'); time.sleep(1)"
    )
    stack.manage("shell", "-v0", "-c", code)
    turn = talker.until_final(posted, 30)

    assert (turn["status"], turn["attempts"]) == ("completed", 1)
    assert calls_for(provider, posted) == 1
    assert talker.answer(posted)["content"] == expected_text(int(20 * seconds))
    examine()
    seen(
        f"ran {time.monotonic() - began:.0f} s with leases of {15 * SCALE:.0f} s, hinted {int(seconds)} times more: 1 call"
    )
