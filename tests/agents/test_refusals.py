"""What the API of agents refuses, and that nothing is changed by it."""

import pytest

from apps.agents.models import Agent
from apps.agents.services import create_agent
from tests.accounts.factories import actor_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/agents/"


@pytest.fixture
def default(owner, project):
    return create_agent(actor=actor_of(owner), project_id=project.pk, name="first", is_default=True)


def names():
    return sorted(Agent.objects.filter(archived_at=None).values_list("name", "is_default"))


def test_second_agent_of_a_name_is_refused(api, project, default):
    answer = api.post(URL, {"project": str(project.pk), "name": "first"}, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (409, "agent_name_taken")
    assert names() == [("first", True)]


def test_default_agent_cannot_be_put_away(api, default):
    answers = [
        api.delete(f"{URL}{default.pk}/"),
        api.patch(f"{URL}{default.pk}/", {"is_default": False}, content_type="application/json"),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "default_agent_needed")] * 2
    assert names() == [("first", True)]
