"""Faults of work over many items: D29 and D35, on a stack of their own that has the sample kinds."""

from __future__ import annotations

import contextlib
import threading
import time

import httpx
import pytest

from tests.faults.drill import ENV, LONG, SCALE, Talker, invariants, seed, wait_until
from tests.stack import Stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

ITEMS = 10_000 if LONG else 1000
ENDED = ("completed", "completed_with_failures", "cancelled", "expired", "failed")


class Bulk:
    """Somebody with a key who runs operations."""

    def __init__(self, stack, person):
        self.stack, self.person = stack, person
        headers = {"Authorization": f"Bearer {person['key']}"}
        self.client = httpx.Client(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=30)

    def begin(self, kind="sampleapp.notes", **params):
        body = {"project": self.person["project"], "kind": kind, "params": params, "start": True}
        answer = self.client.post("bulk-operations/", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def read(self, pk):
        with contextlib.suppress(httpx.HTTPError):
            answer = self.client.get(f"bulk-operations/{pk}/")
            if answer.status_code == 200:
                return answer.json()
        return {"status": "", "counts": {"succeeded": 0, "total": 0}}

    def ended(self, pk):
        counts = self.read(pk)["counts"]
        return counts["total"] - counts.get("pending", 0) - counts.get("running", 0) if counts["total"] else 0

    def until_ended(self, pk, seconds):
        wait_until(lambda: self.read(pk)["status"] in ENDED, seconds, f"{self.read(pk)} has ended")
        return self.read(pk)

    def effects(self, pk):
        """How many rows the items wrote, and how many different ones."""
        return self.stack.sql(
            "SELECT count(*), count(DISTINCT text) FROM sampleapp_note WHERE text LIKE %s", [f"{pk}:%"]
        )[0]


@pytest.fixture(scope="module")
def bulk(running_provider):
    with Stack(own_services=True, env={**ENV, "PARLANCE_EXTRA_APPS": "tests.sampleapp"}) as stack:
        made = Bulk(stack, seed(stack, running_provider)[0])
        try:
            yield made
        finally:
            made.client.close()


class Talking:
    """A few people talk without a pause. How many answers a second end is the throughput of the queue ``interactive``, which is not the one
    in which items run.
    """

    PEOPLE = 3

    def __init__(self, bulk):
        self.talkers = [Talker(bulk.stack, bulk.person) for _number in range(self.PEOPLE)]
        self.ended, self.stops = [0] * self.PEOPLE, threading.Event()
        self.threads = [threading.Thread(target=self._talk, args=[place]) for place in range(self.PEOPLE)]

    def _talk(self, place):
        talker = self.talkers[place]
        while not self.stops.is_set():
            turn = talker.until_final(talker.say("[[stub tokens=3]] on"), 60)
            self.ended[place] += turn["status"] == "completed"

    def rate(self, wait):
        """Answers a second while ``wait`` lasts, and what it gives."""
        began, ended = time.monotonic(), sum(self.ended)
        found = wait()
        return (sum(self.ended) - ended) / (time.monotonic() - began), found

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: all(self.ended), 30, "everybody has an answer")
        return self

    def __exit__(self, *_error):
        self.stops.set()
        for thread in self.threads:
            thread.join(90)
        for talker in self.talkers:
            talker.close()


def test_d29_item_that_kills_its_worker(bulk, seen):
    """A poison item: at most three starts, then it is set aside and told of; its neighbours and other queues go on."""
    began = []

    def poisoned():
        began.append(bulk.begin(count=60, poison=17))
        return bulk.until_ended(began[0], 4 * 20 * SCALE + 60)

    told = ""
    if LONG:
        with Talking(bulk) as talking:
            before, _nothing = talking.rate(lambda: time.sleep(30))
            during, done = talking.rate(poisoned)
        told = f"; {before:.1f} answers a second in the other queue before it, {during:.1f} meanwhile"
        assert during >= 0.8 * before, told
    else:
        done = poisoned()

    (pk,) = began
    assert (done["status"], done["counts"]["succeeded"], done["counts"]["failed"]) == ("completed_with_failures", 59, 1)
    assert bulk.effects(pk) == (59, 59)
    assert [(cause["code"], cause["first_item"]) for cause in done["causes"]] == [("worker_lost", 17)]
    sql = "SELECT payload FROM core_event WHERE type = 'bulk.item_gave_up' AND subject_id = %s"
    assert [row[0]["attempts"] for row in bulk.stack.sql(sql, [pk])] == [3]
    invariants(bulk.stack)
    seen(f"3 starts, set aside, 59 neighbours done once each{told}")


def test_d35_workers_killed_and_redis_wiped_half_way(bulk, seen):
    """10,000 items (short form: 1,000), workers killed at half, Redis wiped: resumes, each item's effect exactly once, counts add up; cancel within 5 s."""
    pk = bulk.begin(count=ITEMS, seconds=0.004)
    wait_until(lambda: bulk.ended(pk) >= ITEMS / 2, 240, "half of it")

    bulk.stack.kill("jobs")
    before = bulk.ended(pk)
    redis = bulk.stack.services.redis
    redis.kill()
    for file in redis.folder.rglob("*"):
        if file.is_file():
            file.unlink()
    redis.start()
    began = time.monotonic()
    bulk.stack.start("jobs")
    wait_until(lambda: bulk.ended(pk) > before, 60, "it goes on")
    resumed = time.monotonic() - began
    done = bulk.until_ended(pk, 300)

    assert (done["status"], done["counts"]["succeeded"], done["counts"]["total"]) == ("completed", ITEMS, ITEMS)
    assert bulk.effects(pk) == (ITEMS, ITEMS)
    invariants(bulk.stack)

    other = bulk.begin(count=ITEMS, seconds=0.02)
    wait_until(lambda: bulk.ended(other) >= 20, 60, "some items")
    began = time.monotonic()
    assert bulk.client.post(f"bulk-operations/{other}/cancel/").status_code == 202
    wait_until(lambda: bulk.read(other)["status"] == "cancelled", 30, "cancelled")
    took = time.monotonic() - began
    kept = bulk.effects(other)
    time.sleep(2)

    assert took <= 5, took
    counts = bulk.read(other)["counts"]
    assert bulk.effects(other) == kept == (counts["succeeded"], counts["succeeded"])
    assert counts["succeeded"] + counts["cancelled"] == ITEMS
    invariants(bulk.stack)
    seen(f"{before} of {ITEMS} at the kill, went on after {resumed:.1f} s, all once; cancelled after {took:.1f} s")
