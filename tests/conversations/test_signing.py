"""Whose name an answer carries."""

import pytest

from apps.agents import services as agents
from apps.conversations.models import Message
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def ines(project):
    from apps.accounts.types import ProjectRole

    return someone(project, ProjectRole.MANAGER)


def test_answer_nobody_was_chosen_for_is_signed_by_the_default_agent(project, ines):
    editor = agents.create_agent(actor=ines, project_id=project.pk, name="Script editor")
    other = agents.create_agent(actor=ines, project_id=project.pk, name="Reader")
    conversation = start(ines, project)

    posted = say(ines, conversation)
    assert (posted.answer.agent_id, posted.turn.agent_id) == (editor.pk, editor.pk)

    agents.change_agent(actor=ines, agent_id=other.pk, changes={"is_default": True})
    answer(posted)

    assert Message.objects.get(pk=posted.answer.pk).agent.name == "Script editor"
    assert say(ines, conversation).answer.agent_id == other.pk


def test_project_without_agents_gets_unsigned_answers(project, ines):
    assert say(ines, start(ines, project)).answer.agent_id is None
