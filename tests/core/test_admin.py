"""What operators see of core, and what they can do there."""

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from apps.accounts.models import User
from apps.core import key_rotation
from apps.core.admin import ServiceAdmin
from apps.core.coordinator import own_connection
from apps.core.doors.consumers import Consumer, consumers
from apps.core.eventlog import sequencer
from apps.core.events import emit
from apps.core.facts import SettingChanged
from apps.core.models import Event, EventDelivery, KeyCheck, MailMessage
from apps.core.types import SYSTEM, Scope
from tests.accounts.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

OURS = [model for model in admin.site._registry if model._meta.app_label == "core"]


def acts():
    return Event.objects.filter(type="core.maintained").order_by("insertion")


@pytest.fixture
def operator(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def parked():
    with transaction.atomic():
        made = emit(SettingChanged("k", "user", None, is_reset=False), actor=SYSTEM, scope=Scope("thing:1"))
    with own_connection() as own:
        sequencer.sequence(own)
    return EventDelivery.objects.create(
        consumer="tests.parked", event_id=made.id, position=1, state="parked", attempts=5, error="RuntimeError"
    )


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_lists_open_and_nothing_can_be_added(operator, parked, model):
    MailMessage.objects.create(recipient="a@example.com", subject="Link", text="secret link")
    name = model._meta.model_name

    assert operator.get(reverse(f"admin:core_{name}_changelist")).status_code == 200
    assert operator.get(reverse(f"admin:core_{name}_add")).status_code == 403
    for row in model.objects.all()[:1]:
        page = operator.get(reverse(f"admin:core_{name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert "secret link" not in page.content.decode()


def test_parked_event_is_tried_again(operator, parked, monkeypatch):
    handled = []
    consumer = Consumer("tests.parked", lambda logged: handled.append(logged.id))
    monkeypatch.setitem(consumers._items, consumer.name, consumer)

    operator.post(
        reverse("admin:core_eventdelivery_changelist"), {"action": "try_again", "_selected_action": [parked.pk]}
    )

    assert handled == [Event.objects.get(type="core.setting_changed").pk]
    assert not EventDelivery.objects.exists()
    (row,) = acts()
    assert (row.actor_id, row.payload) == (
        User.objects.get().pk,
        {"act": "parked_events_retried", "on": "tests.parked", "count": 1},
    )


def test_failed_mail_is_tried_again(operator):
    row = MailMessage.objects.create(recipient="a@example.com", subject="s", text="t", status="failed", attempts=6)

    operator.post(reverse("admin:core_mailmessage_changelist"), {"action": "send_again", "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert (row.status, row.attempts) == ("queued", 0)
    (act,) = acts()
    assert (act.actor_id, act.payload) == (User.objects.get().pk, {"act": "mail_retried", "on": "", "count": 1})


def test_no_table_is_written_past_the_services():
    """Whoever registers a library's own admin page gives operators writes that are in no log."""
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, ServiceAdmin)] == []


def test_commands_that_write_are_in_the_log(tmp_path, settings):
    KeyCheck.objects.all().delete()
    settings.PARLANCE_KEYS_FILE = str(tmp_path / "data" / "keys.json")
    key_rotation.check_keys()

    call_command("rotate_keys")
    call_command("rotate_keys", "--resume")
    call_command("rotate_keys", "--retire")
    call_command("replay_events", "accounts.audit", "--after", "0")
    call_command("replay_events", "accounts.audit", "--parked")

    assert [(row.payload["act"], row.payload["on"]) for row in acts()] == [
        ("keys_rotated", "k2"),
        ("keys_rotated", ""),
        ("keys_retired", "k1"),
        ("events_replayed", "accounts.audit"),
        ("parked_events_retried", "accounts.audit"),
    ]
