"""Limits halve while everything is busy, and double back."""

import threading
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from apps.core import limits, pressure, redis
from apps.core.models import Event, ProcessHeartbeat
from apps.core.pressure import Pressure

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def calm():
    redis.client().delete(limits.halvings_key())
    yield
    redis.client().delete(limits.halvings_key())


def beat(name, role="interactive", *, taken=0, places=200, lag=0.0, age=timedelta(0)):
    row, _made = ProcessHeartbeat.objects.update_or_create(
        name=name,
        defaults={
            "role": role,
            "seen_at": Now() - age,
            "places_taken": taken,
            "places": places,
            "loop_lag_seconds": lag,
        },
    )
    return row


@pytest.mark.parametrize(
    ("share", "lag", "cause"),
    [
        (0.0, 0.0, ""),
        (0.8, 0.099, ""),
        (0.801, 0.0, "places"),
        (0.0, 0.1, "lag"),
        (0.9, 0.2, "places"),
    ],
)
def test_what_counts_as_busy(share, lag, cause):
    assert Pressure(share, lag).cause == cause


def test_halves_step_by_step_to_an_eighth_and_doubles_back():
    busy, calm = Pressure(share=0.9), Pressure()
    steps, now = [], 0
    for each in [busy] * 5 + [calm] * 4:
        now = pressure.next_halvings(now, each)
        steps.append(now)

    assert steps == [1, 2, 3, 3, 3, 2, 1, 0, 0]


def test_reads_the_fullest_role_and_the_latest_loop_of_processes_that_are_there():
    beat("a", taken=180)
    beat("b", taken=20)
    beat("web", "web", taken=100, places=200, lag=0.02)
    beat("gone", taken=200, lag=3.0, age=timedelta(minutes=1))

    assert pressure.read_pressure() == Pressure(share=0.5, lag_seconds=0.02)


def test_watch_halves_what_everybody_may_do_and_says_so_once_a_step():
    beat("a", taken=161)
    pressure.watch()
    pressure.watch()
    bucket = limits.Bucket("test", "watch", limits.Limit(10, 20))
    tight = limits.look_at(bucket)
    beat("a", taken=10)
    for _n in range(3):
        pressure.watch()

    assert (tight.burst, limits.look_at(bucket).burst) == (5, 20)
    facts = Event.objects.filter(type="core.limits_scaled").order_by("insertion").values_list("payload", flat=True)
    assert [(fact["halvings"], fact["cause"]) for fact in facts] == [
        (1, "places"),
        (2, "places"),
        (1, "calm"),
        (0, "calm"),
    ]


def test_terminal_is_told_of_a_begin_once_a_minute_and_of_its_end_however_soon(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(pressure, "monotonic", lambda: now[0])
    monkeypatch.setattr(pressure, "_told_at", 0.0)
    monkeypatch.setattr(pressure, "_is_told", False)
    caplog.set_level("INFO", logger="apps.core.pressure")
    for taken in (161, 10, 161, 161, 10, 10, 161, 10):
        beat("a", taken=taken)
        pressure.watch()
        now[0] += 20

    told = [(each.levelname, each.halvings) for each in caplog.records if each.message == "limits_scaled"]
    assert told == [
        ("WARNING", 1),
        ("WARNING", 0),
        ("INFO", 1),
        ("INFO", 2),
        ("INFO", 1),
        ("INFO", 0),
        ("WARNING", 1),
        ("WARNING", 0),
    ]


def test_watch_forgets_processes_of_long_ago_and_needs_no_redis(no_redis):
    beat("old", age=timedelta(hours=2))
    beat("new", taken=200)

    pressure.watch()

    assert list(ProcessHeartbeat.objects.values_list("name", flat=True)) == ["new"]
    assert not Event.objects.exists()


def test_two_hundred_parallel_calls_under_load_take_exactly_what_the_halved_limit_holds():
    redis.client().set(limits.halvings_key(), 1)
    barrier, outcomes = threading.Barrier(200), []

    def call():
        barrier.wait()
        try:
            limits.take("test", "parallel", rate=0.001, burst=20)
            outcomes.append("taken")
        except limits.LimitReached:
            outcomes.append("refused")

    threads = [threading.Thread(target=call) for _number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (outcomes.count("taken"), outcomes.count("refused")) == (10, 190)
