"""A failing check is told once, and once more when it is well."""

import pytest

from apps.core import alerts, health
from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.models import Event

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
