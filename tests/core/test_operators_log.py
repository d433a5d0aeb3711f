"""Whatever an operator does leaves an entry in the audit log: every action and form of the admin site, every command that writes."""

import pytest
from django.contrib import admin
from django.core.management import call_command, get_commands
from django.db import transaction
from django.test import Client
from django.urls import reverse

from apps.accounts import audit
from apps.accounts.models import BlockedNetwork, Organization
from apps.core import key_rotation
from apps.core.admin import ServiceAdmin
from apps.core.models import Event, EventDelivery, KeyCheck, MailMessage
from tests.accounts.factories import UserFactory
from tests.attacks.world import World

pytestmark = pytest.mark.django_db

#: Actions that first show a page of their own; what is chosen there announces itself (test_erasure).
ASK_FIRST = {("accounts.user", "erase"), ("accounts.organization", "erase")}
#: Commands that write nothing that is anybody's, and why.
NO_WRITES = {
    "audit": "verifies; the heads lie outside the database",
    "coordinator": "a process of the installation",
    "docs_reference": "writes the documentation of a checkout",
    "doctor": "looks",
    "first_start": "makes the link of the first start, whose use is in the log",
    "parked_events": "lists",
    "up": "starts the installation",
}


def entries():
    """Events that the audit log keeps."""
    return [row for row in Event.objects.order_by("insertion") if audit.is_audited(row.type)]


def actions():
    return [
        (model, name)
        for model, page in admin.site._registry.items()
        for name in page.actions or ()
        if (model._meta.label_lower, name) not in ASK_FIRST
    ]


@pytest.fixture
def operator():
    client = Client()
    client.operator = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(client.operator)
    return client


def row_of(model, operator):
    BlockedNetwork.objects.create(network="198.51.100.0/24")
    MailMessage.objects.create(recipient="a@example.com", subject="s", text="t", status="failed", attempts=6)
    event = Event.objects.first()
    EventDelivery.objects.create(consumer="tests.parked", event_id=event.pk, position=1, state="parked", attempts=5)
    return model._default_manager.exclude(pk=operator.operator.pk).order_by("pk").last()


def test_every_action_of_the_admin_site_leaves_an_entry(operator):
    World()
    wrong = []

    for model, action in actions():
        with transaction.atomic():  # one world for all of them: what an action did is taken back
            row = row_of(model, operator)
            before = len(entries())
            name = f"{model._meta.app_label}_{model._meta.model_name}"
            form = {"action": action, "_selected_action": [str(row.pk)]}
            answer = operator.post(reverse(f"admin:{name}_changelist"), form, follow=True)
            made = [each for each in entries()[before:] if each.type == "core.operator_acted"]
            told = [
                (each.actor_id, each.payload["table"], each.payload["action"], each.payload["count"]) for each in made
            ]
            transaction.set_rollback(True)
        if answer.status_code != 200 or told != [(operator.operator.pk, model._meta.label_lower, action, 1)]:
            wrong.append(f"{name} {action}: {answer.status_code} {told}")

    assert len(actions()) > 15
    assert wrong == []


def test_every_form_of_the_admin_site_leaves_an_entry(operator):
    writable = {
        model._meta.label_lower
        for model, page in admin.site._registry.items()
        if type(page).has_add_permission is not ServiceAdmin.has_add_permission
        or type(page).has_change_permission is not ServiceAdmin.has_change_permission
    }
    assert writable == {"accounts.blockednetwork", "accounts.identityprovider"}

    operator.post(reverse("admin:accounts_blockednetwork_add"), {"network": "203.0.113.0/24", "reason": "scans"})
    world = World()
    page = reverse("admin:accounts_identityprovider_change", args=[world.ids["identity_provider_id"]])
    form = {"name": "Other", "issuer": "https://other.example.org", "client_id": "y", "domains": "other.example.org"}
    operator.post(page, form | {"is_enabled": "on"})

    made = [row.payload for row in entries() if row.type == "core.operator_acted"]
    assert [(row["table"], row["action"]) for row in made] == [
        ("accounts.blockednetwork", "add"),
        ("accounts.identityprovider", "change"),
    ]


def test_every_command_that_writes_leaves_an_entry(tmp_path, settings):
    KeyCheck.objects.all().delete()
    settings.PARLANCE_KEYS_FILE = str(tmp_path / "data" / "keys.json")
    key_rotation.check_keys()
    world = World()
    listed = tmp_path / "networks.txt"
    listed.write_text("198.51.100.0/24 ; scans\n")
    gone = UserFactory(email="gone@example.org")
    other = Organization.objects.get(pk=world.organization.pk)
    writes = {
        "install_pack": ["support-desk", "--project", str(world.project.pk), "--prefix", "more"],
        "block_networks": [str(listed)],
        "create_sign_in_link": [world.owner.email],
        "erase_person": [gone.email, "--confirm", gone.email],
        "erase_organization": [other.slug, "--confirm", other.slug],
        "forget_uninstalled": [],
        "replay_events": ["accounts.audit", "--after", "0"],
        "rotate_keys": [],
        "settings": ["set", "conversations.share_links", "false"],
    }
    ours = {name for name, app in get_commands().items() if str(app).startswith("apps.")}
    silent = []

    for name, arguments in writes.items():
        before = len(entries())
        call_command(name, *arguments)
        if len(entries()) == before:
            silent.append(name)

    assert ours == writes.keys() | NO_WRITES.keys()
    assert silent == []
