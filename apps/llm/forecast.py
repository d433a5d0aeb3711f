"""What many calls to a model would cost and take, and what they share with all others who call it. Reads only."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import preferences
from apps.core.doors.bulk_kinds import Estimate, Resource
from apps.core.doors.settings import Level, Setting
from apps.llm import selectors
from apps.llm.models import Model, ProviderSource
from apps.llm.presets import ProviderKind
from apps.llm.types import Usage

CALLS_AT_ONCE = "llm.calls_at_once"
#: What a hosted model of middle size writes in a second; a guess, until there are calls to measure.
TOKENS_A_SECOND = 40
SECONDS_A_CALL = 1.0
_PLACES = Decimal("0.0001")


def register() -> None:
    preferences.register(
        Setting(
            CALLS_AT_ONCE,
            int,
            default=8,
            title=gettext_lazy("Calls of operations that a provider gets at once"),
            help=gettext_lazy("Of all teams together. What people ask in conversations does not wait for it."),
            levels=(Level.PLATFORM,),
            minimum=1,
            maximum=50,
            environment="PARLANCE_CALLS_AT_ONCE",
        )
    )


def find_model(*, organization_id: UUID, reference: str = "") -> Model:
    """The model that is named, else the default. ``Invalid`` where there is none."""
    if reference:
        return selectors.get_model(organization_id=organization_id, reference=reference)
    found = selectors.find_default_model(organization_id=organization_id)
    if found is None:
        raise selectors.nothing_answers()
    return found


def is_demo(model: Model) -> bool:
    return model.provider.kind == ProviderKind.DEMO


def label_of(model: Model) -> str:
    return f"{model.provider.name}/{model}"


def resource_of(model: Model) -> Resource:
    """A provider that the operator named is one for all tenants; others are a team's own account."""
    provider = model.provider
    shared = provider.source == ProviderSource.ENVIRONMENT
    name = f"{provider.kind}:{provider.base_url}"[:90] if shared else str(provider.pk)
    return Resource(f"provider:{name}", at_once=preferences.get(CALLS_AT_ONCE))


def estimate(model: Model, *, calls: int, input_tokens: int, output_tokens: int, is_timed: bool = False) -> Estimate:
    """``input_tokens`` and ``output_tokens`` are those of one call. ``is_timed``: the caller knows better how long it takes.

    Of a model without prices the currency is that of who stands in for it: what it costs is paid in that.
    """
    if is_demo(model):
        basis = _("The demo answers by rules and costs nothing.")
        return Estimate(Decimal(0), "USD", None if is_timed else round(calls * 0.2, 1), basis)
    prices = selectors.prices_of(model)
    said = [
        _("%(calls)s calls of %(model)s, each about %(input)s tokens to read and %(output)s to write.")
        % {"calls": calls, "model": label_of(model), "input": input_tokens, "output": output_tokens}
    ]
    cost, currency = None, ""
    if prices.are_known:
        currency = prices.currency
        cost = (calls * prices.cost_of(Usage(input_tokens=input_tokens, output_tokens=output_tokens))).quantize(_PLACES)
        said.append(
            _("A million tokens cost %(input)s and %(output)s %(currency)s.")
            % {
                "input": _plain(prices.input),
                "output": _plain(prices.output),
                "currency": prices.currency,
            }
        )
    else:
        said.append(_("Nobody has said what this model costs."))
        if (other := _stand_in_of(model)) is not None:
            currency = other.currency
            said.append(
                _("Where %(model)s stands in for it, that is paid in %(currency)s.")
                % {"model": label_of(other), "currency": currency}
            )
    seconds = None
    if not is_timed:
        seconds = round(calls * (SECONDS_A_CALL + output_tokens / TOKENS_A_SECOND), 1)
        said.append(_("Time: a guess of %(number)s tokens a second.") % {"number": TOKENS_A_SECOND})
    return Estimate(cost, currency, seconds, " ".join(said))


def _stand_in_of(model: Model) -> Model | None:
    """Who answers when it fails, as far as that costs something."""
    found = selectors.find_fallback_model(organization_id=model.organization_id)
    if found is None or found.pk == model.pk or is_demo(found):
        return None
    return found if selectors.prices_of(found).are_known else None


def _plain(price: Decimal | None) -> str:
    return f"{(price or Decimal(0)).normalize():f}"
