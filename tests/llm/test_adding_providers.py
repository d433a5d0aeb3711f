"""A provider that somebody adds on the page is asked once, before it is saved; the key that was typed lasts until it is."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from apps.accounts.types import OrganizationRole
from apps.core.ids import uuid7
from apps.llm import remote, services
from apps.llm.models import Model, Provider
from apps.llm.pages import kept_key
from apps.llm.presets import ProviderKind
from tests.accounts.factories import actor_of, member_of
from tests.llm.servers import listening

pytestmark = pytest.mark.django_db

PAGE = "/settings/providers/"
KEY = "sk-never-shown-again"
NOWHERE = "https://models.invalid"  # pages ask a provider at once; no test calls a real one
TYPED = {"kind": "openai-compatible", "name": "Attic", "base_url": NOWHERE}
LIST = b'{"object": "list", "data": [{"id": "attic-small"}, {"id": "attic-large"}]}'


@pytest.fixture
def client(owner, project):
    return signed_in(owner)


@pytest.fixture
def reachable(settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def kept_in(answer):
    found = re.search('name="kept" value="([^"]+)"', answer.content.decode())
    return found.group(1) if found else ""


def test_provider_that_does_not_answer_is_not_saved_unasked(client):
    asked = client.post(PAGE, {**TYPED, "api_key": KEY})

    page = asked.content.decode()
    assert asked.status_code == 422
    assert "Could not be reached" in page
    assert "Nothing was saved." in page
    assert 'name="anyway"' in page
    assert KEY not in page
    assert not Provider.objects.filter(name="Attic").exists()
    made = client.post(PAGE, {**TYPED, "kept": kept_in(asked), "anyway": "1"})
    assert made.status_code == 302
    assert Provider.objects.get(name="Attic").api_key == KEY


@pytest.mark.parametrize(
    "changed", [{"base_url": "https://elsewhere.invalid"}, {"kind": "ollama"}, {"kind": "groq"}, {"kept": "x:y:z"}]
)
def test_kept_key_that_does_not_open_is_asked_for_again(client, changed):
    kept = kept_in(client.post(PAGE, {**TYPED, "api_key": KEY}))
    sent = {**TYPED, "kept": kept, "anyway": "1", **changed}

    refused = client.post(PAGE, sent)

    assert refused.status_code == 400
    assert "Enter the key again." in refused.content.decode()
    assert kept_in(refused) == ""
    assert not Provider.objects.filter(name="Attic").exists()
    client.post(PAGE, {**sent, "api_key": "another"})
    assert Provider.objects.get(name="Attic").api_key == "another"


def test_provider_without_a_key_is_saved_by_who_leaves_it_empty_again(client):
    refused = client.post(PAGE, {**TYPED, "kept": "x:y:z", "anyway": "1"})

    made = client.post(PAGE, {**TYPED, "kept": kept_in(refused), "anyway": "1"})

    assert made.status_code == 302
    assert Provider.objects.get(name="Attic").api_key == ""


def test_kept_key_is_of_who_typed_it(client, project):
    kept = kept_in(client.post(PAGE, {**TYPED, "api_key": KEY}))
    admin = member_of(project, role=OrganizationRole.ADMIN)

    refused = signed_in(admin).post(PAGE, {**TYPED, "kept": kept, "anyway": "1"})

    assert (refused.status_code, kept_in(refused)) == (400, "")
    assert not Provider.objects.filter(name="Attic").exists()


def test_kept_key_is_of_its_organization(owner, project):
    actor = actor_of(owner)
    sent = {**TYPED, "kept": kept_key.seal_for(actor, project.organization_id, TYPED, KEY)}

    assert kept_key.open_for(actor, project.organization_id, sent) == KEY
    assert kept_key.open_for(actor, uuid7(), sent) == ""


def test_kept_key_lasts_a_quarter_of_an_hour_however_often_it_is_sent(owner, project):
    actor, begin = actor_of(owner), datetime.now(UTC)
    with time_machine.travel(begin) as clock:
        kept = kept_key.keep(actor, project.organization_id, {**TYPED, "api_key": KEY})
        clock.move_to(begin + timedelta(minutes=14))
        again = kept_key.keep(actor, project.organization_id, {**TYPED, "kept": kept})
        opened = kept_key.open_for(actor, project.organization_id, {**TYPED, "kept": again})
        clock.move_to(begin + timedelta(minutes=16))
        late = kept_key.open_for(actor, project.organization_id, {**TYPED, "kept": again})
        kept_late = kept_key.keep(actor, project.organization_id, {**TYPED, "kept": again})

    assert (again, opened) == (kept, KEY)
    assert (late, kept_late) == ("", "")


@pytest.mark.parametrize("wrong", [{"name": "a" * 61}, {"name": "attic"}])
def test_form_that_is_refused_keeps_the_key_as_it_was_sealed(client, owner, project, reachable, wrong):
    heard = []
    with listening(heard=heard) as server:
        typed = {**TYPED, "base_url": f"{server}/v1"}
        services.create_provider(
            actor=actor_of(owner),
            organization_id=project.organization_id,
            **{**typed, "kind": ProviderKind.OPENAI_COMPATIBLE},
        )
        refused = client.post(PAGE, {**typed, **wrong, "api_key": KEY})
        again = client.post(PAGE, {**typed, **wrong, "kept": kept_in(refused)})
        unasked = list(heard)
        client.post(PAGE, {**typed, "name": "Cellar", "kept": kept_in(again), "anyway": "1"})

    assert (refused.status_code, again.status_code) == (400, 400)
    assert KEY not in refused.content.decode()
    assert kept_in(refused) == kept_in(again) != ""
    assert unasked == []
    assert Provider.objects.get(name="Cellar").api_key == KEY


def test_key_that_is_wrong_itself_is_not_kept(client):
    for wrong in ("k" * 501, "schlüssel"):
        refused = client.post(PAGE, {**TYPED, "api_key": wrong})

        assert (refused.status_code, kept_in(refused)) == (400, "")


def test_provider_that_lists_its_models_is_asked_once(client, reachable):
    heard = []
    with listening(heard=heard, v1_models=LIST) as server:
        made = client.post(PAGE, {**TYPED, "base_url": f"{server}/v1"})

    provider = Provider.objects.get(name="Attic")
    assert (made.status_code, made["Location"]) == (302, PAGE)
    assert heard == ["/v1/models"]
    assert (provider.check_code, provider.checked_at is not None) == ("", True)
    assert set(Model.objects.filter(provider=provider).values_list("name", flat=True)) == {"attic-small", "attic-large"}


def test_address_without_a_list_is_trouble_before_it_is_saved_as_it_is_after(client, owner, reachable):
    with listening(v1_models=LIST) as server:
        typed = {**TYPED, "base_url": server}
        asked = client.post(PAGE, typed)
        unasked = Provider.objects.filter(name="Attic").exists()
        client.post(PAGE, {**typed, "anyway": "1"})
        made = Provider.objects.get(name="Attic")
        tested = remote.test_connection(actor=actor_of(owner), provider_id=made.pk)

    assert asked.status_code == 422
    assert "most end with /v1" in asked.content.decode()
    assert not unasked
    assert made.check_code == tested.check_code == "model_missing"
