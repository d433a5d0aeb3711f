from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("packs.pack_installed.v1", label=_("Installed a pack"))
@dataclass(frozen=True, slots=True)
class PackInstalled:
    """``made`` things are new, ``found`` ones were there and equal."""

    installation_id: UUID
    version: str
    made: int
    found: int


@event("packs.pack_upgraded.v1", label=_("Upgraded a pack"))
@dataclass(frozen=True, slots=True)
class PackUpgraded:
    """``kept`` things stay as somebody made them."""

    installation_id: UUID
    old_version: str
    version: str
    made: int
    changed: int
    removed: int
    kept: int


@event("packs.pack_removed.v1", label=_("Removed a pack"))
@dataclass(frozen=True, slots=True)
class PackRemoved:
    """``kept`` things stay in the project and belong to no pack any more."""

    installation_id: UUID
    version: str
    removed: int
    kept: int
    with_data: bool
