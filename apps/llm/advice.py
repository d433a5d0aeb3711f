"""What a text would cost, and which model suits it: from the rows, without a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.llm import selectors, tokens
from apps.llm.languages import language_of
from apps.llm.models import Model
from apps.llm.presets import ProviderKind
from apps.llm.types import Usage

ROOM_FOR_ANSWER = 1024


@dataclass(frozen=True, slots=True)
class ModelCost:
    model: UUID
    name: str
    cost: Decimal | None
    currency: str
    fits: bool | None


@dataclass(frozen=True, slots=True)
class Analysis:
    characters: int
    words: int
    tokens: int
    language: str | None
    models: Sequence[ModelCost]


@dataclass(frozen=True, slots=True)
class Choice:
    model: Model
    fallback: Model | None
    why: str
    tokens: int


def analyze_text(*, viewer: Actor, organization_id: UUID, text: str, expected_output_tokens: int) -> Analysis:
    accounts.get_organization(organization_id, viewer)
    count = tokens.of_text(text)
    usage = Usage(input_tokens=count, output_tokens=expected_output_tokens)
    models = selectors.list_enabled_models(organization_id=organization_id).order_by("provider__name", "rank", "name")
    return Analysis(
        characters=len(text),
        words=len(text.split()),
        tokens=count,
        language=language_of(text),
        models=[_cost(model, usage) for model in models[:200]],
    )


def _cost(model: Model, usage: Usage) -> ModelCost:
    prices = selectors.prices_of(model)
    fits = None
    if model.context_window is not None:
        fits = usage.input_tokens + usage.output_tokens <= model.context_window
    return ModelCost(
        model=model.pk,
        name=f"{model.provider.name}/{model.name}",
        cost=prices.cost_of(usage) if prices.are_known else None,
        currency=model.currency,
        fits=fits,
    )


def choose_model(
    *,
    viewer: Actor,
    organization_id: UUID,
    text: str = "",
    model: str | None = None,
    needs_images: bool = False,
    needs_tools: bool = False,
) -> Choice:
    """Who would answer. A named model is kept; otherwise the default, unless it cannot do what is needed and another can."""
    accounts.get_organization(organization_id, viewer)
    count = tokens.of_text(text)
    chosen = selectors.get_defaults(organization_id=organization_id, viewer=viewer)
    fallback = chosen.fallback if chosen.fallback and chosen.fallback.is_enabled else None
    if model is not None:
        found = selectors.get_model(organization_id=organization_id, reference=model)
        return Choice(found, fallback if fallback != found else None, "asked", count)
    enabled = list(selectors.list_enabled_models(organization_id=organization_id))
    first = next((each for each in enabled if each.pk == chosen.default_id), None)
    standard, reason = (first, "default") if first else (selectors.best_of(enabled), "best")
    if standard is None:
        raise selectors.nothing_answers()
    lacks = _lack(standard, count, needs_images=needs_images, needs_tools=needs_tools)
    if lacks:
        able = [
            each
            for each in enabled
            if each.provider.kind != ProviderKind.DEMO
            and not each.provider.has_never_worked
            and not _lack(each, count, needs_images=needs_images, needs_tools=needs_tools)
        ]
        if better := selectors.best_of(able):
            standard, reason = better, lacks
    return Choice(standard, fallback if fallback != standard else None, reason, count)


def _lack(model: Model, count: int, *, needs_images: bool, needs_tools: bool) -> str:
    if needs_images and not model.can_see:
        return "images"
    if needs_tools and not model.can_call_tools:
        return "tools"
    if model.context_window is not None and count + ROOM_FOR_ANSWER > model.context_window:
        return "context"
    return ""
