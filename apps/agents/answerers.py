"""Who may answer in a project: its agents, then the models of its organization. For pickers, mentions and the welcome."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import Project
from apps.accounts.types import Actor
from apps.agents import selectors
from apps.agents.models import Agent
from apps.llm import selectors as llm
from apps.llm.models import Model

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Answerer:
    """``price`` is input / output per million tokens in ``currency``; unavailable ones stay in the list with the reason.
    ``is_doubtful``: the last test of the provider failed.
    """

    kind: Literal["agent", "model"]
    id: UUID
    label: str
    provider_kind: str = ""
    model_label: str = ""
    can_see: bool = False
    context_window: int | None = None
    price: tuple[Decimal, Decimal] | None = None
    currency: str = "USD"
    is_default: bool = False
    is_available: bool = True
    reason: str = ""
    is_doubtful: bool = False

    @property
    def is_demo(self) -> bool:
        return self.provider_kind == DEMO


def list_answerers(viewer: Actor, project: Project) -> list[Answerer]:
    """Three queries; the default agent first, then the default model. An agent without a model of its own uses that."""
    models = list(llm.list_enabled_models(organization_id=project.organization_id).order_by("provider__name", "name"))
    standard = llm.find_default_model(organization_id=project.organization_id)
    models.sort(key=lambda model: standard is None or model.pk != standard.pk)
    agents = selectors.list_agents(viewer, project_id=project.pk).order_by("-is_default", "name")
    return [_of_agent(agent, standard) for agent in agents] + [
        _of_model(model, is_default=standard is not None and model.pk == standard.pk) for model in models
    ]


def chosen_answerer(
    found: list[Answerer], *, agent_id: UUID | None = None, model_id: UUID | None = None
) -> Answerer | None:
    """The agent or model that was chosen, else the first (the default agent); None where nobody can answer."""
    for kind, pk in (("agent", agent_id), ("model", model_id)):
        if match := next((each for each in found if pk and each.kind == kind and each.id == pk), None):
            return match
    return next(iter(found), None)


def _of_agent(agent: Agent, standard: Model | None) -> Answerer:
    model = agent.model or standard
    if model is None:
        return Answerer(
            "agent", agent.pk, agent.name, is_default=agent.is_default, is_available=False, reason=_("no model")
        )
    return Answerer(
        "agent",
        agent.pk,
        agent.name,
        provider_kind=model.provider.kind,
        model_label=str(model),
        can_see=model.can_see,
        context_window=model.context_window,
        is_default=agent.is_default,
        is_available=model.is_enabled and model.provider.is_enabled,
        reason=_refusal(model),
        is_doubtful=bool(model.provider.check_code),
    )


def _of_model(model: Model, *, is_default: bool) -> Answerer:
    prices = (model.input_price_per_million_tokens, model.output_price_per_million_tokens)
    return Answerer(
        "model",
        model.pk,
        str(model),
        provider_kind=model.provider.kind,
        model_label=f"{model.provider.name}",
        can_see=model.can_see,
        context_window=model.context_window,
        price=(prices[0], prices[1]) if prices[0] is not None and prices[1] is not None else None,
        currency=model.currency,
        is_default=is_default,
        is_available=model.provider.check_code != "auth",
        reason=_refusal(model),
        is_doubtful=bool(model.provider.check_code),
    )


def _refusal(model: Model) -> str:
    if model.provider.check_code == "auth":
        return _("%(provider)s: key refused") % {"provider": model.provider.name}
    return "" if model.is_enabled and model.provider.is_enabled else _("switched off")
