"""How providers, keys, prices and the ledger are forgotten. A person is in the ledger as an id that names nobody any more."""

from __future__ import annotations

from uuid import UUID

from apps.core.doors.erasers import Eraser, erasers
from apps.core.erasing import erase_some
from apps.llm.models import Budget, BudgetReservation, CallAttempt, Model, ModelDefaults, Provider


def _erase_person(_user_id: UUID) -> int:
    return 0


def _erase_organization(organization_id: UUID) -> int:
    count = 0
    for model in (BudgetReservation, Budget, CallAttempt, ModelDefaults, Model, Provider):
        count += model.objects.filter(organization_id=organization_id).delete()[0]
    return count


def _erase_piece(organization_id: UUID, limit: int) -> int | None:
    return erase_some(organization_id, limit, tables=(BudgetReservation, CallAttempt))


def register() -> None:
    erasers.register("llm", Eraser("llm", _erase_person, _erase_organization, _erase_piece))
