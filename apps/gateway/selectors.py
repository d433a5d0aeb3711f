"""Which names of ``/v1`` mean what, for a key."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.agents import selectors as agents
from apps.core.errors import DomainError
from apps.gateway.types import Answerer, Listed, NoSuchModel
from apps.llm import selectors as llm

AGENT = "agent/"


def list_names(viewer: Actor) -> list[Listed]:
    """Models as ``provider/name``, then agents as ``agent/name`` (``agent/<id>`` where two share a name)."""
    assert viewer.organization_id is not None
    models = llm.list_enabled_models(organization_id=viewer.organization_id)
    listed = [
        Listed(f"{model.provider.name}/{model.name}", model.provider.name, int(model.created_at.timestamp()))
        for model in models
    ]
    found = list(agents.list_agents(viewer))
    times = Counter(agent.name for agent in found)
    listed += [
        Listed(
            f"{AGENT}{agent.name if times[agent.name] == 1 else agent.pk}",
            agent.project.name,
            int(agent.created_at.timestamp()),
        )
        for agent in found
    ]
    return sorted(listed, key=lambda one: (one.id.startswith(AGENT), one.id.casefold()))


def resolve(viewer: Actor, name: str) -> Answerer:
    """``agent/…`` is an agent; anything else is a model (id, ``provider/name``, unique bare name), then an agent's bare name.

    Raises ``NoSuchModel``; a bare name that several providers have is told apart in its words only.
    """
    assert viewer.organization_id is not None
    if name.startswith(AGENT):
        return _agent(viewer, name.removeprefix(AGENT))
    try:
        model = llm.get_model(organization_id=viewer.organization_id, reference=name)
    except DomainError as error:
        try:
            return _agent(viewer, name)
        except NoSuchModel as missing:
            if any(field.code == "ambiguous" for field in error.fields):
                raise NoSuchModel(_("Several providers have a model of this name: say provider/name.")) from error
            raise missing from error
    return Answerer(model_id=model.pk, max_output_tokens=model.max_output_tokens)


def _agent(viewer: Actor, name: str) -> Answerer:
    rows = agents.list_agents(viewer)
    try:
        found = list(rows.filter(pk=UUID(name)))
    except ValueError:
        found = list(rows.filter(name=name)[:2])
    if len(found) != 1:
        raise NoSuchModel
    return Answerer(model_id=None, agent_id=found[0].pk, project_id=found[0].project_id)
