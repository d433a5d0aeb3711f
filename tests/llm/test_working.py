"""A provider whose test failed and that never worked answers for nobody unasked: the demo goes on."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps
from django.utils import timezone

from apps.accounts.types import SYSTEM, OrganizationRole
from apps.core import redis
from apps.llm import advice, selectors, services, shared_state
from apps.llm.models import AttemptStatus, Provider
from tests.accounts.factories import OrganizationFactory, UserFactory, actor_of, join
from tests.llm.factories import CallAttemptFactory, ModelFactory, ProviderFactory, set_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def organization():
    organization = OrganizationFactory()
    services.ensure_environment_providers(actor=SYSTEM, organization_id=organization.pk)
    return organization


@pytest.fixture
def model(organization):
    return ModelFactory(provider=ProviderFactory(organization=organization, source="person"), can_see=True)


@pytest.fixture
def admin(organization):
    person = UserFactory()
    join(person, organization, role=OrganizationRole.ADMIN)
    return actor_of(person)


def noted(model, code):
    services.note_check(actor=SYSTEM, provider_id=model.provider_id, code=code)


def names(organization):
    """Who answers unasked: for the pages, and for the engine."""
    found = selectors.find_default_model(organization_id=organization.pk)
    routes = selectors.read_routes(organization_id=organization.pk)
    return found.name, routes.models[routes.default_id].name


@pytest.mark.parametrize("code", ["network", "auth", "model_missing"])
def test_demo_goes_on_until_the_provider_has_worked_once(organization, model, code):
    before = names(organization)
    noted(model, code)
    failed = names(organization)
    noted(model, "")
    worked = names(organization)
    noted(model, code)

    assert before == worked == names(organization) == (model.name, model.name)
    assert failed == ("demo", "demo")


def test_chosen_default_stays_chosen(organization, model):
    set_defaults(model)

    noted(model, "network")

    assert names(organization) == (model.name, model.name)


def test_provider_that_never_worked_answers_when_nothing_else_is_there(organization, model):
    Provider.objects.filter(kind="demo").update(is_enabled=False)

    noted(model, "network")

    assert names(organization) == (model.name, model.name)


def test_advice_names_no_provider_that_never_worked(organization, model, admin):
    asked = {"viewer": admin, "organization_id": organization.pk, "needs_images": True}
    before = advice.choose_model(**asked)

    noted(model, "timeout")

    assert before.model == model
    assert advice.choose_model(**asked).model.name == "demo"


def test_outcome_of_a_test_is_announced_to_every_process_when_it_changes_who_answers(organization, model):
    def version():
        return redis.client().get(shared_state._version_key(organization.pk))

    seen = [version()]
    for code in ("network", "auth", "", ""):
        noted(model, code)
        seen.append(version())

    assert seen[0] != seen[1] == seen[2] != seen[3] == seen[4]


def test_new_address_has_to_work_by_itself(organization, model, admin):
    noted(model, "")

    services.update_provider(actor=admin, provider_id=model.provider_id, base_url="https://elsewhere.example/v1")
    noted(model, "network")

    assert names(organization) == ("demo", "demo")


def test_migration_knows_what_worked_before(organization, model):
    answering = ModelFactory(provider=ProviderFactory(organization=organization, check_code="network"))
    fine, failing = ProviderFactory(organization=organization), model.provider
    Provider.objects.exclude(kind="demo").update(checked_at=timezone.now())
    Provider.objects.filter(pk=failing.pk).update(check_code="auth")
    CallAttemptFactory(
        organization=organization,
        provider_id=answering.provider_id,
        model_id=answering.pk,
        status=AttemptStatus.COMPLETED,
    )

    importlib.import_module("apps.llm.migrations.0006_worked_at").note_what_worked(apps, None)

    worked = set(Provider.objects.filter(worked_at__isnull=False).values_list("pk", flat=True))
    assert worked == {answering.provider_id, fine.pk}
