"""Settings of providers, models and money: managers change them, members read, strangers see nothing; keys never come back."""

import re
from decimal import Decimal

import pytest
from django.test import Client

from apps.llm import selectors, services
from apps.llm.models import Budget, Model, Provider
from apps.llm.presets import ProviderKind
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, member_of
from tests.llm.factories import CallAttemptFactory, ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db

KEY = "sk-never-shown-again"
NOWHERE = "https://models.invalid"  # pages ask a provider at once; no test calls a real one


@pytest.fixture
def provider(owner, project):
    return services.create_provider(
        actor=actor_of(owner),
        organization_id=project.organization_id,
        kind=ProviderKind.ANTHROPIC,
        name="Anthropic",
        api_key=KEY,
        base_url=NOWHERE,
    )


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", ["providers", "models", "budget", "usage"])
def test_pages_answer_managers_and_members(owner, project, provider, path):
    for user in (owner, member_of(project)):
        assert signed_in(user).get(f"/settings/{path}/").status_code == 200
    assert Client().get(f"/settings/{path}/").status_code == 302


def test_usage_says_free_only_of_what_has_a_price_of_nothing(owner, project, provider):
    demo = ProviderFactory(organization=project.organization, kind="demo", name="Demo")
    for name, values in {
        "local": {"prices": {"input": "0", "output": "0"}},
        "strange": {"prices": {}},
        "demo": {"prices": {}, "provider_id": demo.pk},
        "made": {"prices": {}, "purpose": "generate"},
    }.items():
        CallAttemptFactory(organization=project.organization, model_name=name, **values)

    page = signed_in(owner).get("/settings/usage/").content.decode()

    rows = [re.sub("<[^>]+>", " ", row).split() for row in page.split("<tbody>")[1].split("</tr>")[:4]]
    assert {row[0]: row[-1] for row in rows} == {
        "local": "free",
        "strange": "unknown",
        "demo": "free",
        "made": "unknown",
    }
    assert ["new", "records"] in [row[2:4] for row in rows]
    assert "unknown" in page.split("<dl")[1].split("</dl>")[0]


def test_no_page_shows_a_key(owner, project, provider):
    client = signed_in(owner)

    for path in ("/settings/providers/", f"/settings/providers/{provider.pk}/"):
        assert KEY not in client.get(path).content.decode()


def test_empty_key_keeps_the_stored_one(owner, project, provider):
    client = signed_in(owner)

    client.post(
        f"/settings/providers/{provider.pk}/", {"form": "save", "name": "Anthropic, Lisbon", "base_url": NOWHERE}
    )

    kept = Provider.objects.get(pk=provider.pk)
    assert (kept.name, kept.api_key) == ("Anthropic, Lisbon", KEY)


def test_page_that_was_open_meanwhile_takes_back_no_price(owner, project, provider):
    model = ModelFactory(provider=provider)
    path, clients = f"/settings/models/{model.pk}/", [signed_in(owner), signed_in(owner)]
    pages = []
    for client in clients:
        form = client.get(path).context["form"]
        drawn = {field.name: field.value() for field in form}
        pages.append({name: value for name, value in drawn.items() if value is not None and value is not False})

    clients[0].post(path, pages[0] | {"input_price_per_million_tokens": "2.5"})
    clients[1].post(path, pages[1] | {"label": "The quick one"})

    model.refresh_from_db()
    assert (model.label, model.input_price_per_million_tokens) == ("The quick one", Decimal("2.5"))


def test_page_says_what_a_provider_is_used_for_before_it_is_deleted(owner, project, provider):
    model = ModelFactory(provider=provider)
    services.set_defaults(
        actor=actor_of(owner), organization_id=project.organization_id, default_id=model.pk, fallback_id=None
    )

    page = signed_in(owner).get(f"/settings/providers/{provider.pk}/").content.decode()

    count = Model.objects.filter(provider=provider, is_enabled=True).count()
    assert f"{count} model" in page
    assert "answers when nobody is named" in page


def test_member_changes_nothing(owner, project, provider):
    client = signed_in(member_of(project))

    answers = [
        client.post(f"/settings/providers/{provider.pk}/", {"form": "toggle"}),
        client.post(f"/settings/providers/{provider.pk}/", {"form": "delete"}),
        client.post("/settings/budget/", {"limit": "5", "currency": "USD"}),
    ]

    assert [answer.status_code for answer in answers[:2]] == [403, 403]
    assert Provider.objects.get(pk=provider.pk).is_enabled
    assert not Budget.objects.exists()


def test_stranger_gets_404(provider):
    stranger = UserFactory()
    ProjectFactory(owner=stranger)

    assert signed_in(stranger).get(f"/settings/providers/{provider.pk}/").status_code == 404


def test_provider_without_its_key_is_refused_beside_the_field(owner, project):
    answer = signed_in(owner).post("/settings/providers/", {"kind": "anthropic", "name": "No key"})

    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not Provider.objects.filter(name="No key").exists()


def test_form_that_is_refused_keeps_the_kind_and_what_fits_it(owner, project):
    answer = signed_in(owner).post("/settings/providers/", {"kind": "openai-compatible", "name": "Attic"})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert re.search(r'<option value="openai-compatible"[^>]* selected', page)
    assert 'placeholder="https://"' in page


def test_provider_that_fails_its_first_test_is_mended_on_its_own_page(owner, project):
    client = signed_in(owner)

    answer = client.post(
        "/settings/providers/", {"kind": "ollama", "name": "Attic", "base_url": NOWHERE, "anyway": "1"}
    )

    made = Provider.objects.get(name="Attic")
    assert (answer.status_code, answer["Location"]) == (302, f"/settings/providers/{made.pk}/")
    page = client.get(answer["Location"]).content.decode()
    assert "Could not be reached" in page
    assert 'placeholder="http://localhost:11434/v1"' in page
    assert "Empty: the usual address on the computer that runs Parlance." in page
    tested = client.post(answer["Location"], {"form": "test"})
    assert tested["Location"] == answer["Location"]


def test_models_are_listed_to_the_last(owner, project, monkeypatch):
    monkeypatch.setattr("apps.llm.pages.views.MODELS_SHOWN", 2)
    made = [ModelFactory(provider__organization=project.organization, name=f"mine-{number}") for number in range(3)]
    client = signed_in(owner)

    first = client.get("/settings/models/?q=mine")
    second = client.get("/settings/models/?page=2&q=mine")

    assert 'href="?page=2&amp;q=mine"' in first.content.decode()
    assert {model.pk for page in (first, second) for model in page.context["models"]} == {model.pk for model in made}


def test_switch_of_an_old_page_leaves_a_provider_as_a_colleague_put_it(owner, project, provider):
    client = signed_in(owner)
    path = f"/settings/providers/{provider.pk}/"
    assert '<input type="hidden" name="on" value="no">' in client.get(path).content.decode()

    for _each in range(2):  # both pages were drawn while it was on
        client.post(path, {"form": "toggle", "on": "no"})

    assert not Provider.objects.get(pk=provider.pk).is_enabled


def test_budget_is_set(owner, project):
    signed_in(owner).post("/settings/budget/", {"limit": "12.50", "currency": "USD"})

    assert Budget.objects.get(organization=project.organization_id).limit == Decimal("12.50")


def test_defaults_and_prices_are_set(owner, project):
    services.create_provider(
        actor=actor_of(owner),
        organization_id=project.organization_id,
        kind=ProviderKind.ANTHROPIC,
        name="Anthropic",
        api_key=KEY,
    )
    client = signed_in(owner)
    model = selectors.list_enabled_models(organization_id=project.organization_id).first()

    chosen = client.post("/settings/models/", {"default": str(model.pk), "fallback": ""})
    same = client.post("/settings/models/", {"default": str(model.pk), "fallback": str(model.pk)})
    priced = client.post(
        f"/settings/models/{model.pk}/",
        {
            "is_enabled": "on",
            "input_price_per_million_tokens": "1.5",
            "output_price_per_million_tokens": "6",
            "currency": "USD",
        },
    )

    model.refresh_from_db()
    assert (chosen.status_code, same.status_code, priced.status_code) == (302, 400, 302)
    assert selectors.find_default_model(organization_id=project.organization_id) == model
    assert model.output_price_per_million_tokens == 6
