"""A new project may begin with a pack that comes with the installation."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import Actor
from apps.core.doors.project_beginnings import Beginning, Beginnings
from apps.packs import catalogue, services
from apps.packs.types import Origin


def _choices(language: str) -> list[Beginning]:
    return [Beginning(each.name, each.title, each.summary) for each in catalogue.list_shipped(language)]


def _begin(actor: Actor, project_id: UUID, name: str) -> None:
    pack = catalogue.get_shipped(name, actor.language)
    services.install_pack(actor=actor, project_id=project_id, pack=pack, origin=Origin.SHIPPED)


PACKS = Beginnings(_choices, _begin)
