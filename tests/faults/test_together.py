"""What several processes must agree on: whose request something was, which providers are on, and which of them rest."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.faults.drill import ENV, Talker, seed, wait_until
from tests.provider.fixtures import Provider
from tests.stack import Stack


@pytest.fixture(scope="module")
def pair(running_provider: Provider) -> Iterator[Stack]:
    """Two workers with the real time-outs."""
    running_provider.reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARLANCE_LOG_LEVEL", "INFO")  # Celery takes it from its command line
        with Stack(env={**ENV, "PARLANCE_TIME_SCALE": "1.0", "PARLANCE_LOG_FORMAT": "json"}, interactives=2) as stack:
            yield stack


@pytest.fixture
def talkers(pair, provider) -> Iterator[list[Talker]]:
    """One person of a new organization in four conversations."""
    (person,) = seed(pair, provider)
    with contextlib.ExitStack() as all_:
        yield [all_.enter_context(contextlib.closing(Talker(pair, person))) for _number in range(4)]


def lines_about(stack: Stack, role: str, request_id: str) -> list[dict]:
    found = [line for line in stack.log(role).splitlines() if line.startswith("{") and request_id in line]
    return [entry for line in found if (entry := json.loads(line)).get("correlation_id") == request_id]


def test_keys_change_while_it_serves(talkers, pair):
    """A new key for all that is sealed: provider's keys open before, while and after it in every process, and nothing keeps the old one."""
    talker = talkers[0]
    slow = talker.say("[[stub tokens=60 rate=20]] while the key changes")

    said = pair.manage("rotate_keys")

    turns = [talker.until_final(slow, 30), *(talker.until_final(each.say("after"), 30) for each in talkers[:2])]
    assert "Key k2 is in force" in said
    assert [turn["status"] for turn in turns] == ["completed"] * 3
    assert pair.sql("SELECT count(*) FROM llm_provider WHERE api_key LIKE 'v1:k1:%%'") == [(0,)]
    assert pair.manage("rotate_keys", "--retire").strip() == "Forgotten: k1."
    assert talker.until_final(talkers[3].say("with the new key alone"), 30)["status"] == "completed"


def test_request_id_is_found_wherever_its_request_had_an_effect(talkers, pair):
    """One id: in the header of the answer, the turn, the events of web and worker, the ledger and the worker's log."""
    talker, ids = talkers[0], ["from-the-outside-1", "from-the-outside-2"]
    address = f"conversations/{talker.conversation}/messages/"
    # The second turn waits for the first, whose end starts it: it keeps its own id all the same.
    answers = [
        talker.client.post(address, json={"client_id": str(uuid4()), "content": text}, headers={"X-Request-ID": each})
        for text, each in zip(("[[stub tokens=30 rate=60]] one", "two"), ids, strict=True)
    ]
    turns = [talker.until_final(answer.json(), 30) for answer in answers]

    assert [answer.headers["X-Request-ID"] for answer in answers] == ids
    assert [turn["status"] for turn in turns] == ["completed", "completed"]
    for request_id, answer, turn in zip(ids, answers, turns, strict=True):
        posted = answer.json()
        kept = pair.sql("SELECT correlation_id FROM conversations_turn WHERE id = %s", [turn["id"]])
        assert kept == [(request_id,)]
        events = pair.sql(
            "SELECT type, correlation_id FROM core_event WHERE subject_id IN (%s, %s) ORDER BY position",
            [posted["message"]["id"], turn["id"]],
        )
        assert events == [
            ("conversations.message_posted", request_id),
            ("conversations.turn_started", request_id),
            ("conversations.turn_completed", request_id),
        ]
        ledger = pair.sql("SELECT purpose, correlation_id FROM llm_callattempt WHERE turn_id = %s", [turn["id"]])
        assert ("chat", request_id) in ledger
        assert {found for _purpose, found in ledger} == {request_id}
        worker = pair.sql("SELECT worker FROM conversations_turn WHERE id = %s", [turn["id"]])[0][0]
        logged = [line for role in pair.roles for line in lines_about(pair, role, request_id)]
        ended = [line for line in logged if line["event"] == "turn_ended"]
        assert [(line["turn"], line["status"]) for line in ended] == [(turn["id"], "completed")], worker


def workers_of(stack: Stack, turns: list[dict]) -> set[str]:
    rows = stack.sql(
        "SELECT DISTINCT worker FROM conversations_turn WHERE id = ANY(%s::uuid[])", [[t["id"] for t in turns]]
    )
    return {worker for (worker,) in rows}


def ask_both(stack: Stack, talkers: list[Talker], text: str = "hello") -> list[dict]:
    """Ask until each of the two workers has answered; the turns."""
    turns: list[dict] = []
    for _round in range(15):
        posted = [(talker, talker.say(text)) for talker in talkers]
        turns += [talker.until_final(each, 60) for talker, each in posted]
        if len(workers_of(stack, turns)) == 2:
            return turns
    raise AssertionError(f"one worker took all {len(turns)} turns")


def outcomes(turns: list[dict]) -> set[tuple[str, str | None]]:
    return {(turn["status"], turn["reason"]) for turn in turns}


def chats(provider: Provider) -> int:
    """Calls for answers; titles come when they come."""
    return sum("You name conversations" not in json.dumps(body) for body in provider.bodies)


def test_provider_switched_off_is_off_in_every_worker_within_two_seconds(talkers, pair, provider):
    """Switched off and on again over the API in the web process; the next call of both workers knows."""
    assert outcomes(ask_both(pair, talkers)) == {("completed", None)}
    client = talkers[0].client
    organization = talkers[0].person["organization"]
    (stub,) = client.get("providers/", params={"organization": organization}).json()["results"]
    before = chats(provider)

    client.patch(f"providers/{stub['id']}/", json={"is_enabled": False}).raise_for_status()
    time.sleep(2)
    refused = ask_both(pair, talkers)
    client.patch(f"providers/{stub['id']}/", json={"is_enabled": True}).raise_for_status()
    time.sleep(2)
    again = ask_both(pair, talkers)

    assert {status for status, _reason in outcomes(refused)} == {"failed"}
    assert chats(provider) == before + len(again)
    assert outcomes(again) == {("completed", None)}


def test_breaker_that_one_worker_opened_is_open_in_the_other(talkers, pair, provider):
    """Five failures in a row: after that neither of the two workers calls the provider."""
    ask_both(pair, talkers)
    provider.default(status=500)
    for _failure in range(2):
        assert talkers[0].until_final(talkers[0].say("fail"), 60)["status"] == "failed"
    wait_until(lambda: pair.redis().keys("*breaker*open*"), 5, "an open breaker")
    before = chats(provider)

    refused = ask_both(pair, talkers)

    assert {status for status, _reason in outcomes(refused)} == {"failed"}
    assert chats(provider) == before
