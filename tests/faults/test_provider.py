"""Faults of the provider: D14 to D24, through the real API, against a stack that stays whole."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psutil
import pytest

from tests.faults.drill import SCALE, is_beginning, slow, wait_until
from tests.provider.script import expected_text

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def calls_of(provider, model: str) -> int:
    """Without those for titles, which ask for few tokens."""
    return sum(
        body.get("model") == model and not {"max_tokens", "max_completion_tokens"} & set(body)
        for body in provider.bodies
    )


def test_d14_too_many_requests_waits_as_asked(talker_with_fallback, provider, seen):
    """429 with `Retry-After: 5`: tried again no earlier, at most three tries, then the fallback answers."""
    wait = 5 if SCALE == 1 else 1
    provider.script(*[{"status": 429, "headers": {"Retry-After": str(wait)}}] * 3, model="stub-small")
    began = time.monotonic()

    posted = talker_with_fallback.say("hello")
    turn = talker_with_fallback.until_final(posted, 60)

    assert turn["status"] == "completed"
    assert calls_of(provider, "stub-small") <= 3
    assert turn["model"].endswith("stub-large") or time.monotonic() - began >= wait
    seen(
        f"{calls_of(provider, 'stub-small')} tries, answered by {turn['model']} after {time.monotonic() - began:.1f} s"
    )


def test_d15_long_retry_after_is_not_waited_for(talker, provider, seen):
    """429 with `Retry-After: 3600` and no fallback: `failed: rate_limited` within 2 s."""
    provider.script(*[{"status": 429, "headers": {"Retry-After": "3600"}}] * 3)
    began = time.monotonic()

    turn = talker.until_final(talker.say("hello"), 10)

    assert (turn["status"], turn["reason"]) == ("failed", "rate_limited")
    seen(f"failed after {time.monotonic() - began:.1f} s")


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_d16_server_errors_are_tried_again(talker, provider, status):
    """500, 502, 503, 529, then good: one stream, at most three attempts."""
    provider.script({"status": status}, {"status": status})

    posted = talker.say("hello")
    reading = talker.read(posted)
    turn = talker.until_final(posted, 40)

    assert turn["status"] == "completed"
    assert calls_of(provider, "stub-small") <= 3
    wait_until(lambda: reading.final, 10, "the reader's final event")
    assert (reading.text, reading.gaps) == (talker.answer(posted)["content"], 0)


def test_d18_hang_before_first_token_goes_to_the_fallback(talker_with_fallback, provider, seen):
    """Silence before the first token: the fallback answers, nothing is charged for that attempt."""
    provider.script(*[{"hang": 0}] * 3, model="stub-small")
    began = time.monotonic()

    turn = talker_with_fallback.until_final(talker_with_fallback.say("hello"), 130)

    assert (turn["status"], turn["is_fallback"]) == ("completed", True)
    seen(f"answered by the fallback after {time.monotonic() - began:.1f} s")


def test_d19_hang_after_50_tokens_keeps_them(talker, provider, seen):
    """Silence after 50 tokens: `failed: provider_stalled`, the tokens kept, no automatic retry."""
    provider.script({"tokens": 200, "rate": 200, "hang": 50})

    posted = talker.say("hello")
    turn = talker.until_final(posted, 60)

    assert (turn["status"], turn["reason"]) == ("failed", "provider_stalled")
    assert talker.answer(posted)["content"] == expected_text(50)
    assert calls_of(provider, "stub-small") == 1
    seen(f"ended after {turn['seconds']:.1f} s")


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        ("html", "provider_protocol"),
        ("json", "provider_protocol"),
        ("utf8", "provider_protocol"),
        ("tool_arguments", "provider_protocol"),
        ("long_line", "provider_protocol"),
        ("empty", "empty"),
    ],
)
def test_d21_garbage_is_named(talker, provider, steady, garbage, reason):
    """Garbage: each kind ends as `failed` with its code, the worker lives and stays small."""
    provider.script(*[{"garbage": garbage, "tool": "x" if garbage == "tool_arguments" else ""}] * 3)

    turn = talker.until_final(talker.say("hello"), 60)

    assert (turn["status"], turn["reason"]) == ("failed", reason)
    worker = psutil.Process(steady.pid("interactive"))
    assert worker.memory_info().rss < 512 * 2**20


def test_d22_provider_closes_after_50_tokens(talker, provider):
    """The provider closes after 50 tokens: `failed: provider_disconnected`, no silent switch of model."""
    provider.script({"tokens": 200, "rate": 500, "cut": 50, "reset": True})

    posted = talker.say("hello")
    turn = talker.until_final(posted, 30)

    assert (turn["status"], turn["reason"]) == ("failed", "provider_disconnected")
    assert talker.answer(posted)["content"] == expected_text(50)
    assert calls_of(provider, "stub-small") == 1


def test_d23_closing_the_page_stops_nothing(talker, provider):
    """The reader goes away in the middle: the answer completes, another device sees all of it."""
    posted = talker.say(slow(40, 40))
    reading = talker.read(posted)
    wait_until(lambda: reading.seq > 3, 10, "some words")
    reading.stop()

    turn = talker.until_final(posted, 30)
    other = talker.read(posted)
    wait_until(lambda: other.final, 10, "the other device's final event")

    assert turn["status"] == "completed"
    assert talker.answer(posted)["content"] == expected_text(40) == other.text
    assert turn["usage"]["output_tokens"] > 0


def test_d24_stop_ends_the_call_and_keeps_the_text(talker, provider, seen):
    """Stop: upstream closed within 1 s, `stopped`, text kept; a stop of an old turn leaves the new one running."""
    posted = talker.say(slow(400, 40))
    reading = talker.read(posted)
    wait_until(lambda: reading.seq > 3, 10, "some words")
    began = time.monotonic()

    talker.post(f"turns/{posted['turn']['id']}/stop/", status=202)
    turn = talker.until_final(posted, 10)
    took = time.monotonic() - began
    newer = talker.say(slow(60, 40))
    talker.post(f"turns/{posted['turn']['id']}/stop/", status=202)
    ended = talker.until_final(newer, 30)

    assert (turn["status"], ended["status"]) == ("stopped", "completed")
    assert is_beginning(talker.answer(posted)["content"], 400)
    provider.wait_for(lambda stats: any(call["client_closed_at"] for call in stats["calls"]))
    assert took < 3
    seen(f"confirmed after {took:.2f} s")


def test_d26_the_same_post_twenty_times_in_parallel(talker, provider):
    """The same POST twenty times: one message, one turn, twenty equal answers; another body with that id gives 422."""
    body = {"client_id": str(uuid4()), "content": "once"}
    address = f"conversations/{talker.conversation}/messages/"

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _n: talker.client.post(address, json=body), range(20)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["message"]["id"] for answer in answers}) == 1
    assert len({answer.json()["turn"]["id"] for answer in answers}) == 1
    listed = talker.client.get(address).json()["results"]
    assert [row["role"] for row in listed] == ["user", "assistant"]
    assert talker.client.post(address, json=body | {"content": "else"}).status_code == 422


def test_d27_the_same_hint_many_times_is_one_call(talker, provider, steady):
    """The same task delivered twice and more: one provider call."""
    posted = talker.say(slow(30, 60))
    code = (
        "from apps.core import jobs\n"
        f"[jobs.hint('conversations.run_turn', turn_id='{posted['turn']['id']}') for _n in range(10)]"
    )
    steady.manage("shell", "-v0", "-c", code)

    turn = talker.until_final(posted, 30)

    assert (turn["status"], turn["attempts"]) == ("completed", 1)
    assert calls_of(provider, "stub-small") == 1


def test_d17_refused_connections_open_the_breaker(talker, provider, steady, seen):
    """Nobody listens at the provider's address: after five failures the next answer fails at once."""
    steady.sql(
        "UPDATE llm_provider SET base_url = 'http://127.0.0.1:9/v1', version = version + 1 WHERE organization_id = %s",
        [talker.person["organization"]],
    )
    time.sleep(2.5)  # every process has read the new address by then
    for _failure in range(3):
        assert talker.until_final(talker.say("hello"), 60)["status"] == "failed"

    posted = talker.say("hello again")
    turn = talker.until_final(posted, 20)

    assert turn["status"] == "failed"
    assert turn["seconds"] < 1
    seen(f"the next one failed after {turn['seconds'] * 1000:.0f} ms: {turn['reason']}")
