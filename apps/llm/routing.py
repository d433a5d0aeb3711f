"""Routes at hand without a query: read once, kept while Redis says that nothing changed, two seconds at most without Redis."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.core.db import in_thread
from apps.core.leases import scaled
from apps.llm import selectors, services, shared_state
from apps.llm.routes import OrganizationRoutes
from apps.llm.shared_state import Seen

TRUSTED_SECONDS = 10.0  # an announcement may be lost while Redis blinks
TRUSTED_SECONDS_WITHOUT_REDIS = 2.0
MAX_ORGANIZATIONS = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    routes: OrganizationRoutes
    version: bytes | None
    read_at: float

    def is_good(self, version: bytes | None) -> bool:
        age = time.monotonic() - self.read_at
        if version is None or self.version is None:
            return version == self.version and age < scaled(TRUSTED_SECONDS_WITHOUT_REDIS)
        return version == self.version and age < TRUSTED_SECONDS


_kept: dict[UUID, _Kept] = {}
_reading: dict[tuple[int, UUID], asyncio.Task[_Kept]] = {}


async def routes_of(organization_id: UUID, model_id: UUID | None) -> tuple[OrganizationRoutes, Seen]:
    """The routes and what the breakers of the providers in question say: one round trip to Redis, mostly no query."""
    kept = _kept.get(organization_id)
    breakers = _breakers(kept.routes, model_id) if kept else []
    seen = await shared_state.look(organization_id, breakers)
    if kept is not None and kept.is_good(seen.version):
        return kept.routes, seen
    routes = (await _read(organization_id, seen.version)).routes
    if (now := _breakers(routes, model_id)) != breakers:
        seen = await shared_state.look(organization_id, now)
    return routes, seen


def _breakers(routes: OrganizationRoutes, model_id: UUID | None) -> list[str]:
    ids = (model_id or routes.default_id, routes.fallback_id)
    found = (routes.models.get(each) for each in ids if each)
    return list(dict.fromkeys(model.provider.breaker for model in found if model and not model.provider.is_demo))


async def _read(organization_id: UUID, version: bytes | None) -> _Kept:
    """One reader an organization and loop; who comes meanwhile waits for the same answer."""
    place = (id(asyncio.get_running_loop()), organization_id)
    task = _reading.get(place)
    if task is None:
        task = _reading[place] = asyncio.get_running_loop().create_task(_read_now(organization_id, version))
        task.add_done_callback(lambda _task: _reading.pop(place, None))
    return await asyncio.shield(task)


async def _read_now(organization_id: UUID, version: bytes | None) -> _Kept:
    # The version was taken before the rows: a change in between makes this reading old at once, never fresh for long.
    read_at = time.monotonic()
    routes = await in_thread(_routes, organization_id)
    if len(_kept) >= MAX_ORGANIZATIONS:
        _kept.pop(next(iter(tuple(_kept))), None)
    kept = _kept[organization_id] = _Kept(routes, version, read_at)
    return kept


def _routes(organization_id: UUID) -> OrganizationRoutes:
    routes = selectors.read_routes(organization_id=organization_id)
    if routes.models:
        return routes
    # An organization that nobody has brought up yet still answers: as the demo at least.
    services.ensure_environment_providers(actor=SYSTEM, organization_id=organization_id)
    return selectors.read_routes(organization_id=organization_id)


def forget() -> None:
    _kept.clear()
