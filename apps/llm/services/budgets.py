"""What an organization may spend in a month."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.errors import VersionMismatch
from apps.core.events import emit
from apps.core.types import Scope
from apps.llm import currencies, policies, selectors, shared_state
from apps.llm.events import BudgetSet
from apps.llm.models import Budget, CallAttempt


@transaction.atomic
def set_budget(
    *, actor: Actor, organization_id: UUID, limit: Decimal | None, currency: str = "USD", version: int | None = None
) -> Budget:
    """From this month on; None lifts the limit. What the month has cost so far counts.

    The currency must be the one that enabled models are priced in: sums of two currencies bound nothing.
    """
    organization = accounts.lock_organization(organization_id, actor)
    policies.require(policies.can_manage_budget(actor, accounts.role_of(actor, organization)))
    if limit is not None:
        currencies.refuse_budget(organization_id, currency)
    month = selectors.current_month()
    budget = Budget.objects.select_for_update().filter(organization_id=organization_id, month=month).first()
    if budget is None:
        spent = CallAttempt.objects.filter(
            organization_id=organization_id, started_at__gte=selectors.month_begin(month), currency=currency
        ).aggregate(sum=Sum("cost"))["sum"]
        budget = Budget(organization_id=organization_id, month=month, spent=spent or Decimal(0), version=0)
    elif version is not None and version != budget.version:
        raise VersionMismatch(current=budget.version)
    old = budget.limit
    budget.limit, budget.currency, budget.version = limit, currency, budget.version + 1
    if budget._state.adding:  # noqa: SLF001  (Django's documented attribute)
        budget.save(force_insert=True)
    else:
        # Calls change the sums at any moment: only these columns are ours.
        changes = {"limit": limit, "currency": currency, "version": F("version") + 1, "updated_at": Now()}
        Budget.objects.filter(pk=budget.pk).update(**changes)
    emit(
        BudgetSet(budget_id=budget.pk, old_limit=old, new_limit=limit),
        actor=actor,
        scope=Scope(topic=f"organization:{organization_id}", organization_id=organization_id),
        subject=("llm.budget", budget.pk),
    )
    transaction.on_commit(lambda: shared_state.announce_change(organization_id))
    return budget
