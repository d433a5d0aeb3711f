"""How agents are forgotten. They belong to projects, not to people."""

from __future__ import annotations

from uuid import UUID

from apps.agents.models import Agent
from apps.core.doors.erasers import Eraser, erasers


def _erase_person(_user_id: UUID) -> int:
    return 0


def _erase_organization(organization_id: UUID) -> int:
    return Agent.objects.filter(organization_id=organization_id).delete()[0]


def register() -> None:
    erasers.register("agents", Eraser("agents", _erase_person, _erase_organization))
