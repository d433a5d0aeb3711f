import json

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from apps.core import installation
from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.events import emit
from apps.core.facts import SettingChanged
from apps.core.models import Event, MailMessage
from apps.core.types import SYSTEM, Scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def only_core(monkeypatch):
    """Other apps' invariants have tests of their own."""
    core = {name: each for name, each in invariants._items.items() if name.startswith("core.")}
    monkeypatch.setattr(invariants, "_items", core)


def doctor(capsys, *options):
    try:
        call_command("doctor", "--json", *options)
        code = 0
    except SystemExit as ended:
        code = ended.code
    return code, json.loads(capsys.readouterr().out)


def happen():
    with transaction.atomic():
        emit(SettingChanged("k", "user", None, is_reset=False), actor=SYSTEM, scope=Scope("thing:1"))


def test_sound_data_pass(capsys, only_core):
    happen()

    code, found = doctor(capsys, "--data-only")

    assert (code, found["failed"]) == (0, 0)
    assert [note[0] for note in found["notes"]] == ["ok"] * 4


def test_hole_in_a_topic_is_found(capsys, only_core):
    for _number in range(3):
        happen()
    Event.objects.filter(topic_position=2).delete()

    code, found = doctor(capsys, "--data-only")

    assert code == 1
    assert ["failure", "I1 Topic thing:1 counts to 3, its log has 2 events up to 3."] in [n[:2] for n in found["notes"]]


def test_mail_and_events_that_do_not_move_are_found(capsys, only_core):
    happen()
    MailMessage.objects.create(recipient="a@example.com", subject="s", text="t")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_event SET occurred_at = clock_timestamp() - interval '2 min'")
        cursor.execute("UPDATE core_mailmessage SET due_at = clock_timestamp() - interval '2 min'")

    _code, found = doctor(capsys, "--data-only")

    says = [note[1] for note in found["notes"] if note[0] == "failure"]
    assert says == ["I5 1 events wait for their position.", "I5 1 mails are due and not on their way."]


def test_app_registers_its_own_invariant(capsys, only_core, monkeypatch):
    bad = Invariant("tests.bad", "I4", "All is well.", lambda: [Violation("Row 7 is wrong.", "Repair row 7.")])
    monkeypatch.setitem(invariants._items, bad.name, bad)

    code, found = doctor(capsys, "--data-only")

    assert code == 1
    assert ["failure", "I4 Row 7 is wrong.", "Repair row 7."] in found["notes"]


def test_set_up_is_judged(capsys, settings, only_core):
    settings.DB_POOL_SIZE = 500
    settings.PARLANCE_URL = "http://chat.example.com"

    code, found = doctor(capsys)

    says = {note[1]: note[0] for note in found["notes"]}
    assert code == 1
    assert says["http://chat.example.com is not https: sign-ins travel in clear."] == "failure"
    assert any(weight == "failure" and text.startswith("The pools may take 3003") for text, weight in says.items())
    assert any(text.startswith("PostgreSQL 1") for text in says)


def test_key_file_that_others_may_read_is_found():
    installation.check_key_file()
    installation.crypto.keys_path().chmod(0o644)

    try:
        note = installation.check_key_file()
    finally:
        installation.crypto.keys_path().chmod(0o600)

    assert (note.weight, note.advice) == ("failure", f"chmod 600 {installation.crypto.keys_path()}")
