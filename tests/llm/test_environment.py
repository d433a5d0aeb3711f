from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.types import SYSTEM, OrganizationRole
from apps.core import jobs
from apps.core.coordinator import sweeps
from apps.llm import catalogue, remote, routing, selectors, services
from apps.llm.models import Model, Provider
from apps.llm.presets import ProviderKind
from apps.llm.types import RemoteModel
from tests.accounts.factories import OrganizationFactory, UserFactory, actor_of, join
from tests.llm.factories import ProviderFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("OPENAI", "ANTHROPIC", "GEMINI", "GROQ", "TOGETHER", "COHERE", "OPENROUTER"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)


@pytest.fixture
def organization():
    return OrganizationFactory()


def bring_up(organization, **values):
    return services.ensure_environment_providers(actor=SYSTEM, organization_id=organization.pk, **values)


def default_of(organization):
    return selectors.find_default_model(organization_id=organization.pk)


def test_demo_is_always_there(organization):
    assert bring_up(organization) == []
    assert bring_up(organization) == []

    assert [p.kind for p in Provider.objects.all()] == ["demo"]
    assert default_of(organization).name == "demo"


def test_environment_names_providers(organization, monkeypatch, provider):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
    monkeypatch.setenv("GROQ_API_KEY", "gsk-test")

    remote_ids = bring_up(organization)
    openai = Provider.objects.get(kind="openai")
    assert default_of(organization).name == "llama-3.3-70b-versatile"
    Provider.objects.filter(kind="groq").update(checked_at=timezone.now())
    remote.bring_up_environment(organization_id=organization.pk)

    assert len(remote_ids) == 2
    assert openai.api_key == ""
    assert selectors.route_of_provider(openai).api_key == "sk-test"
    assert default_of(organization).name == "stub-small"
    assert set(Model.objects.filter(provider=openai).values_list("name", flat=True)) == {
        "stub-small",
        "stub-large",
        "stub-vision",
    }


def test_what_the_environment_no_longer_names_is_switched_off(organization, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk-test")
    bring_up(organization)
    assert default_of(organization).name == "llama-3.3-70b-versatile"

    monkeypatch.delenv("GROQ_API_KEY")
    bring_up(organization)
    assert default_of(organization).name == "demo"
    monkeypatch.setenv("GROQ_API_KEY", "gsk-test")
    bring_up(organization)

    assert Provider.objects.filter(kind="groq").count() == 1
    assert default_of(organization).name == "llama-3.3-70b-versatile"


def switch_off_as_operator(row):
    services.switch_provider(actor=SYSTEM, provider_id=row.pk, is_enabled=False)


def switch_off_as_admin(row):
    person = UserFactory()
    join(person, row.organization, role=OrganizationRole.ADMIN)
    services.update_provider(actor=actor_of(person), provider_id=row.pk, is_enabled=False)


@pytest.mark.parametrize("switch_off", [switch_off_as_operator, switch_off_as_admin])
def test_what_somebody_switched_off_stays_off(organization, monkeypatch, switch_off):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    bring_up(organization)
    switch_off(Provider.objects.get(kind="openai"))

    assert bring_up(organization) == []
    assert not Provider.objects.get(kind="openai").is_enabled
    monkeypatch.setenv("OPENAI_BASE_URL", "https://openai.example.com/v1")
    assert bring_up(organization) == []
    assert not Provider.objects.get(kind="openai").is_enabled
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    bring_up(organization)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    bring_up(organization)

    assert not Provider.objects.get(kind="openai").is_enabled


def test_absent_provider_that_is_switched_off_stays_off(organization, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk-test")
    bring_up(organization)
    monkeypatch.delenv("GROQ_API_KEY")
    bring_up(organization)
    switch_off_as_operator(Provider.objects.get(kind="groq"))

    monkeypatch.setenv("GROQ_API_KEY", "gsk-test")
    bring_up(organization)

    assert not Provider.objects.get(kind="groq").is_enabled


def test_organization_without_any_model_does_not_bring_one_back(organization):
    bring_up(organization)
    switch_off_as_operator(Provider.objects.get(kind="demo"))

    routes = routing._routes(organization.pk)

    assert routes.models == {}
    assert not Provider.objects.get(kind="demo").is_enabled


def test_models_that_vanish_from_the_list_come_back_with_it():
    provider = ProviderFactory(kind=ProviderKind.OLLAMA)

    def read(*names):
        services.record_models(actor=SYSTEM, provider_id=provider.pk, listed=[RemoteModel(name) for name in names])
        return set(Model.objects.filter(provider=provider, is_enabled=True).values_list("name", flat=True))

    assert read("one", "two", "three") == {"one", "two", "three"}
    services.update_model(actor=SYSTEM, model_id=Model.objects.get(name="two").pk, is_enabled=False)
    assert read() == set()
    services.update_model(actor=SYSTEM, model_id=Model.objects.get(name="three").pk, is_enabled=False)

    assert read("one", "two", "three") == {"one"}


def test_local_servers_come_and_go(organization):
    bring_up(organization, local=[(ProviderKind.OLLAMA, "http://127.0.0.1:11434/v1")])
    assert Provider.objects.get(kind="ollama").is_enabled

    bring_up(organization)
    assert Provider.objects.get(kind="ollama").is_enabled
    bring_up(organization, local=[])

    assert not Provider.objects.get(kind="ollama").is_enabled


@pytest.mark.parametrize(
    ("kind", "name", "known"),
    [
        (ProviderKind.OPENAI, "gpt-4o-2024-08-06", "gpt-4o"),
        (ProviderKind.ANTHROPIC, "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        (ProviderKind.OLLAMA, "llama3.2:3b-instruct-q4_K_M", "llama3.2"),
        (ProviderKind.OPENAI, "nothing-like-it", None),
    ],
)
def test_catalogue_finds_dated_and_tagged_names(kind, name, known):
    found = catalogue.find_known(kind, name)

    assert (found.name if found else None) == known


def test_provider_that_nobody_has_asked_yet_is_hinted_again(organization, monkeypatch, provider):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
    bring_up(organization)
    hints = [sweep.name for sweep in sweeps]

    assert selectors.list_unread_organizations() == []
    Provider.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert selectors.list_unread_organizations() == [{"organization_id": organization.pk}]
    remote.bring_up_environment(organization_id=organization.pk)

    assert selectors.list_unread_organizations() == []
    assert "lost hints of llm.bring_up_organization" in hints


def test_environment_is_looked_at_again_every_hour():
    assert jobs.registered()["llm.bring_up_environment"].every_seconds == 3600


def test_new_organization_gets_its_providers_from_the_event(organization):
    from apps.core.doors.consumers import consumers

    consumer = consumers.get("llm.organizations")

    assert consumer.types == frozenset({"accounts.organization_created"})


def test_provider_without_a_list_gets_what_its_kind_usually_has(organization, monkeypatch, provider):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/elsewhere")

    remote.bring_up_environment(organization_id=organization.pk)

    assert Provider.objects.get(kind="openai").check_code == "model_missing"
    assert default_of(organization).provider.kind == "openai"
