from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from apps.accounts.types import OrganizationRole
from apps.core.errors import LimitReached
from apps.llm import remote
from tests.accounts.factories import UserFactory, actor_of, join
from tests.llm.factories import ProviderFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def silent():
    """A server that takes connections and says nothing until it is closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server


@pytest.fixture
def row(silent):
    return ProviderFactory(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1")


@pytest.fixture
def admin(row):
    person = UserFactory()
    join(person, row.organization, role=OrganizationRole.ADMIN)
    return actor_of(person)


def test_tests_of_a_connection_keep_none_of_ours_and_are_few_at_once(silent, row, admin):
    threads = threading.local()
    wrappers = []

    def test():
        threads.own = connections["default"]
        wrappers.append(threads.own)
        try:
            return remote.test_connection(actor=admin, provider_id=row.pk).check_code
        finally:
            threads.own.close()

    with ThreadPoolExecutor(remote.MAX_TESTS_A_PERSON) as pool:
        running = [pool.submit(test) for _number in range(remote.MAX_TESTS_A_PERSON)]
        callers = [silent.accept()[0] for _test in running]
        held = [each.connection for each in wrappers]
        with pytest.raises(LimitReached) as refused:
            remote.test_connection(actor=admin, provider_id=row.pk)
        for caller in callers:
            caller.close()
        silent.close()
        codes = [each.result() for each in running]

    assert held == [None] * remote.MAX_TESTS_A_PERSON
    assert refused.value.headers["Retry-After"] == "20"
    assert codes == ["network"] * remote.MAX_TESTS_A_PERSON
    assert remote.test_connection(actor=admin, provider_id=row.pk).check_code == "network"
