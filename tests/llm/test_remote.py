from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from apps.accounts.types import OrganizationRole
from apps.core.errors import LimitReached
from apps.llm import remote
from apps.llm.presets import ProviderKind
from tests.accounts.factories import UserFactory, actor_of, join
from tests.llm.factories import ProviderFactory
from tests.llm.servers import listening

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


def closed_address():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


def test_model_servers_of_this_machine_are_found_by_what_they_list(silent):
    with (
        listening(api_tags=b'{"models": [{"name": "llama3.2:3b"}]}') as ollama,
        listening(v1_models=b'{"object": "list", "data": []}') as studio,
        listening(v1_models=b"<html>A page of somebody else</html>") as page,
        listening(v1_models=b'["a list"]', api_tags=b"{}") as other,
    ):
        found = remote.probe(
            [
                (ProviderKind.OLLAMA, ollama),
                (ProviderKind.LMSTUDIO, studio),
                (ProviderKind.VLLM, page),
                (ProviderKind.LLAMACPP, other),
                (ProviderKind.OLLAMA, other),
                (ProviderKind.OLLAMA, studio),
                (ProviderKind.VLLM, closed_address()),
                (ProviderKind.VLLM, f"http://127.0.0.1:{silent.getsockname()[1]}"),
            ]
        )

    assert found == [(ProviderKind.OLLAMA, f"{ollama}/v1"), (ProviderKind.LMSTUDIO, f"{studio}/v1")]


@pytest.mark.parametrize(("port", "missing"), [(8000, ProviderKind.VLLM), (8080, ProviderKind.LLAMACPP), (9999, None)])
def test_usual_ports_are_asked_but_for_our_own(settings, port, missing):
    settings.PARLANCE_PORT = port

    usual = dict(remote.usual_addresses())

    wanted = {
        ProviderKind.OLLAMA: "http://127.0.0.1:11434",
        ProviderKind.LLAMACPP: "http://127.0.0.1:8080",
        ProviderKind.VLLM: "http://127.0.0.1:8000",
        ProviderKind.LMSTUDIO: "http://127.0.0.1:1234",
    }
    assert usual == {kind: root for kind, root in wanted.items() if kind != missing}
