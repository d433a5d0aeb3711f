"""How providers, models and the ledger are forgotten."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.core.doors.erasers import Eraser, erasers
from apps.llm.models import Budget, BudgetReservation, CallAttempt, Model, ModelDefaults, Provider


def _erase_person(user_id: UUID) -> int:
    """The ledger keeps the id of a person who is anonymous by then: sums by person stay right."""
    return 0


@transaction.atomic
def _erase_organization(organization_id: UUID) -> int:
    models = (BudgetReservation, Budget, CallAttempt, ModelDefaults, Model, Provider)
    return sum(model.objects.filter(organization_id=organization_id).delete()[0] for model in models)


def register() -> None:
    erasers.register("llm", Eraser("llm", _erase_person, _erase_organization))
