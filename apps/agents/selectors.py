"""Every shared read of agents."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.agents.models import Agent
from apps.agents.types import Instructions
from apps.core.compiled import Compiled
from apps.core.errors import NotFound
from apps.llm.types import Parameters


def visible_to(viewer: Actor) -> QuerySet[Agent]:
    """Everyone who sees the project sees its agents."""
    return Agent.objects.filter(accounts.project_filter(viewer, field="project"), archived_at=None)


def list_agents(viewer: Actor, *, project_id: UUID | None = None) -> QuerySet[Agent]:
    """With model and provider loaded; the default agent of a project first when sorted by ``-is_default``."""
    rows = visible_to(viewer).select_related("model__provider", "project")
    return rows.filter(project_id=project_id) if project_id else rows


def get_agent(*, agent_id: UUID, viewer: Actor, project_id: UUID | None = None) -> Agent:
    if (found := list_agents(viewer, project_id=project_id).filter(pk=agent_id).first()) is None:
        raise NotFound
    return found


def lock_agent(*, agent_id: UUID, viewer: Actor) -> Agent:
    if (found := visible_to(viewer).select_for_update(of=("self",)).filter(pk=agent_id).first()) is None:
        raise NotFound
    return found


def find_by_spoken_name(*, project_id: UUID, said: str) -> Agent | None:
    """The agent whose name begins what was said after ``@`` (case-folded); the longest name wins."""
    names = Agent.objects.filter(project_id=project_id, archived_at=None).only("id", "name", "model_id")
    fitting = [agent for agent in names if _begins(said, agent.name.casefold())]
    return max(fitting, key=lambda agent: len(agent.name), default=None)


def _begins(said: str, name: str) -> bool:
    return said.startswith(name) and not said[len(name) : len(name) + 1].isalnum()


def find_default_agent(*, project_id: UUID) -> Agent | None:
    """Who answers in a project when nobody else was chosen."""
    return _default_agent.first(project=project_id)


def read_instructions(*, agent: Agent | None, project_id: UUID) -> Instructions:
    """What answers: the given agent, else the default of the project, else a bare assistant."""
    found = agent or find_default_agent(project_id=project_id)
    if found is None:
        return Instructions(None, "", "", None, Parameters())
    return Instructions(found.pk, found.name, found.instructions, found.model_id, parameters_of(found))


_default_agent: Compiled[Agent] = Compiled(
    lambda *, project: Agent.objects.filter(project_id=project, is_default=True, archived_at=None)[:1]
)


def parameters_of(agent: Agent) -> Parameters:
    known = {
        name: agent.parameters[name]
        for name in ("temperature", "top_p", "max_output_tokens")
        if name in agent.parameters
    }
    return Parameters(**known)
