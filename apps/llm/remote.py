"""The engine that asks providers what they have: tests of a connection, lists of models, servers on this machine.

Calls first, then short services: no transaction is open while somebody else's server thinks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.accounts.types import SYSTEM, Actor
from apps.core.addresses import PUBLIC, TRUSTED, AddressRefused, check_url
from apps.core.db import give_connections_back
from apps.core.errors import DomainError, FieldError, Invalid, LimitReached
from apps.core.http import Limits, client
from apps.core.leases import scaled
from apps.llm import clients, policies, selectors, services
from apps.llm.errors import ModelError, ModelMissing
from apps.llm.models import CODES_WITHOUT_LIST, Provider
from apps.llm.presets import PRESETS, ProviderKind
from apps.llm.routes import ProviderRoute
from apps.llm.types import RemoteModel, Timeouts

logger = logging.getLogger(__name__)

ASK = Timeouts(connect_seconds=5, first_byte_seconds=15, gap_seconds=15, total_seconds=20)
PROBE_SECONDS = 0.5
MAX_TESTS_A_PERSON = 3  # at once, in each process
_testing: Counter[UUID | None] = Counter()
_counting = threading.Lock()
_LISTS = {ProviderKind.OLLAMA: "/api/tags", ProviderKind.LLAMACPP: "/v1/models"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says when it is asked for its models: ``code`` is empty when it answers, ``listed`` None without a list."""

    code: str = ""
    listed: Sequence[RemoteModel] | None = None


def test_connection(*, actor: Actor, provider_id: UUID) -> Provider:
    """Ask the provider for its models, keep them, and say how it went in ``check_code`` (empty: it answered).

    Raises ``LimitReached`` for who has as many tests running here already: each may hold a thread for 20 s.
    """
    provider = selectors.get_provider(provider_id=provider_id, viewer=actor)
    may = selectors.can_manage(organization_id=provider.organization_id, viewer=actor)
    policies.require(may)
    return keep_answer(actor=actor, provider_id=provider_id, answer=_ask(actor, provider))


def try_out(*, actor: Actor, organization_id: UUID, **fields: Any) -> Answer:
    """Ask one that is not there yet, and is not saved; ``keep_answer`` takes what it said once it is.

    ``fields`` and refusals are those of ``services.create_provider``; ``LimitReached`` as for ``test_connection``.
    """
    return _ask(actor, services.draft_provider(actor=actor, organization_id=organization_id, **fields))


def keep_answer(*, actor: Actor, provider_id: UUID, answer: Answer) -> Provider:
    if answer.listed is None:
        if answer.code in {"", *CODES_WITHOUT_LIST}:  # it may still have what its kind usually has
            services.add_known_models(actor=actor, provider_id=provider_id)
    elif selectors.get_provider(provider_id=provider_id, viewer=actor).kind != ProviderKind.DEMO:
        services.record_models(actor=actor, provider_id=provider_id, listed=answer.listed)
    return services.note_check(actor=actor, provider_id=provider_id, code=answer.code)


def _ask(actor: Actor, provider: Provider) -> Answer:
    """Where its kind is at home, nothing under the list's address means that it keeps no list. At an address that somebody named it
    is trouble: most often ``/v1`` is missing. A request that is refused (400) is trouble everywhere: some refuse a wrong key so.
    """
    route = selectors.route_of_provider(provider)
    try:
        with _one_of_few(actor):
            give_connections_back()
            return Answer(listed=asyncio.run(fetch_models(route)))
    except ModelMissing as error:
        return Answer(code=error.code if provider.is_elsewhere else "")
    except ModelError as error:
        return Answer(code=error.code)


@contextmanager
def _one_of_few(actor: Actor) -> Iterator[None]:
    with _counting:
        if actor.user_id is not None and _testing[actor.user_id] >= MAX_TESTS_A_PERSON:
            raise LimitReached(
                retry_after_seconds=round(scaled(ASK.total_seconds)),
                limit="provider_tests",
                most=MAX_TESTS_A_PERSON,
                reason="places",
            )
        _testing[actor.user_id] += 1
    try:
        yield
    finally:
        with _counting:
            _testing[actor.user_id] -= 1
            if not _testing[actor.user_id]:
                del _testing[actor.user_id]


def refuse_private_address(base_url: str) -> None:
    """Before the service: resolving a name is a network call, which no transaction may wait for. The call itself checks again."""
    give_connections_back()
    try:
        check_url(base_url, PUBLIC)
    except AddressRefused as error:
        raise Invalid(fields=[FieldError("base_url", error.code, error.detail)]) from error


async def fetch_models(route: ProviderRoute) -> list[RemoteModel]:
    adapter = clients.make_adapter(route)
    try:
        return await adapter.list_models(timeouts=ASK.scaled(scaled(1.0)))
    finally:
        await adapter.aclose()


def bring_up_environment(*, organization_id: UUID, local: Sequence[tuple[ProviderKind, str]] | None = None) -> None:
    """Providers of the environment and of this machine, with their models. For a new organization, after a start and every hour."""
    found = find_local_servers() if local is None else local
    fresh = services.ensure_environment_providers(actor=SYSTEM, organization_id=organization_id, local=found)
    for provider_id in fresh:
        provider = test_connection(actor=SYSTEM, provider_id=provider_id)
        if provider.check_code:
            logger.warning("provider_not_reached", extra={"provider": str(provider_id), "code": provider.check_code})


def bring_up_all() -> None:
    """Every organization, one after the other; one that fails does not hold the others."""
    local = find_local_servers()
    for organization_id in selectors.list_organizations():
        try:
            bring_up_environment(organization_id=organization_id, local=local)
        except DomainError as error:
            logger.warning(
                "environment_not_brought_up", extra={"organization": str(organization_id), "code": error.code}
            )


def find_local_servers() -> list[tuple[ProviderKind, str]]:
    """Model servers on their usual ports. ``PARLANCE_LOCAL_MODELS=off`` looks for none."""
    if os.environ.get("PARLANCE_LOCAL_MODELS", "").lower() in {"off", "0", "no", "false"} or settings.TESTING:
        return []
    return probe(usual_addresses())


def usual_addresses() -> list[tuple[ProviderKind, str]]:
    """Where the servers that people run on their own machines listen, but for the port that is ours."""
    ports = {preset.local_port: preset for preset in PRESETS.values() if preset.local_port}
    ports.pop(settings.PARLANCE_PORT, None)
    return [
        (preset.kind, preset.base_url.removesuffix("/v1").replace("localhost", "127.0.0.1"))
        for preset in ports.values()
    ]


def probe(addresses: Iterable[tuple[ProviderKind, str]]) -> list[tuple[ProviderKind, str]]:
    """Those that list models as their kind does, each with its address for calls. One that is silent costs half a second."""
    found = []
    with client(TRUSTED, limits=Limits(max_bytes=2_000_000, total_seconds=PROBE_SECONDS * 2)) as http:
        for kind, root in addresses:
            try:
                answer = http.get(root + _LISTS.get(kind, "/v1/models"), timeout=PROBE_SECONDS)
                listed = answer.json() if answer.status_code == 200 else None  # noqa: PLR2004
            except Exception as error:  # noqa: BLE001  (whatever listens there: it is not a model server)
                logger.debug("no_model_server", extra={"kind": kind, "reason": type(error).__name__})
                continue
            if isinstance(listed, dict) and ("data" in listed or "models" in listed):
                found.append((kind, f"{root}/v1"))
    return found
