"""One currency for whatever is added up: of a budget the enabled models that have prices; of the default model who stands in for it.

What has no price costs nothing, in whatever currency. Who might make it two currencies locks the row of the organization first
(``accounts.lock_organization``), before any other: of a price and a budget, or a price and a stand-in, that are set at once the later one
sees the earlier, and nobody waits for somebody who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import FieldError, Invalid
from apps.llm import selectors
from apps.llm.models import Budget, Model, ModelDefaults

_HAS_PRICE = Q(input_price_per_million_tokens__isnull=False) | Q(output_price_per_million_tokens__isnull=False)


def refuse_budget(organization_id: UUID, currency: str) -> None:
    """``Invalid`` for a budget in another currency than an enabled model."""
    if _priced(organization_id).exclude(currency=currency).exists():
        raise _mismatch("currency", _("Enabled models are priced in another currency."))


def refuse_model(model: Model) -> None:
    """``Invalid`` for a model, as it is about to be written, that does not go with the budget, the default or who stands in for it."""
    if wrong := _problem(model, _currency_of_budget(model.organization_id), _pairs(model.organization_id)):
        raise _mismatch("currency", wrong)


def problems_of_pair(default: Model | None, fallback: Model | None) -> list[FieldError]:
    """What is wrong with the one standing in for the other."""
    if default is None or fallback is None or _add_up(default, fallback):
        return []
    detail = _("It is priced in another currency than the default: no budget could add up both.")
    return list(_mismatch("fallback", detail).fields)


def fitting(organization_id: UUID) -> Callable[[Model], bool]:
    """Of models that nobody sets by hand: whether one may be switched on. Two questions, however many models there are."""
    currency, pairs = _currency_of_budget(organization_id), _pairs(organization_id)
    return lambda model: not _problem(model, currency, pairs, if_enabled=False)


def _problem(model: Model, currency: str, pairs: list[tuple[Model, Model]], *, if_enabled: bool = True) -> str:
    if (if_enabled and not model.is_enabled) or not selectors.prices_of(model).are_known:
        return ""
    if currency not in {"", model.currency}:
        return _("The budget is kept in another currency.")
    others = [two for one, two in pairs if one.pk == model.pk] + [one for one, two in pairs if two.pk == model.pk]
    if all(_add_up(model, other) for other in others):
        return ""
    return _("The default model and the one that stands in for it are priced in one currency.")


def _priced(organization_id: UUID) -> QuerySet[Model]:
    return Model.objects.filter(_HAS_PRICE, organization_id=organization_id, is_enabled=True)


def _currency_of_budget(organization_id: UUID) -> str:
    """Of the newest: its limit goes on in the months after it. Empty: there is none, or it was lifted."""
    newest = Budget.objects.filter(organization_id=organization_id).order_by("-month").first()
    return newest.currency if newest is not None and newest.limit is not None else ""


def _pairs(organization_id: UUID) -> list[tuple[Model, Model]]:
    """The default with who stands in for it; also while one of them is off, for it may come back."""
    rows = ModelDefaults.objects.filter(organization_id=organization_id).select_related("default", "fallback")
    return [(row.default, row.fallback) for row in rows if row.default is not None and row.fallback is not None]


def _add_up(one: Model, other: Model) -> bool:
    return selectors.prices_of(one).add_up_with(selectors.prices_of(other))


def _mismatch(field: str, detail: str) -> Invalid:
    return Invalid(fields=[FieldError(field, "currency_mismatch", detail)])
