"""What the engine knows of an organization's models: frozen, read in one go, good for calls without a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from apps.llm.errors import ModelMissing
from apps.llm.presets import Preset, Wire
from apps.llm.types import Timeouts, Usage

LOCAL_FIRST_BYTE_SECONDS = 300.0
HIDDEN = "…"
#: Fewer characters of a secret at the end of a text that was cut off are no secret.
MIN_SECRET = 4
_MILLION = Decimal(1_000_000)
_SMALLEST = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class ProviderRoute:
    """``allows_private``: the operator named this address, so one on this machine or network is fine."""

    id: UUID
    version: int
    name: str
    preset: Preset
    base_url: str
    api_key: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    allows_private: bool = False

    def without_secrets(self, text: str) -> str:
        """What the provider said, without what we said to it: some repeat the key they refuse, perhaps cut off at the end."""
        for secret in filter(None, (self.api_key, *self.headers.values())):
            text = text.replace(secret, HIDDEN)
            for length in range(len(secret) - 1, MIN_SECRET - 1, -1):
                if text.endswith(secret[:length]):
                    text = text[:-length] + HIDDEN
                    break
        return text

    @property
    def is_demo(self) -> bool:
        return self.preset.wire is Wire.DEMO

    @property
    def breaker(self) -> str:
        """A new key or address has a new breaker: the old failures say nothing about it."""
        return f"{self.id}:{self.version}"


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens; None where nobody has said."""

    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None
    currency: str = "USD"

    @property
    def are_known(self) -> bool:
        return self.input is not None or self.output is not None

    def add_up_with(self, other: Prices) -> bool:
        """What has no price costs nothing, in whatever currency."""
        return not (self.are_known and other.are_known) or self.currency == other.currency

    def cost_of(self, usage: Usage) -> Decimal:
        price_in, price_out = self.input or Decimal(0), self.output or Decimal(0)
        price_cached = price_in if self.cached is None else self.cached
        cached = min(usage.cached_tokens, usage.input_tokens)
        total = (usage.input_tokens - cached) * price_in + cached * price_cached + usage.output_tokens * price_out
        return (total / _MILLION).quantize(_SMALLEST)

    def snapshot(self) -> dict[str, str]:
        """As the ledger keeps it."""
        known = {"input": self.input, "output": self.output, "cached": self.cached}
        return {name: str(price) for name, price in known.items() if price is not None}


@dataclass(frozen=True, slots=True)
class ModelRoute:
    id: UUID
    name: str
    provider: ProviderRoute
    prices: Prices = Prices()
    context_window: int | None = None
    max_output_tokens: int | None = None
    can_see: bool = False
    can_call_tools: bool = True
    enforces_schemas: bool | None = None  # None: nobody knows


@dataclass(frozen=True, slots=True)
class OrganizationRoutes:
    organization_id: UUID
    models: Mapping[UUID, ModelRoute]
    default_id: UUID | None = None
    fallback_id: UUID | None = None
    has_budget: bool = False

    def plan(self, model_id: UUID | None, *, allow_fallback: bool) -> tuple[ModelRoute, ...]:
        """Who is asked, in order. Raises ``ModelMissing`` for a model that is gone or switched off.

        The demo never stands in for a model that failed, nor does one that is paid in another currency: no budget could add up both.
        """
        wanted = model_id or self.default_id
        first = self.models.get(wanted) if wanted else None
        fallback = self.models.get(self.fallback_id) if self.fallback_id and allow_fallback else None
        if fallback is not None and (fallback is first or fallback.provider.is_demo):
            fallback = None
        if first is None:
            if wanted is None or fallback is None:
                raise ModelMissing
            return (fallback,)
        if fallback is not None and not first.prices.add_up_with(fallback.prices):
            fallback = None
        return (first, fallback) if fallback is not None else (first,)
