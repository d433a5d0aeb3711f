from __future__ import annotations

import json
from decimal import Decimal

import pytest

from apps.accounts.types import OrganizationRole
from apps.core.ids import uuid7
from apps.core.models import Event
from apps.llm.models import Budget, Model, ModelDefaults, Provider
from apps.llm.presets import ProviderKind
from tests.accounts.factories import OrganizationFactory, UserFactory, bearer, join, key_of
from tests.llm.factories import CallAttemptFactory, ModelFactory, ProviderFactory, priced, set_defaults, stub_model

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "sk-canary-1234567890"
THEN = "2030-01-01T00:00:00Z"


@pytest.fixture
def organization():
    return OrganizationFactory()


def headers_of(organization, role=OrganizationRole.ADMIN):
    user = UserFactory()
    join(user, organization, role=role)
    return bearer(key_of(user, organization))


@pytest.fixture
def admin(organization):
    return headers_of(organization)


@pytest.fixture
def member(organization):
    return headers_of(organization, OrganizationRole.MEMBER)


@pytest.fixture
def stranger():
    return headers_of(OrganizationFactory())


def send(client, method, path, headers, body=None, **extra):
    call = getattr(client, method)
    return call(
        f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json", headers={**headers, **extra}
    )


def provider_body(organization, **values):
    return {"organization": str(organization.pk), "kind": "openai", "name": "Mine", "api_key": SECRET, **values}


def test_create_provider_keeps_the_key_to_itself(client, organization, admin):
    answer = send(client, "post", "providers/", admin, provider_body(organization))

    assert answer.status_code == 201
    body = answer.json()
    assert body["has_key"] is True
    assert body["base_url"] == "https://api.openai.com/v1"
    assert SECRET not in answer.content.decode()
    provider = Provider.objects.get()
    assert provider.api_key == SECRET
    assert SECRET not in str(Provider.objects.values_list("api_key", flat=True).get().stored)
    assert Model.objects.filter(provider=provider, name="gpt-4o-mini", can_see=True).exists()
    event = Event.objects.get(type="llm.provider_created")
    assert event.payload == {"provider_id": str(provider.pk), "kind": "openai"}
    read = client.get(f"/api/v1/providers/{provider.pk}/", headers=admin)
    assert SECRET not in read.content.decode()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"kind": "nothing"}, "kind"),
        ({"kind": "demo"}, "kind"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "base_url"),
        ({"base_url": "http://2130706433/"}, "base_url"),
        ({"base_url": "ftp://example.org"}, "base_url"),
        ({"kind": "openai-compatible", "base_url": ""}, "base_url"),
        ({"headers": {"Host": "example.org"}}, "headers"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "headers"),
        ({"api_key": "a\nb"}, "api_key"),
    ],
)
def test_create_provider_refuses_bad_input(client, organization, admin, values, field):
    answer = send(client, "post", "providers/", admin, provider_body(organization, **values))

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Provider.objects.exists()


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:11434/v1",
        "http://127.0.0.1/v1",
        "http://0/v1",
        "http://0x7f.1/v1",
        "http://017700000001/v1",
        "http://[::1]/v1",
        "http://[::ffff:7f00:1]/v1",
        "http://[::ffff:a9fe:a9fe]/v1",
        "http://[64:ff9b::7f00:1]/v1",
        "http://10.0.0.1/v1",
        "http://192.168.1.1./v1",
        "http://100.64.0.1/v1",
        "http://169.254.169.254/latest",
        "http://metadata.google.internal/v1",
        "http://user:pass@example.org/v1",
    ],
)
def test_provider_addresses_stay_public(client, organization, admin, base_url):
    provider = ProviderFactory(organization=organization, source="person", base_url="https://example.org/v1")

    created = send(client, "post", "providers/", admin, provider_body(organization, base_url=base_url))
    moved = send(client, "patch", f"providers/{provider.pk}/", admin, {"base_url": base_url})

    assert (created.status_code, moved.status_code) == (400, 400)
    assert created.json()["errors"][0]["field"] == "base_url"
    assert Provider.objects.get().base_url == "https://example.org/v1"


def test_provider_names_are_taken_once(client, organization, admin):
    assert send(client, "post", "providers/", admin, provider_body(organization)).status_code == 201

    answer = send(client, "post", "providers/", admin, provider_body(organization, name="mine"))

    assert (answer.status_code, answer.json()["code"]) == (409, "provider_name_taken")


def test_members_see_providers_but_neither_address_nor_changes(client, organization, member, stranger):
    provider = ProviderFactory(organization=organization, base_url="https://secret.example.org")

    read = client.get(f"/api/v1/providers/{provider.pk}/", headers=member)
    change = send(client, "patch", f"providers/{provider.pk}/", member, {"is_enabled": False})
    create = send(client, "post", "providers/", member, provider_body(organization))
    foreign = client.get(f"/api/v1/providers/{provider.pk}/", headers=stranger)
    foreign_create = send(client, "post", "providers/", stranger, provider_body(organization))

    assert read.status_code == 200
    assert "base_url" not in read.json()
    assert (change.status_code, create.status_code) == (403, 403)
    assert (foreign.status_code, foreign_create.status_code) == (404, 404)
    assert Provider.objects.get().is_enabled


def test_change_provider_needs_the_version_and_forgets_the_key_with_the_address(client, organization, admin):
    created = send(client, "post", "providers/", admin, provider_body(organization)).json()
    path = f"providers/{created['id']}/"

    late = send(client, "patch", path, admin, {"name": "New"}, **{"If-Match": '"7"'})
    renamed = send(client, "patch", path, admin, {"name": "New"}, **{"If-Match": '"1"'})
    kept = Provider.objects.get().api_key
    held = send(client, "patch", path, admin, {"headers": {"X-Gateway": SECRET}})
    moved = send(client, "patch", path, admin, {"base_url": "https://example.org/v1"})

    assert (late.status_code, late.json()["current"]) == (412, 1)
    assert renamed.json()["version"] == 2
    assert kept == SECRET
    assert moved.json()["has_key"] is False
    assert (held.json()["headers"], moved.json()["headers"]) == (["X-Gateway"], [])
    assert (Provider.objects.get().api_key, Provider.objects.get().headers) == ("", {})


def test_delete_provider_forgets_the_key_and_frees_the_name(client, organization, admin):
    created = send(client, "post", "providers/", admin, provider_body(organization)).json()
    model = Model.objects.filter(provider=created["id"])[0]
    set_defaults(model)

    answer = client.delete(f"/api/v1/providers/{created['id']}/", headers=admin)
    again = send(client, "post", "providers/", admin, provider_body(organization))

    assert (answer.status_code, again.status_code) == (204, 201)
    gone = Provider.objects.get(pk=created["id"])
    assert (gone.api_key, gone.headers) == ("", {})
    assert not Model.objects.filter(provider=gone, is_enabled=True).exists()
    assert ModelDefaults.objects.get().default is None
    assert client.get(f"/api/v1/providers/{created['id']}/", headers=admin).status_code == 404


def test_environment_providers_can_only_be_switched(client, organization, admin):
    provider = ProviderFactory(organization=organization)

    renamed = send(client, "patch", f"providers/{provider.pk}/", admin, {"name": "Other"})
    switched = send(client, "patch", f"providers/{provider.pk}/", admin, {"is_enabled": False})
    deleted = client.delete(f"/api/v1/providers/{provider.pk}/", headers=admin)

    assert (renamed.status_code, switched.status_code, deleted.status_code) == (409, 200, 409)
    assert renamed.json()["code"] == deleted.json()["code"] == "provider_from_environment"


@pytest.mark.parametrize("kind", [ProviderKind.OPENAI_COMPATIBLE, ProviderKind.ANTHROPIC])
def test_test_connection_reads_the_models(client, provider, organization, admin, kind):
    base_url = provider.url if kind == ProviderKind.ANTHROPIC else provider.openai_url
    row = ProviderFactory(organization=organization, kind=kind, base_url=base_url)

    answer = send(client, "post", f"providers/{row.pk}/test/", admin)

    assert (answer.status_code, answer.json()["check_code"]) == (200, "")
    names = Model.objects.filter(provider=row, is_enabled=True).order_by("name").values_list("name", flat=True)
    assert list(names) == ["stub-large", "stub-small", "stub-vision"]


def test_test_connection_says_what_is_wrong(client, provider, organization, admin, member):
    gone = ProviderFactory(organization=organization, base_url="http://127.0.0.1:9/v1")
    private = ProviderFactory(organization=organization, source="person", base_url=provider.openai_url)
    wrong = ProviderFactory(organization=organization, base_url=provider.openai_url, headers={"X-Api-Key": "wrong"})

    codes = [
        send(client, "post", f"providers/{row.pk}/test/", admin).json()["check_code"] for row in (gone, private, wrong)
    ]

    assert codes == ["network", "network", "auth"]
    assert send(client, "post", f"providers/{gone.pk}/test/", member).status_code == 403
    assert provider.calls == []


def test_record_models_keeps_what_a_person_set(client, provider, organization, admin):
    row = ProviderFactory(organization=organization, base_url=provider.openai_url)
    send(client, "post", f"providers/{row.pk}/test/", admin)
    model = Model.objects.get(name="stub-large")
    ModelFactory(provider=row, name="gone-model")

    changed = send(
        client, "patch", f"models/{model.pk}/", admin, {"output_price_per_million_tokens": "2.5", "is_enabled": False}
    )
    send(client, "post", f"providers/{row.pk}/test/", admin)

    assert changed.status_code == 200
    model.refresh_from_db()
    assert (model.output_price_per_million_tokens, model.is_enabled) == (Decimal("2.5"), False)
    assert not Model.objects.get(name="gone-model").is_enabled


def test_defaults_are_set_and_checked(client, organization, admin, member):
    first, second = ModelFactory(provider__organization=organization), ModelFactory(provider__organization=organization)
    demo = ModelFactory(provider__organization=organization, provider__kind=ProviderKind.DEMO)
    foreign = ModelFactory()
    body = {"organization": str(organization.pk), "default": str(first.pk), "fallback": str(second.pk)}

    unset = client.get(f"/api/v1/models/defaults/?organization={organization.pk}", headers=admin)
    answer = send(client, "put", "models/defaults/", admin | {"If-Match": unset["ETag"]}, body)
    refusals = [
        send(client, "put", "models/defaults/", admin, body | changes).status_code
        for changes in ({"fallback": str(first.pk)}, {"fallback": str(demo.pk)}, {"default": str(foreign.pk)})
    ]
    read = client.get(f"/api/v1/models/defaults/?organization={organization.pk}", headers=member)

    assert answer.status_code == 200
    assert refusals == [400, 400, 400]
    assert read.json()["default"] == str(first.pk)
    assert send(client, "put", "models/defaults/", member, body).status_code == 403


def test_route_prefers_what_can_do_the_work(client, organization, member):
    plain = ModelFactory(provider__organization=organization, name="plain", context_window=5000)
    seeing = ModelFactory(provider__organization=organization, name="seeing", can_see=True, context_window=500_000)
    set_defaults(plain, seeing)
    body = {"organization": str(organization.pk), "text": "Hello there"}

    answers = [
        send(client, "post", "models/route/", member, body | changes).json()
        for changes in ({}, {"needs_images": True}, {"text": "word " * 20_000}, {"model": "seeing"})
    ]

    assert [(a["model"]["name"], a["why"]) for a in answers] == [
        ("plain", "default"),
        ("seeing", "images"),
        ("seeing", "context"),
        ("seeing", "asked"),
    ]
    assert answers[0]["fallback"]["name"] == "seeing"
    assert answers[1]["fallback"] is None
    unknown = send(client, "post", "models/route/", member, body | {"model": "nobody"})
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (400, "unknown")


def test_analyze_text(client, organization, member):
    ModelFactory(provider__organization=organization, context_window=100, **priced())
    body = {
        "organization": str(organization.pk),
        "text": "Das ist ein kurzer Text, und er ist auf Deutsch.",
        "expected_output_tokens": 1000,
    }

    answer = send(client, "post", "text/analyze/", member, body).json()

    assert (answer["language"], answer["words"], answer["characters"]) == ("de", 10, 48)
    assert answer["tokens"] == 12
    assert (answer["models"][0]["cost"], answer["models"][0]["fits"]) == ("0.002012000", False)


def test_usage_is_everybodys_for_admins_and_ones_own_for_members(client, organization, admin):
    user = UserFactory()
    join(user, organization)
    mine = bearer(key_of(user, organization))
    CallAttemptFactory(
        organization=organization, user_id=user.pk, started_at=THEN, cost=Decimal("0.5"), input_tokens=10
    )
    CallAttemptFactory(
        organization=organization, user_id=uuid7(), started_at=THEN, cost=Decimal("0.25"), input_tokens=5
    )
    CallAttemptFactory(organization=OrganizationFactory(), user_id=user.pk, started_at=THEN, cost=Decimal(9))
    path = f"/api/v1/usage/?organization={organization.pk}&begin=2029-12-01T00:00:00Z&end=2030-02-01T00:00:00Z"

    everybodys = client.get(path, headers=admin).json()["results"]
    own = client.get(path, headers=mine).json()["results"]

    assert [(line["calls"], line["cost"], line["input_tokens"]) for line in everybodys] == [(2, "0.750000000", 15)]
    assert [(line["calls"], line["cost"]) for line in own] == [(1, "0.500000000")]


def test_budgets(client, organization, admin, member, stranger):
    body = {"organization": str(organization.pk), "limit": "10", "currency": "USD"}

    answers = [send(client, "put", "budgets/", headers, body).status_code for headers in (admin, member, stranger)]
    negative = send(client, "put", "budgets/", admin, body | {"limit": "-1"})

    assert answers == [200, 403, 404]
    assert negative.status_code == 400
    assert Budget.objects.get().limit == 10
    listed = [client.get("/api/v1/budgets/", headers=h).json()["results"] for h in (admin, member, stranger)]
    assert [len(rows) for rows in listed] == [1, 0, 0]
    assert listed[0][0]["limit"] == "10.000000000"


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize("path", ["models/", "providers/"])
def test_lists_take_few_queries(client, organization, admin, django_assert_max_num_queries, count, path):
    provider = ProviderFactory(organization=organization)
    for _ in range(count):
        ModelFactory(provider=provider)
        ProviderFactory(organization=organization)
    ModelFactory()
    join(UserFactory(), organization)

    with django_assert_max_num_queries(6):
        answer = client.get(f"/api/v1/{path}", headers=admin)

    assert len(answer.json()["results"]) == count + (path == "providers/")


def test_stub_model_is_the_default_when_it_is_the_only_one(provider):
    model = stub_model(provider)

    from apps.llm import selectors

    assert selectors.find_default_model(organization_id=model.organization_id) == model
