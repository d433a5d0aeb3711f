"""A failing check is told once, and once more when it is well."""

import pytest

from apps.core import alerts, health
from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.events import public_name
from apps.core.ids import uuid7
from apps.core.models import Event, EventDelivery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def check(monkeypatch):
    state = {"ok": True}
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(health, "_examiner", health.Examiner())
    one = HealthCheck("patient", lambda: Health(is_healthy=state["ok"]), is_critical=False)
    monkeypatch.setattr(health_checks, "_items", {"patient": one})
    return state


def told():
    rows = Event.objects.filter(type="core.health_changed").order_by("topic_position")
    return [(payload["check"], payload["is_healthy"]) for payload in rows.values_list("payload", flat=True)]


def test_change_is_told_once_each_way(check):
    alerts.watch()
    assert told() == []

    check["ok"] = False
    alerts.watch()
    alerts.watch()
    assert told() == [("patient", False)]

    check["ok"] = True
    alerts.watch()
    alerts.watch()
    assert told() == [("patient", False), ("patient", True)]


def park(consumer, position, event_id=None):
    EventDelivery.objects.create(
        consumer=consumer, event_id=event_id or uuid7(), position=position, state="parked", attempts=5
    )


def raised():
    rows = Event.objects.filter(topic=alerts.ALERTS).order_by("topic_position")
    return [(payload["on"], payload["count"], payload["up_to"]) for payload in rows.values_list("payload", flat=True)]


def test_parked_events_raise_one_alert_until_more_are_parked():
    alerts.tell_parked()
    assert raised() == []

    park("tests.one", 3)
    park("tests.one", 5)
    park("tests.two", 4)
    alerts.tell_parked()
    alerts.tell_parked()
    assert sorted(raised()) == [("tests.one", 2, 5), ("tests.two", 1, 4)]

    park("tests.one", 9)
    alerts.tell_parked()
    assert raised()[2:] == [("tests.one", 3, 9)]

    park("tests.one", 7)  # it was tried for longer
    alerts.tell_parked()
    alerts.tell_parked()
    assert raised()[3:] == [("tests.one", 4, 9)]
    assert {public_name(each.type) for each in Event.objects.filter(topic=alerts.ALERTS)} == {"system.alert"}


def test_alert_that_is_parked_raises_none():
    park("tests.one", 3)
    alerts.tell_parked()
    park("tests.one", 4, Event.objects.get(topic=alerts.ALERTS).pk)

    alerts.tell_parked()

    assert raised() == [("tests.one", 1, 3)]
