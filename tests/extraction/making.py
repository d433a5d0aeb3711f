"""For tests of operations in which a model works: who answers, and waiting for the end."""

import pytest

from apps.accounts.types import SYSTEM
from apps.bulk import runner, services
from apps.llm.presets import ProviderKind
from tests.bulk.factories import fresh
from tests.bulk.test_runner import until
from tests.llm.factories import ModelFactory, ProviderFactory, priced, set_defaults, stub_model


@pytest.fixture
def demo(project):
    set_defaults(ModelFactory(provider=ProviderFactory(organization=project.organization, kind=ProviderKind.DEMO)))


@pytest.fixture
def priced_model(project, provider):
    set_defaults(stub_model(provider, organization=project.organization, **priced()))


def run(operation, status):
    """The sweep of the coordinator brings back what waits."""

    def is_done():
        services.wake_due(actor=SYSTEM)
        runner.runner().submit()
        return fresh(operation).status == status

    runner.runner().submit()
    try:
        until(is_done)
    finally:
        runner.close()
