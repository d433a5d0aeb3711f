"""The worker is killed between the rounds of an answer that asks tools (D1)."""

from __future__ import annotations

import shlex
from uuid import uuid4

import pytest

from tests.faults.drill import SCALE, wait_until
from tests.faults.test_processes import START_SECONDS
from tests.provider.script import expected_text

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
PEOPLE = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ARGUMENTS = shlex.quote('{"collection": "people"}')


@pytest.fixture
def looking(broken):
    """Somebody whose model calls tools, in a project that has something to read."""
    stack, talker, _examine = broken
    collection = talker.post(
        "collections/", {"project": talker.person["project"], "name": "People", "document": PEOPLE}, status=201
    )
    talker.post("records/", {"collection": collection["id"], "data": {"name": "Sarah"}}, status=201)
    for model in talker.person["models"].values():
        stack.sql("UPDATE llm_model SET can_call_tools = true WHERE id = %s", [model])
    return broken


def rounds_of(provider, posted) -> list[int]:
    """For each call that answers this message, titles aside: how many results of tools it was given."""
    words = posted["message"]["content"]
    return [
        sum(each["role"] == "tool" for each in body["messages"])
        for body in provider.bodies
        if body.get("tools") and any(each["content"] == words for each in body["messages"])
    ]


def ledger(stack, posted) -> list[tuple]:
    return stack.sql(
        "SELECT status FROM llm_callattempt WHERE turn_id = %s AND purpose = 'chat' ORDER BY started_at, id",
        [posted["turn"]["id"]],
    )


def kinds(message) -> list[str]:
    return [part["type"] for part in message["parts"]]


def test_d1_worker_killed_between_two_rounds(looking, provider, seen):
    """kill -9 while the second round waits for its first word: it runs again from the beginning, one answer, every call on the ledger."""
    stack, talker, examine = looking
    posted = talker.say(
        f"[[stub tool=records_search arguments={ARGUMENTS} delay=1.5 tokens=20 rate=200]] {uuid4().hex}"
    )
    wait_until(lambda: rounds_of(provider, posted) == [0, 1], 30, "the second round")
    wait_until(lambda: len(ledger(stack, posted)) == 2, 30, "its row, which is written beside the call")

    stack.kill("interactive")
    stack.start("interactive")
    turn = talker.until_final(posted, 35 * SCALE + START_SECONDS)

    assert (turn["status"], turn["reason"], turn["attempts"]) == ("completed", None, 2)
    answer = talker.answer(posted)
    assert answer["content"] == expected_text(20)
    assert kinds(answer) == ["tool_call", "tool_result", "text"]
    assert rounds_of(provider, posted) == [0, 1, 0, 1]
    rows = [status for (status,) in ledger(stack, posted)]
    assert (len(rows), rows.count("completed"), rows.count("started")) == (4, 3, 0)
    examine()
    seen(f"ran again and completed, calls on the ledger: {', '.join(rows)}")


def test_d1_worker_killed_in_the_words_of_the_second_round(looking, provider, seen):
    """kill -9 once the second round has words: interrupted with them, what tools were asked stands once, Continue works."""
    stack, talker, examine = looking
    posted = talker.say(f"[[stub tool=records_search arguments={ARGUMENTS} tokens=400 rate=50]] {uuid4().hex}")
    reading = talker.read(posted)
    wait_until(lambda: reading.text.count(" ") >= 30, 30, "thirty words")

    stack.kill("interactive")
    turn = talker.until_final(posted, 35 * SCALE + 5)

    assert (turn["status"], turn["reason"], turn["attempts"]) == ("interrupted", "worker_lost", 1)
    answer = talker.answer(posted)
    assert answer["content"].startswith(reading.text)
    assert kinds(answer) == ["tool_call", "tool_result", "text"]
    rows = [status for (status,) in ledger(stack, posted)]
    assert (len(rows), rows.count("completed"), rows.count("started")) == (2, 1, 0)
    stack.start("interactive")
    continued = talker.post(f"messages/{posted['answer']['id']}/continue/", status=202)
    assert talker.until_final(continued, 30)["status"] == "completed"
    assert talker.answer(posted)["content"].startswith(answer["content"])
    examine()
    seen(f"interrupted with {len(answer['content'].split())} words, continued")
