"""An app comes and goes by one line: every door takes it, and nothing of it stays."""

import json

import psycopg
import pytest

from apps.core.doors import Door
from apps.core.doors.commands import Command, commands
from tests import services
from tests.architecture.tree import ROOT

pytestmark = pytest.mark.timeout(900)


def probe(run, extra=""):
    return json.loads(run("-m", "tests.sampleapp.probe", extra=extra))


def names_of(found):
    return {kind: [name for name in names if "sampleapp" in name] for kind, names in found["doors"].items()}


def test_sample_app_goes_through_every_door_and_leaves_no_trace(run, database):
    before = probe(run)

    run("manage.py", "migrate", "--no-input", extra="tests.sampleapp", as_owner=True)
    during = probe(run, extra="tests.sampleapp")

    assert {kind for kind, names in names_of(during).items() if not names} == set()
    assert "sampleapp" in during["sweeps"]
    assert (during["page"], during["api"]) == (200, 401)
    assert "/api/v1/sample-notes/" in during["schema"]
    assert "sampleapp_notes 7.0" in during["metrics"]
    assert "sampleapp_note" in during["tables"]

    with psycopg.connect(services.owner_url(database), autocommit=True) as connection:
        connection.execute("INSERT INTO core_consumercursor VALUES ('sampleapp.notes', 4, 0, NULL)")
        connection.execute(
            "INSERT INTO core_storedsetting (key, level, value) VALUES ('sampleapp.on', 'platform', 'true')"
        )
    run("manage.py", "migrate", "sampleapp", "zero", extra="tests.sampleapp", as_owner=True)
    said = run("manage.py", "forget_uninstalled", as_owner=True)
    after = probe(run)

    assert said == "consumers: sampleapp.notes\nsettings: sampleapp.on\n"
    assert {key: value for key, value in after.items() if key != "metrics"} == {
        key: value for key, value in before.items() if key != "metrics"
    }
    assert "sampleapp" not in after["metrics"]
    with psycopg.connect(services.owner_url(database)) as connection:
        for table, column in (
            ("core_consumercursor", "consumer"),
            ("core_storedsetting", "key"),
            ("django_content_type", "app_label"),
            ("django_migrations", "app"),
        ):
            rows = connection.execute(f"SELECT count(*) FROM {table} WHERE {column} LIKE 'sampleapp%'").fetchone()
            assert rows == (0,), table


def test_sample_app_registers_one_of_every_door_there_is():
    """A new door without a sample fails here, not in the first plugin."""
    modules = {path.stem for path in (ROOT / "apps" / "core" / "doors").glob("*.py")} - {"__init__"}
    registrations = (ROOT / "tests" / "sampleapp" / "registrations.py").read_text()

    assert {module for module in modules if f"apps.core.doors.{module} import" not in registrations} == set()


def test_door_is_closed_after_the_start():
    door = Door("test thing")
    Door.all.remove(door)

    with pytest.raises(RuntimeError, match=r"closed: register 'late' in apps\.py"):
        door.register("late", object())
    with pytest.raises(RuntimeError):
        commands.register("late", Command("late", "Late", lambda call: None))


def test_door_refuses_a_name_twice(monkeypatch):
    from django.apps import apps

    door = Door("test thing")
    Door.all.remove(door)
    monkeypatch.setattr(apps, "ready", False)
    door.register("one", object())

    with pytest.raises(ValueError, match="test thing called 'one' already"):
        door.register("one", object())
