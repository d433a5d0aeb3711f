"""Who can answer here, as the picker and the mentions list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import Project
from apps.accounts.types import Actor
from apps.agents import selectors as agents
from apps.conversations.models import Conversation
from apps.llm import selectors as llm


@dataclass(frozen=True, slots=True)
class AnswererView:
    kind: str
    id: UUID | None
    label: str
    note: str = ""
    price: str = ""
    is_available: bool = True
    reason: str = ""
    icon: str = "cloud"


def list_answerers(*, viewer: Actor, project: Project) -> list[AnswererView]:
    """Agents first, then models with what they can read and cost. Three queries."""
    found = [
        AnswererView("agent", agent.pk, agent.name, note=agent.description or (str(agent.model) if agent.model else ""))
        for agent in agents.list_agents(viewer, project_id=project.pk).order_by("-is_default", "name")
    ]
    models = llm.list_enabled_models(organization_id=project.organization_id).order_by("provider__name", "name")
    found += [
        AnswererView("model", model.pk, str(model), note=_note(model), price=_price(model), icon=_icon(model))
        for model in models
    ]
    return found


def _note(model: Any) -> str:
    window = model.context_window
    reads = _("reads %(count)s thousand tokens") % {"count": window // 1000} if window else ""
    return " · ".join(piece for piece in (model.provider.name, reads) if piece)


def _price(model: Any) -> str:
    entry, out = model.input_price_per_million_tokens, model.output_price_per_million_tokens
    if entry is None or out is None:
        return ""
    return f"{entry.normalize():f} / {out.normalize():f}"


def _icon(model: Any) -> str:
    return "cpu" if model.provider.kind in ("ollama", "llamacpp", "vllm", "lmstudio", "demo") else "cloud"


def chosen_answerer(found: list[AnswererView], conversation: Conversation | None) -> AnswererView:
    """The conversation's own choice, else the default agent of the project (listed first), else the demo's stand-in."""
    if conversation is not None:
        for kind, pk in (("agent", conversation.agent_id), ("model", conversation.model_id)):
            if pk and (match := next((each for each in found if each.kind == kind and each.id == pk), None)):
                return match
    return found[0] if found else AnswererView("agent", None, _("Assistant"))
