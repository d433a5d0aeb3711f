"""One currency for what is added up, whoever changes what: prices, lists of models, budgets, defaults."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connections, transaction

from apps.accounts.types import SYSTEM
from apps.core.errors import Invalid
from apps.llm import catalogue, forecast, selectors, services
from apps.llm.models import Budget, Model, ModelDefaults
from apps.llm.presets import ProviderKind
from apps.llm.types import RemoteModel
from tests.llm.factories import ModelFactory, ProviderFactory, priced, set_defaults, stub_model

pytestmark = pytest.mark.django_db(transaction=True)
EUROS = priced(currency="EUR")


def limit_of(model, limit, currency="USD"):
    return services.set_budget(
        actor=SYSTEM,
        organization_id=model.organization_id,
        limit=None if limit is None else Decimal(limit),
        currency=currency,
    )


def beside(model, name, **values):
    return ModelFactory(provider=ProviderFactory(organization=model.organization), name=name, **values)


@pytest.fixture
def dollars(provider):
    return stub_model(provider, **priced())


def test_any_price_counts_for_the_budget_and_no_model_that_is_off(dollars):
    only_read = beside(dollars, "reads", input_price_per_million_tokens=Decimal(1), currency="EUR")

    with pytest.raises(Invalid):
        limit_of(dollars, 1)
    services.update_model(actor=SYSTEM, model_id=only_read.pk, is_enabled=False)
    limit_of(dollars, 1)

    services.update_model(actor=SYSTEM, model_id=only_read.pk, currency="GBP")
    with pytest.raises(Invalid):
        services.update_model(actor=SYSTEM, model_id=only_read.pk, is_enabled=True)


def test_budget_that_was_lifted_stands_in_nobodys_way(dollars):
    limit_of(dollars, 1)
    month = selectors.current_month()
    Budget.objects.update(month=month.replace(year=2021))
    limit_of(dollars, None)

    services.update_model(actor=SYSTEM, model_id=dollars.pk, currency="EUR")

    dollars.refresh_from_db()
    assert dollars.currency == "EUR"


def test_listed_model_in_another_currency_is_there_and_off(provider):
    euros = stub_model(provider, **EUROS)
    limit_of(euros, 1, "EUR")
    openai = ProviderFactory(organization=euros.organization, kind=ProviderKind.OPENAI)
    known = next(iter(catalogue.list_known(ProviderKind.OPENAI)))

    services.record_models(
        actor=SYSTEM, provider_id=openai.pk, listed=[RemoteModel(known.name), RemoteModel("gpt-of-nobody")]
    )

    rows = dict(Model.objects.filter(provider=openai).values_list("name", "is_enabled"))
    assert rows == {known.name: False, "gpt-of-nobody": True}
    made = services.create_provider(
        actor=SYSTEM, organization_id=euros.organization_id, kind=ProviderKind.OPENAI, name="Second", api_key="x"
    )
    assert not Model.objects.filter(provider=made, is_enabled=True).exists()


def test_stand_in_that_comes_back_in_another_currency_stays_off(dollars):
    other = beside(dollars, "other", **priced())
    set_defaults(dollars, other)
    services.record_models(actor=SYSTEM, provider_id=other.provider_id, listed=[])
    other.refresh_from_db()
    assert (other.is_enabled, other.is_absent) == (False, True)
    services.update_model(actor=SYSTEM, model_id=other.pk, currency="EUR")

    services.record_models(actor=SYSTEM, provider_id=other.provider_id, listed=[RemoteModel("other")])

    other.refresh_from_db()
    assert (other.is_enabled, other.is_absent) == (False, False)


@pytest.mark.parametrize("later", ["defaults", "budget"])
def test_of_two_who_write_at_once_the_later_one_is_refused(dollars, later):
    """A price in another currency is entered, and is not committed yet when the other looks."""
    free = beside(dollars, "free")
    refused = []

    def write():
        try:
            if later == "defaults":
                services.set_defaults(
                    actor=SYSTEM,
                    organization_id=dollars.organization_id,
                    default_id=dollars.pk,
                    fallback_id=free.pk,
                )
            else:
                limit_of(dollars, 1)
        except Invalid as error:
            refused.append(error.fields[0].code)
        finally:
            connections.close_all()

    with transaction.atomic():
        services.update_model(actor=SYSTEM, model_id=free.pk, **EUROS)
        writing = threading.Thread(target=write)
        writing.start()
        writing.join(0.2)
    writing.join(10)

    assert refused == ["currency_mismatch"]
    assert not Budget.objects.exists()
    assert not ModelDefaults.objects.filter(fallback=free).exists()


def test_vectors_are_not_made_in_another_currency_than_the_budget(provider):
    euros = stub_model(provider, **EUROS)
    openai = ProviderFactory(organization=euros.organization, kind=ProviderKind.OPENAI, name="OpenAI")

    def embedder():
        found = services.ensure_embedder(
            actor=SYSTEM, organization_id=euros.organization_id, reference="OpenAI/text-embedding-3-small"
        )
        return found and found.provider_id

    assert embedder() == openai.pk
    limit_of(euros, 1, "EUR")
    assert embedder() is None
    limit_of(euros, None, "EUR")
    assert embedder() == openai.pk


def test_of_a_model_without_prices_the_estimate_is_in_the_currency_of_its_stand_in(dollars):
    free, euros = beside(dollars, "free"), beside(dollars, "euros", **EUROS)
    services.update_model(actor=SYSTEM, model_id=dollars.pk, is_enabled=False)
    assert forecast.estimate(free, calls=1, input_tokens=1, output_tokens=1).currency == ""

    set_defaults(free, euros)
    found = forecast.estimate(free, calls=1, input_tokens=1, output_tokens=1)

    assert (found.cost, found.currency) == (None, "EUR")
    assert "stands in for it, that is paid in EUR" in str(found.basis)
