"""Every write of agents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.agents import policies, selectors
from apps.agents.events import AgentArchived, AgentChanged, AgentCreated
from apps.agents.models import Agent
from apps.agents.types import AgentNameTaken, DefaultAgentNeeded
from apps.core import rules
from apps.core.events import emit
from apps.core.types import Scope
from apps.core.versions import require_version
from apps.llm import selectors as llm


def _scope(agent: Agent) -> Scope:
    return Scope(f"project:{agent.project_id}", agent.organization_id, agent.project_id)


@transaction.atomic
def create_agent(
    *,
    actor: Actor,
    project_id: UUID,
    name: str,
    description: str = "",
    instructions: str = "",
    model: str = "",
    parameters: dict[str, Any] | None = None,
    is_default: bool = False,
) -> Agent:
    """The first agent of a project becomes its default."""
    project = accounts.lock_project(project_id, actor)
    require(policies.may_manage_agents(actor, accounts.role_in(actor, project)))
    is_default = is_default or not Agent.objects.filter(project=project, is_default=True).exists()
    if is_default:
        Agent.objects.filter(project=project, is_default=True).update(is_default=False)
    agent = Agent(
        organization_id=project.organization_id,
        project_id=project.pk,
        name=rules.NAME(name, field="name"),
        description=description,
        instructions=instructions,
        model=llm.get_model(organization_id=project.organization_id, reference=model) if model else None,
        parameters=parameters or {},
        is_default=is_default,
    )
    _save(agent)
    emit(AgentCreated(agent.pk), actor=actor, scope=_scope(agent), subject=("agent", agent.pk))
    return selectors.get_agent(agent_id=agent.pk, viewer=actor)


@transaction.atomic
def ensure_assistant(*, actor: Actor, project_id: UUID) -> None:
    """Somebody who answers when nobody else is asked: unless the project has an agent."""
    if not selectors.list_agents(actor, project_id=project_id).exists():
        create_agent(
            actor=actor,
            project_id=project_id,
            name=_("Assistant"),
            description=_("Answers when nobody else is asked."),
            is_default=True,
        )


def _save(agent: Agent) -> None:
    try:
        with transaction.atomic():
            agent.save()
    except IntegrityError as error:
        if "agents_agent_name" in str(error):
            raise AgentNameTaken from error
        raise


@transaction.atomic
def change_agent(
    *, actor: Actor, agent_id: UUID, changes: dict[str, Any], expected_version: int | None = None
) -> Agent:
    """``changes`` may name name, description, instructions, model (reference or empty), parameters, is_default (only True)."""
    agent = selectors.lock_agent(agent_id=agent_id, viewer=actor)
    require(policies.may_manage_agents(actor, accounts.project_role(actor, agent.project_id)))
    require_version(agent.version, expected_version)
    for name in ("name", "description", "instructions", "parameters"):
        if name in changes:
            setattr(agent, name, changes[name])
    if "model" in changes:
        reference = changes["model"]
        agent.model = llm.get_model(organization_id=agent.organization_id, reference=reference) if reference else None
    if "is_default" in changes:
        if agent.is_default and not changes["is_default"]:
            raise DefaultAgentNeeded
        if changes["is_default"]:
            Agent.objects.filter(project_id=agent.project_id, is_default=True).update(is_default=False)
            agent.is_default = True
    agent.version += 1
    _save(agent)
    emit(AgentChanged(agent.pk, tuple(sorted(changes))), actor=actor, scope=_scope(agent), subject=("agent", agent.pk))
    return selectors.get_agent(agent_id=agent.pk, viewer=actor)


@transaction.atomic
def archive_agent(*, actor: Actor, agent_id: UUID, expected_version: int | None = None) -> None:
    agent = selectors.lock_agent(agent_id=agent_id, viewer=actor)
    require(policies.may_manage_agents(actor, accounts.project_role(actor, agent.project_id)))
    require_version(agent.version, expected_version)
    if agent.is_default:
        raise DefaultAgentNeeded
    Agent.objects.filter(pk=agent.pk).update(archived_at=Now(), version=agent.version + 1)
    emit(AgentArchived(agent.pk), actor=actor, scope=_scope(agent), subject=("agent", agent.pk))
