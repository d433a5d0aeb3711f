"""A run beside a private conversation is for those who see the conversation, by whatever way."""

import pytest

from apps.accounts.types import SYSTEM
from apps.conversations import services as conversations
from apps.conversations.models import Conversation
from apps.core.errors import NotFound
from apps.core.models import MailMessage
from apps.workflows import selectors, services, sight_selectors
from apps.workflows.models import Run
from apps.workflows.topics import RunTopic
from tests.accounts.factories import actor_of, add_to_project, bearer, key_of, member_of
from tests.conversations.factories import start
from tests.workflows.factories import defined, fresh, tell, walked

pytestmark = pytest.mark.django_db
ASK = {"question": "What did he tell you?", "mail": True}
OPTIONS = [{"key": "a", "title": "A"}, {"key": "b", "title": "B"}]


@pytest.fixture
def talk(actor, project):
    return start(actor, project, visibility="private")


@pytest.fixture
def other(project):
    """A manager of the project, who does not see the conversation."""
    user = member_of(project)
    add_to_project(user, project, role="manager")
    return user


def beside(actor, project, talk, *, call="ask", **more):
    definition = defined(actor, project, [{"it": {"call": call, "with": {**ASK, **more}}}])
    run = services.start_run(
        actor=actor, definition_id=definition.pk, conversation_id=talk.pk, data={"text": "My own words"}
    )
    return walked(run)


def sees(user, run):
    return selectors.find_run(run_id=run.pk, viewer=actor_of(user)) is not None


def test_run_is_there_for_who_sees_the_conversation_and_for_nobody_else(actor, owner, project, talk, other, client):
    run = beside(actor, project, talk)

    assert (sees(owner, run), sees(other, run)) == (True, False)
    assert list(selectors.list_runs(actor_of(other), project_id=project.pk)) == []
    assert list(selectors.list_runs(actor_of(other), conversation_id=talk.pk)) == []
    assert not RunTopic().is_allowed(actor_of(other), run.pk)
    headers = bearer(key_of(other, project.organization))
    assert client.get(f"/api/v1/runs/{run.pk}/", headers=headers).status_code == 404
    client.force_login(other)
    assert client.get(f"/runs/{run.pk}/").status_code == 404
    for act in (services.cancel_run, services.pause_run):
        with pytest.raises(NotFound):
            act(actor=actor_of(other), run_id=run.pk)
    with pytest.raises(NotFound):
        services.fork_run(actor=actor_of(other), run_id=run.pk, number=1)
    assert fresh(run).status == "waiting"


def test_who_is_let_in_sees_the_run_and_is_asked(actor, owner, project, talk, other):
    run = beside(actor, project, talk)
    assert set(MailMessage.objects.values_list("recipient", flat=True)) == {owner.email}

    conversations.invite_participant(actor=actor, conversation_id=talk.pk, user_id=other.pk)

    assert sees(other, run)
    assert set(sight_selectors.people_with(SYSTEM, fresh(run), "editor")) == {owner.pk, other.pk}


def test_vote_counts_those_who_are_asked(actor, project, talk, other):
    run = beside(actor, project, talk, call="choose", options=OPTIONS, rule="vote")
    choice = selectors.list_choices(run).get()

    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="b")

    assert walked(run).output["choice"] == "b"


def test_conversation_that_becomes_open_opens_its_runs(actor, project, talk, other):
    run = beside(actor, project, talk)

    Conversation.objects.filter(pk=talk.pk).update(visibility="project")

    assert sees(other, run)


@pytest.mark.parametrize(("visibility", "editor_sees"), [("private", False), ("project", True)])
def test_conversation_that_is_gone_for_good(actor, project, talk, other, visibility, editor_sees):
    """Nobody can say any more for whom it was: managers see the run, and everyone where everyone had seen it."""
    run, editor = beside(actor, project, talk), member_of(project)
    Conversation.objects.filter(pk=talk.pk).update(visibility=visibility, deleted_at="2026-01-01T00:00:00Z")
    assert sees(other, run) == (visibility == "project")

    conversations.erase_conversation(actor=SYSTEM, conversation_id=talk.pk)
    tell()

    assert (sees(other, run), sees(editor, run)) == (True, editor_sees)
    assert (Run.objects.get().conversation_id is None) == editor_sees
