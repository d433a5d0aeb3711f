"""Every process tells its lag and places: from that the coordinator knows when everything is busy."""

import json
import time

import httpx
import psycopg
import pytest

from tests.stack import Stack


def beats(stack):
    with psycopg.connect(stack.owner_url) as connection:
        rows = connection.execute("SELECT role, places_taken, places, loop_lag_seconds FROM core_processheartbeat")
        return {role: (taken, places, lag) for role, taken, places, lag in rows}


@pytest.mark.timeout(300)
def test_web_and_workers_beat_and_a_429_of_v1_has_the_one_shape():
    with Stack(env={"PARLANCE_TIME_SCALE": "0.2", "PARLANCE_LIMIT_ADDRESS": "0.001/1"}) as stack:
        answers = [
            httpx.post(f"{stack.base_url}/v1/chat/completions", json={}, headers={"Authorization": "Bearer pk_none"})
            for _n in range(2)
        ]
        deadline = time.monotonic() + 30
        while not {"web", "interactive", "calls", "jobs"} <= beats(stack).keys() and time.monotonic() < deadline:
            time.sleep(0.2)
        found = beats(stack)

    assert [answer.status_code for answer in answers] == [401, 429]
    assert json.loads(answers[1].content)["error"]["code"] == "limit_reached"
    assert (answers[1].headers["RateLimit-Limit"], answers[1].headers["RateLimit-Remaining"]) == ("1", "0")
    assert 900 < int(answers[1].headers["Retry-After"]) <= 1000
    assert {role: (taken, places) for role, (taken, places, _lag) in found.items()} == {
        "web": (0, 200),
        "interactive": (0, 200),
        "calls": (0, 0),
        "jobs": (0, 0),
    }
    assert all(0 <= lag < 10 for _taken, _places, lag in found.values())
