"""Providers that speak to the scripted one, for tests of every app."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import factory
from django.db.models.functions import Now
from factory.django import DjangoModelFactory

from apps.core.ids import uuid7
from apps.llm.models import CallAttempt, Model, ModelDefaults, Provider, ProviderSource
from apps.llm.presets import ProviderKind
from tests.accounts.factories import OrganizationFactory


class ProviderFactory(DjangoModelFactory):
    """``source`` environment: an operator named the address, so the scripted provider on loopback may be called."""

    class Meta:
        model = Provider

    organization = factory.SubFactory(OrganizationFactory)
    kind = ProviderKind.OPENAI_COMPATIBLE
    name = factory.Sequence(lambda n: f"Provider {n}")
    source = ProviderSource.ENVIRONMENT
    base_url = "http://127.0.0.1:9/v1"


class ModelFactory(DjangoModelFactory):
    class Meta:
        model = Model

    provider = factory.SubFactory(ProviderFactory)
    organization = factory.SelfAttribute("provider.organization")
    name = factory.Sequence(lambda n: f"model-{n}")
    can_call_tools = True


class CallAttemptFactory(DjangoModelFactory):
    """A row of the ledger: a call on its way, of models that are nobody's."""

    class Meta:
        model = CallAttempt

    organization = factory.SubFactory(OrganizationFactory)
    provider_id = factory.LazyFunction(uuid7)
    model_id = factory.LazyFunction(uuid7)
    provider_name = "p"
    model_name = "m"
    purpose = "chat"
    attempt = 1
    started_at = Now()


def stub_model(
    provider, *, organization=None, kind=ProviderKind.OPENAI_COMPATIBLE, name="stub-small", **values
) -> Model:
    """A model of the scripted ``provider``; it is the organization's default when it is the first."""
    base_url = provider.url if kind == ProviderKind.ANTHROPIC else provider.openai_url
    given = {"organization": organization} if organization else {}
    return ModelFactory(
        provider=ProviderFactory(kind=kind, base_url=values.pop("base_url", base_url), **given), name=name, **values
    )


def set_defaults(default: Model, fallback: Model | None = None) -> None:
    ModelDefaults.objects.update_or_create(
        organization=default.organization, defaults={"default": default, "fallback": fallback}
    )


def priced(**values) -> dict:
    return {
        "input_price_per_million_tokens": Decimal(1),
        "output_price_per_million_tokens": Decimal(2),
        **values,
    }


def organization_id_of(model: Model) -> UUID:
    return model.organization_id
