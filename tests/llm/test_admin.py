from __future__ import annotations

import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.core.models import Event
from apps.llm.models import CallAttempt, Provider
from tests.accounts.factories import UserFactory
from tests.llm.factories import ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "sk-canary-in-admin"


@pytest.fixture
def operator(client):
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


@pytest.mark.parametrize("name", ["provider", "model", "modeldefaults", "callattempt", "budget", "budgetreservation"])
def test_lists_open(operator, name):
    ModelFactory()

    answer = operator.get(reverse(f"admin:llm_{name}_changelist"), {"q": "x"})

    assert answer.status_code == 200


def test_provider_page_does_not_show_the_key(operator):
    provider = ProviderFactory(source="person", api_key=CANARY, headers={"X-Secret": CANARY})

    page = operator.get(reverse("admin:llm_provider_change", args=[provider.pk])).content.decode()

    assert provider.name in page
    assert CANARY not in page
    assert "v1:k" not in page


@pytest.mark.parametrize(
    ("action", "enabled", "event"),
    [
        ("switch_off", False, "llm.provider_changed"),
        ("switch_on", True, "llm.provider_changed"),
        ("reset_breaker", True, "llm.breaker_reset"),
    ],
)
def test_actions_call_services(operator, action, enabled, event):
    provider = ProviderFactory()

    answer = operator.post(
        reverse("admin:llm_provider_changelist"), {"action": action, "_selected_action": [str(provider.pk)]}
    )

    assert answer.status_code == 302
    assert Provider.objects.get().is_enabled is enabled
    told = Event.objects.get(type=event, subject_id=provider.pk)
    assert told.actor_id == User.objects.get(is_staff=True).pk


def test_ledger_cannot_be_changed(operator):
    assert operator.get(reverse("admin:llm_callattempt_add")).status_code == 403
    assert not CallAttempt.objects.exists()
