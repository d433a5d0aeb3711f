"""Which names of ``/v1`` mean what, for a key."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.db.models import CharField, F, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.agents import selectors as agents
from apps.core.errors import DomainError
from apps.gateway.types import Answerer, Listed, NoSuchModel
from apps.llm import selectors as llm

AGENT = "agent/"


def list_names(viewer: Actor) -> list[Listed]:
    """Models as ``provider/name``, then agents as ``agent/name``: where two share a name, as ``agent/project/name``, and where that
    is not enough, as ``agent/<id>``.
    """
    assert viewer.organization_id is not None
    models = llm.list_enabled_models(organization_id=viewer.organization_id)
    listed = [
        Listed(f"{model.provider.name}/{model.name}", model.provider.name, int(model.created_at.timestamp()), model.pk)
        for model in models
    ]
    found = list(agents.list_agents(viewer))
    names = [(agent.name, f"{agent.project.name}/{agent.name}", str(agent.pk)) for agent in found]
    times = Counter(name for kinds in names for name in set(kinds))
    listed += [
        Listed(
            f"{AGENT}{next(name for name in kinds if times[name] == 1)}",
            agent.project.name,
            int(agent.created_at.timestamp()),
            agent.pk,
        )
        for agent, kinds in zip(found, names, strict=True)
    ]
    return sorted(listed, key=lambda one: (one.id.startswith(AGENT), one.id.casefold()))


def find_listed(viewer: Actor, name: str) -> Listed:
    """What ``list_names`` says of whom the name means, whichever of its names it is."""
    meant = resolve(viewer, name)
    listed = next((each for each in list_names(viewer) if each.pk == (meant.agent_id or meant.model_id)), None)
    if listed is None:  # it went meanwhile
        raise NoSuchModel
    return listed


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
        in_full = Concat(F("project__name"), Value("/"), F("name"), output_field=CharField())
        found = list((rows.filter(name=name) | rows.alias(in_full=in_full).filter(in_full=name))[:2])
    if len(found) > 1:
        raise NoSuchModel(_("Several agents have this name: say agent/project/name, as /v1/models lists them."))
    if not found:
        raise NoSuchModel
    return Answerer(model_id=None, agent_id=found[0].pk, project_id=found[0].project_id)
