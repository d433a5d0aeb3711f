"""Names that several agents share: one's own project's stays short, the others say where they are."""

from dataclasses import replace

import pytest

from apps.agents.models import Agent
from apps.gateway import selectors
from apps.gateway.types import NoSuchModel
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.accounts.fixtures import first, owner

__all__ = ["first", "owner"]
pytestmark = pytest.mark.django_db


def agent(project, name="Assistant"):
    return Agent.objects.create(organization=project.organization, project=project, name=name)


@pytest.fixture
def actor(owner, first):
    return replace(actor_of(owner), organization_id=first.organization_id)


def names(actor):
    return [one.id for one in selectors.list_names(actor) if one.id.startswith("agent/")]


def test_shared_name_is_said_with_its_project(actor, first):
    film = ProjectFactory(organization=first.organization, name="Harbour Film")
    here, there = agent(first), agent(film)
    agent(film, "Pilot")

    assert names(actor) == ["agent/First project/Assistant", "agent/Harbour Film/Assistant", "agent/Pilot"]
    assert selectors.resolve(actor, "agent/First project/Assistant").agent_id == here.pk
    assert selectors.resolve(actor, f"agent/{there.pk}").agent_id == there.pk
    assert selectors.resolve(actor, "Pilot").project_id == film.pk
    with pytest.raises(NoSuchModel, match="Several agents have this name"):
        selectors.resolve(actor, "agent/Assistant")


def test_projects_of_one_name_leave_the_id(actor, first):
    twin = ProjectFactory(organization=first.organization, name="First project")
    rows = [agent(each) for each in (first, twin)]

    assert names(actor) == sorted(f"agent/{row.pk}" for row in rows)


def test_agents_of_others_make_no_name_shared(actor, first):
    agent(first)
    agent(ProjectFactory(owner=UserFactory()))

    assert names(actor) == ["agent/Assistant"]
