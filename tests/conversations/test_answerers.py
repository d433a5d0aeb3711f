"""Who answers: whom the words name, else who was chosen; and one more answer when somebody asks for it."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.types import OrganizationRole, Permission
from apps.agents.models import Agent
from apps.conversations import selectors, services
from apps.conversations.models import Message, Turn
from apps.conversations.types import Visibility
from apps.core.models import Event
from apps.llm.models import Model
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, join
from tests.conversations.factories import answer, say, start
from tests.llm.factories import ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def answerers(project):
    """By what they are called: the default agent, two more with names that begin alike, and two models of two providers."""
    rows = {
        name: Agent.objects.create(organization=project.organization, project=project, name=name)
        for name in ("Editor", "Noir", "Noir City")
    }
    Agent.objects.filter(name="Editor").update(is_default=True)
    for provider in ("East", "West"):
        row = ProviderFactory(organization=project.organization, name=provider)
        name = f"{provider.lower()}-large"
        rows[name] = ModelFactory(provider=row, organization=project.organization, name=name)
    elsewhere = ProjectFactory(organization=project.organization)
    rows["Stranger"] = Agent.objects.create(organization=project.organization, project=elsewhere, name="Stranger")
    return rows


@pytest.mark.parametrize(
    ("content", "agent", "model"),
    [
        ("Who answers?", "Editor", None),
        ("@Noir begin.", "Noir", None),
        ("Please, @noir city: a line.", "Noir City", None),
        ("@Noirish begin.", "Editor", None),
        ("@east-large what do you think?", "Editor", "east-large"),
        ("@West/west-large, and you?", "Editor", "west-large"),
        ("@Nobody and then @Noir", "Noir", None),
        ("@Noir and then @east-large", "Noir", None),
        ("@east-large and then @Noir", "Editor", "east-large"),
        ("Write to ines@noir.example", "Editor", None),
        ("@Stranger of another project", "Editor", None),
        ("@\nNoir", "Editor", None),
        ("A line, please (@Noir, in your words).", "Noir", None),
    ],
)
def test_whoever_is_mentioned_first_answers(ines, project, answerers, content, agent, model):
    posted = say(ines, start(ines, project), content)

    assert posted.turn.agent_id == posted.answer.agent_id == answerers[agent].pk
    assert posted.turn.model_id == (answerers[model].pk if model else None)


def test_agent_that_is_mentioned_answers_with_its_own_model(ines, project, answerers):
    Agent.objects.filter(name="Noir").update(model_id=answerers["west-large"].pk)

    posted = say(ines, start(ines, project, model="east-large"), "@Noir begin.")

    assert (posted.turn.agent_id, posted.turn.model_id) == (answerers["Noir"].pk, answerers["west-large"].pk)


def test_what_the_request_names_wins_over_the_words(ines, project, answerers):
    conversation = start(ines, project)

    by_model = say(ines, conversation, "@Noir begin.", model="east-large")
    by_agent = say(ines, conversation, "@east-large begin.", agent=answerers["Noir City"].pk)

    assert by_model.turn.model_id == answerers["east-large"].pk
    assert (by_agent.turn.agent_id, by_agent.turn.model_id) == (answerers["Noir City"].pk, None)


def test_archived_agents_and_models_that_are_off_are_not_heard(ines, project, answerers):
    Agent.objects.filter(name="Noir").update(archived_at=timezone.now())
    Model.objects.filter(name="east-large").update(is_enabled=False)
    conversation = start(ines, project)

    for content in ("@Noir begin.", "@east-large begin."):
        posted = say(ines, conversation, content)
        assert (posted.turn.agent_id, posted.turn.model_id) == (answerers["Editor"].pk, None)


@pytest.fixture
def leo(project):
    leo = UserFactory(name="Leo Brandt")
    join(leo, project.organization)
    return leo


@pytest.mark.parametrize(
    "content",
    ["@Leo Brandt just for you", "Look, @leo brandt: the quay.", "@Leo Brandt, and @Nobody", "Not me, @Leo Brandt"],
)
def test_words_that_name_only_people_get_no_answer(api, ines, leo, project, answerers, content):
    conversation = start(ines, project)

    posted = api.post(
        f"/api/v1/conversations/{conversation.pk}/messages/", json.dumps({"content": content}), "application/json"
    )

    assert (posted.status_code, posted.json()["turn"], posted.json()["answer"]) == (202, None, None)
    assert [row.text for row in Message.objects.all()] == [content]
    assert not Turn.objects.exists()
    told = list(Event.objects.filter(type__startswith="conversations.message_posted"))
    assert [(event.payload.get("answer_id"), event.payload.get("turn_id")) for event in told] == [(None, None)]

    after = say(ines, conversation, "And now a question.")
    assert (after.message.parent_id, after.turn.agent_id) == (
        Message.objects.earliest("number").pk,
        answerers["Editor"].pk,
    )


@pytest.mark.parametrize(
    ("content", "agent", "model"),
    [
        ("@Leo Brandt and @Noir: begin.", "Noir", None),
        ("@Noir, tell @Leo Brandt.", "Noir", None),
        ("@Leo Brandt and @east-large", "Editor", "east-large"),
        ("@Leo Brandtner is a writer.", "Editor", None),
        ("Leo Brandt is a writer.", "Editor", None),
        ("@Ines: a note to myself.", "Editor", None),
    ],
)
def test_words_to_people_and_to_who_answers_are_answered(ines, leo, project, answerers, content, agent, model):
    User.objects.filter(pk=ines.user_id).update(name="Ines")

    posted = say(ines, start(ines, project), content)

    assert posted.turn.agent_id == answerers[agent].pk
    assert posted.turn.model_id == (answerers[model].pk if model else None)


def test_person_with_the_longer_name_is_meant_and_not_the_agent(ines, leo, project, answerers):
    leo_too = Agent.objects.create(organization=project.organization, project=project, name="Leo")

    assert say(ines, start(ines, project), "@Leo Brandt just for you").turn is None
    assert say(ines, start(ines, project), "@Leo begin.").turn.agent_id == leo_too.pk


def test_request_that_names_who_answers_is_answered_whoever_the_words_name(ines, leo, project, answerers):
    conversation = start(ines, project)

    assert say(ines, conversation, "@Leo Brandt", model="east-large").turn.model_id == answerers["east-large"].pk
    assert say(ines, conversation, "@Leo Brandt", agent=answerers["Noir"].pk).turn.agent_id == answerers["Noir"].pk


def test_choice_that_stands_for_all_that_is_written_answers_no_words_to_people(api, ines, leo, project, answerers):
    conversation = start(ines, project)

    def turn_of(content):
        body = {"content": content, "model": "east-large", "unless_to_people": True}
        address = f"/api/v1/conversations/{conversation.pk}/messages/"
        return api.post(address, json.dumps(body), "application/json").json()["turn"]

    assert turn_of("@Leo Brandt just for you") is None
    assert Turn.objects.get(pk=turn_of("What is the tide?")["id"]).model_id == answerers["east-large"].pk


def test_choice_that_stands_for_all_that_is_written_leaves_words_to_whom_they_name(api, ines, leo, project, answerers):
    conversation = start(ines, project)
    large, noir, editor = (answerers[name].pk for name in ("east-large", "Noir", "Editor"))

    def answerer_of(content, **choice):
        body = {"client_id": str(uuid4()), "content": content, "unless_to_people": True, **choice}
        address = f"/api/v1/conversations/{conversation.pk}/messages/"
        first, again = (api.post(address, json.dumps(body), "application/json") for _ in range(2))
        assert (first.status_code, first.json()["turn"]) == (202, again.json()["turn"])
        turn = Turn.objects.get(pk=first.json()["turn"]["id"])
        return turn.agent_id, turn.model_id

    assert answerer_of("@Noir, what do you say?", model="east-large") == (noir, None)
    assert answerer_of("@Noir, tell @Leo Brandt.", model="east-large") == (noir, None)
    assert answerer_of("@east-large, what do you say?", agent=str(noir)) == (editor, large)
    assert answerer_of("What do you say?", agent=str(noir)) == (noir, None)
    assert say(ines, conversation, "@Noir, and you?", model="east-large").turn.model_id == large  # for this message


def people_offered(client, actor, conversation):
    client.force_login(User.objects.get(pk=actor.user_id))
    found = client.get(f"/c/{conversation.pk}/mentions/").json()
    return [each["name"] for each in found if each["kind"] == "person"]


def test_who_does_not_see_the_conversation_is_only_a_word(client, ines, leo, project, answerers):
    private = start(ines, project, visibility=Visibility.PRIVATE)

    assert say(ines, private, "Draft a mail to @Leo Brandt").answer is not None
    assert people_offered(client, ines, private) == []
    assert people_offered(client, ines, start(ines, project)) == ["Leo Brandt"]

    services.invite_participant(actor=ines, conversation_id=private.pk, user_id=leo.pk, permission=Permission.POST)
    assert say(ines, private, "@Leo Brandt just for you").answer is None
    assert people_offered(client, ines, private) == ["Leo Brandt"]


def test_more_names_than_twenty_are_words(ines, leo, project, answerers):
    conversation = start(ines, project)
    words = "@Leo Brandt " * 20 + "@Noir"

    with CaptureQueriesContext(connection) as asked:
        posted = say(ines, conversation, words * 100)

    assert posted.answer is None
    assert len(asked) < 150


def test_edit_that_names_only_people_has_no_answer_and_one_may_be_asked_for(api, ines, leo, project, answerers):
    conversation = start(ines, project)
    posted = say(ines, conversation, "A question.")

    edited = services.edit_message(actor=ines, message_id=posted.message.pk, content="@Leo Brandt a question.")

    assert (edited.turn, edited.answer) == (None, None)
    assert asked(api, conversation).parent_id == edited.message.pk


def test_edit_is_answered_by_whom_it_names(api, ines, leo, project, answerers):
    conversation = start(ines, project)
    posted = say(ines, conversation, "A question.")

    def edit(content, **choice):
        body = {"client_id": str(uuid4()), "content": content, **choice}
        address = f"/api/v1/messages/{posted.message.pk}/edit/"
        first, again = (api.post(address, json.dumps(body), "application/json") for _ in range(2))
        other = api.post(address, json.dumps(body | {"model": "west-large", "agent": None}), "application/json")
        assert (first.status_code, first.json()["turn"]) == (202, again.json()["turn"])
        turn = first.json()["turn"] and Turn.objects.get(pk=first.json()["turn"]["id"])
        return turn and (turn.agent_id, turn.model_id), other.status_code

    editor, noir, large = (answerers[name].pk for name in ("Editor", "Noir", "east-large"))
    assert edit("Again.", model="east-large", unless_to_people=True) == ((editor, large), 422)
    assert edit("Once more.", agent=str(noir)) == ((noir, None), 422)
    assert edit("@Leo Brandt, again.", model="east-large", unless_to_people=True) == (None, 202)


def test_names_of_a_project_mean_nothing_to_who_was_let_into_one_conversation(ines, leo, project, answerers):
    conversation = start(ines, project)
    visitor = UserFactory(name="Visitor")
    join(visitor, project.organization, role=OrganizationRole.GUEST)
    services.invite_participant(
        actor=ines, conversation_id=conversation.pk, user_id=visitor.pk, permission=Permission.POST
    )

    assert say(actor_of(visitor), conversation, "@Leo Brandt, are you there?").turn is not None


def asked(api, conversation, **body):
    where = f"/api/v1/conversations/{conversation.pk}/turns/"
    made = api.post(where, json.dumps(body), content_type="application/json")
    assert made.status_code == 202, made.content
    return Message.objects.get(pk=made.json()["answer"]["id"])


def test_one_more_answer_stands_beside_the_last_one(api, ines, project, answerers):
    conversation = start(ines, project)
    posted = say(ines, conversation, "Begin.")
    first = answer(posted)

    second = asked(api, conversation, agent=str(answerers["Noir"].pk))

    assert (second.parent_id, second.agent_id, second.status) == (posted.message.pk, answerers["Noir"].pk, "pending")
    assert second.pk != first.pk
    conversation.refresh_from_db()
    assert selectors.active_leaf(conversation=conversation, user_id=ines.user_id) == second.pk


def test_words_that_nobody_answered_get_an_answer_below_them(api, ines, project, answerers):
    told = say(ines, start(ines, project), "@Noir begin.")
    conversation = services.fork_conversation(
        actor=ines, conversation_id=told.message.conversation_id, message_id=told.message.pk
    )
    words = Message.objects.get(conversation=conversation)

    made = asked(api, conversation)

    assert (made.parent_id, made.role, made.agent_id) == (words.pk, "assistant", answerers["Noir"].pk)
    assert made.turn.status == "queued"


def test_conversation_without_words_has_nothing_to_answer(api, ines, project):
    conversation = start(ines, project)

    refused = api.post(f"/api/v1/conversations/{conversation.pk}/turns/", "{}", content_type="application/json")

    assert (refused.status_code, refused.json()["code"]) == (400, "not_an_answer")
