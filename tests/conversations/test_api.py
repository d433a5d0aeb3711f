from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.utils.serializer_helpers import ReturnDict

from apps.accounts.models import User
from apps.conversations import presentation, selectors, services
from apps.conversations.api import serializers as shapes
from apps.conversations.models import Message
from tests.accounts.factories import UserFactory, key_of
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(ines, project):
    return start(ines, project, title="Port")


def url(conversation, rest=""):
    return f"/api/v1/conversations/{conversation.pk}/{rest}"


def test_conversation_is_started_read_changed_and_deleted(api, project):
    made = api.post("/api/v1/conversations/", {"project": str(project.pk)}, content_type="application/json")
    assert made.status_code == 201
    address = f"/api/v1/conversations/{made.json()['id']}/"

    changed = api.patch(
        address,
        {"title": "Port", "tags": ["Noir"], "pinned": True},
        content_type="application/json",
        headers={"If-Match": '"1"'},
    )
    assert (changed.json()["title"], changed.json()["tags"], changed.json()["is_pinned"]) == ("Port", ["noir"], True)
    late = api.patch(address, {"title": "Old"}, content_type="application/json", headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"], late.json()["current"]) == (412, "version_mismatch", 2)

    assert api.delete(address).status_code == 204
    assert api.get(address).json()["code"] == "conversation_not_found"
    assert api.post(f"{address}restore/").json()["deleted_at"] is None


def test_tags_that_two_save_at_once_are_all_there(api, conversation):
    def change(**body):
        return api.patch(url(conversation), body, content_type="application/json").json()

    change(tags=["noir", "port"])
    change(add_tags=["Night"], remove_tags=["port"])
    last = change(add_tags=["harbour", "noir"], remove_tags=["PORT", "unknown"])

    assert last["tags"] == ["noir", "night", "harbour"]
    full = change(add_tags=[f"t{number}" for number in range(18)])
    assert (full["code"], full["errors"][0]["field"]) == ("invalid", "tags")
    assert change(add_tags=[])["tags"] == ["noir", "night", "harbour"]


def test_conversation_begun_private_is_so_from_its_first_message(api, ines, project):
    daniel = someone(project)
    body = {"project": str(project.pk), "visibility": "private"}

    made = api.post("/api/v1/conversations/", body, content_type="application/json")
    address = f"/api/v1/conversations/{made.json()['id']}/"
    said = api.post(
        f"{address}messages/", {"client_id": str(uuid4()), "content": "Hi"}, content_type="application/json"
    )

    assert (made.status_code, said.status_code) == (201, 202)
    assert made.json()["visibility"] == "private"
    assert selectors.visible_to(ines).filter(pk=made.json()["id"]).exists()
    assert not selectors.visible_to(daniel).filter(pk=made.json()["id"]).exists()


def test_message_is_posted_and_answered_202_and_repeated_equal(api, conversation):
    body = {"client_id": str(uuid4()), "content": "Hello"}

    first = api.post(url(conversation, "messages/"), body, content_type="application/json")
    second = api.post(url(conversation, "messages/"), body, content_type="application/json")

    assert first.status_code == second.status_code == 202
    assert first.json()["message"] == second.json()["message"]
    assert first.json()["turn"]["id"] == second.json()["turn"]["id"]
    other = api.post(url(conversation, "messages/"), body | {"content": "Else"}, content_type="application/json")
    assert (other.status_code, other.json()["code"]) == (422, "client_id_reused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": ""}, 400, "empty_message"),
        ({"content": ["a"]}, 400, "invalid"),
        ({"content": {"a": 1}}, 400, "invalid"),
        ({"content": None}, 400, "invalid"),
        ({}, 400, "invalid"),
        ({"content": "x", "colour": "red"}, 400, "invalid"),
        ({"content": "a\x00b"}, 400, "malformed"),
        ({"content": "x" * 100_001}, 413, "message_too_long"),
        ({"content": "x", "parent": "00000000-0000-7000-8000-000000000000"}, 400, "parent_elsewhere"),
        ({"content": "x", "client_id": "1"}, 400, "invalid"),
        ({"content": "x", "attachments": ["00000000-0000-7000-8000-000000000000"]}, 404, "not_found"),
        ({"content": "x", "model": "nobody/nothing"}, 400, "invalid"),
    ],
)
def test_bad_messages_get_a_code_and_change_nothing(api, conversation, body, status, code):
    answered = api.post(url(conversation, "messages/"), body, content_type="application/json")

    assert (answered.status_code, answered.json()["code"]) == (status, code)
    assert answered["Content-Type"] == "application/problem+json"
    assert answered.json()["request_id"]
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "raw", [b"[]", b'"x"', b"{", b"\xff", b'{"content": ' + b"[" * 10_000, b"1", b'{"content": NaN}']
)
def test_bodies_that_are_no_objects_are_malformed(api, conversation, raw):
    answered = api.post(url(conversation, "messages/"), raw, content_type="application/json")

    assert (answered.status_code, answered.json()["code"]) == (400, "malformed")


def test_stranger_and_nobody(conversation):
    stranger = UserFactory()
    from apps.accounts.models import Organization

    own = Organization.objects.create(name="Elsewhere", slug="elsewhere")
    from tests.accounts.factories import join

    join(stranger, own)
    other = Client(headers={"Authorization": f"Bearer {key_of(stranger, organization=own)}"})

    for address in (url(conversation), url(conversation, "messages/"), url(conversation, "export/")):
        assert other.get(address).status_code == 404
        assert Client().get(address).status_code == 401
    random = other.get(f"/api/v1/conversations/{uuid4()}/").json()
    known = other.get(url(conversation)).json()
    assert {**random, "request_id": ""} == {**known, "request_id": ""}


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_conversations_takes_the_same_few_queries(api, ines, project, count, django_assert_max_num_queries):
    for number in range(count):
        say(ines, start(ines, project, title=f"{number}"))
    api.get("/api/v1/conversations/")

    with django_assert_max_num_queries(6):
        listed = api.get("/api/v1/conversations/")

    assert len(listed.json()["results"]) == count


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_messages_takes_the_same_few_queries(api, ines, conversation, count, django_assert_max_num_queries):
    for number in range(count):
        answer(say(ines, conversation, f"{number}"))
    api.get(url(conversation, "messages/"))

    with django_assert_max_num_queries(6):
        listed = api.get(url(conversation, "messages/"))

    assert [row["position"] for row in listed.json()["results"]] == list(range(1, 2 * count + 1))


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_participants_takes_the_same_few_queries(
    api, ines, project, conversation, count, django_assert_max_num_queries
):
    invited = {someone(project).user_id for _number in range(count)}
    for user_id in invited:
        services.invite_participant(actor=ines, conversation_id=conversation.pk, user_id=user_id)
    someone(project)
    api.get(url(conversation, "participants/"))

    with django_assert_max_num_queries(4):
        listed = api.get(url(conversation, "participants/")).json()

    assert {row["id"] for row in listed["results"]} == set(map(str, invited))
    assert listed["owner"]["id"] == str(ines.user_id)


def test_messages_are_paged_forward_and_back(api, ines, conversation):
    for number in range(6):
        answer(say(ines, conversation, f"{number}"))

    first = api.get(url(conversation, "messages/?limit=5")).json()
    second = api.get(url(conversation, f"messages/?limit=5&cursor={first['next']}")).json()
    third = api.get(url(conversation, f"messages/?limit=5&cursor={second['next']}")).json()
    back = api.get(url(conversation, f"messages/?limit=5&cursor={third['previous']}")).json()

    assert [[row["position"] for row in page["results"]] for page in (first, second, third, back)] == [
        [1, 2, 3, 4, 5],
        [6, 7, 8, 9, 10],
        [11, 12],
        [6, 7, 8, 9, 10],
    ]
    assert (first["previous"], third["next"]) == (None, None)


def test_shapes_in_the_openapi_file_are_those_that_are_answered(ines, conversation):
    posted = say(ines, conversation)
    message = selectors.messages().get(pk=posted.message.pk)
    told = {
        shapes.MessageOut: presentation.message_data(message, siblings=[]),
        shapes.TurnOut: presentation.turn_data(posted.turn, place=0),
        shapes.ConversationOut: presentation.conversation_data(
            selectors.get_conversation(conversation_id=conversation.pk, viewer=ines)
        ),
    }

    for shape, data in told.items():
        assert set(shape().fields) == set(data), shape
    assert not isinstance(told[shapes.MessageOut], ReturnDict)


def test_commands_are_listed_and_run(api, conversation):
    names = [each["name"] for each in api.get(url(conversation, "commands/")).json()["results"]]
    helped = api.post(url(conversation, "commands/"), {"name": "help"}, content_type="application/json").json()[
        "notice"
    ]
    assert "is your own branch of the conversation; JSON and ZIP hold all branches." in helped
    assert names == ["collection", "create", "export", "extract", "help", "model", "run", "system", "title"]

    told = api.post(
        url(conversation, "commands/"), {"name": "title", "arguments": "New"}, content_type="application/json"
    )
    assert told.json()["notice"] == "The title is set."
    assert api.get(url(conversation)).json()["title"] == "New"
    unknown = api.post(url(conversation, "commands/"), {"name": "rm"}, content_type="application/json")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_command")


def test_branches_are_told_and_chosen(api, ines, conversation):
    kept = answer(say(ines, conversation))
    again = services.regenerate_answer(actor=ines, message_id=kept.pk)

    told = api.get(url(conversation, "branches/")).json()
    assert told["results"] == [{"parent": str(kept.parent_id), "children": [str(kept.pk), str(again.answer.pk)]}]
    chosen = api.post(url(conversation, "branches/"), {"message": str(kept.pk)}, content_type="application/json")
    assert (chosen.json()["leaf"], chosen.json()["is_following"]) == (str(kept.pk), False)


def test_what_is_found_on_another_branch_is_read_where_it_stands(api, ines, conversation):
    kept = answer(say(ines, conversation, "The ferry"), "It leaves at nine.")
    again = services.regenerate_answer(actor=ines, message_id=kept.pk)
    (hit,) = api.get(f"/api/v1/search/?q=nine&conversation={conversation.pk}").json()["results"]
    messages = url(conversation, "messages/")

    there = api.get(f"{messages}?message={hit['id']}").json()
    above = api.get(f"{messages}?message={kept.parent_id}").json()
    own = api.get(messages).json()
    end = api.get(f"{messages}?message={hit['id']}&limit=1").json()
    upwards = api.get(f"{messages}?limit=1&cursor={end['previous']}").json()
    back = api.get(f"{messages}?limit=1&cursor={upwards['next']}").json()

    assert [page["leaf"] for page in (end, upwards, back)] == [str(kept.pk)] * 3
    assert [page["results"][0]["id"] for page in (end, upwards, back)] == [hit["id"], str(kept.parent_id), hit["id"]]
    assert [row["id"] for row in there["results"]] == [str(kept.parent_id), str(kept.pk)]
    assert (there["leaf"], there["own_leaf"]) == (str(kept.pk), str(again.answer.pk))
    assert above["leaf"] == above["own_leaf"] == own["leaf"] == own["own_leaf"] == str(again.answer.pk)
    assert str(kept.pk) not in {row["id"] for row in own["results"]}
    assert api.get(f"{messages}?message={uuid4()}").json()["code"] == "parent_elsewhere"


def test_messages_around_one_are_read_with_it(api, ines, conversation):
    for number in range(5):
        answer(say(ines, conversation, f"Line {number}"))
    rows = api.get(url(conversation, "messages/")).json()["results"]

    around = api.get(url(conversation, f"messages/?limit=4&message={rows[4]['id']}")).json()

    assert [row["position"] for row in around["results"]] == [4, 5, 6, 7]
    assert (around["next"] is not None, around["previous"] is not None) == (True, True)


def test_only_the_owner_says_who_sees_a_conversation(project):
    from apps.accounts.types import ProjectRole
    from apps.core.errors import Forbidden
    from apps.core.models import Event

    ines, manager, daniel = someone(project), someone(project, ProjectRole.MANAGER), someone(project)
    conversation = start(ines, project)
    before = Event.objects.count()

    for change in (
        lambda: services.change_conversation(
            actor=manager, conversation_id=conversation.pk, changes={"visibility": "private"}
        ),
        lambda: services.invite_participant(actor=manager, conversation_id=conversation.pk, user_id=daniel.user_id),
        lambda: services.remove_participant(actor=manager, conversation_id=conversation.pk, user_id=daniel.user_id),
    ):
        with pytest.raises(Forbidden):
            change()

    assert selectors.visible_to(daniel).filter(pk=conversation.pk).exists()
    assert Event.objects.count() == before
    assert not selectors.list_participants(conversation=conversation, viewer=ines)


def test_who_was_invited_leaves_alone_and_takes_nobody_along(project):
    from apps.core.errors import Forbidden
    from apps.core.models import Event

    ines, daniel, marta = someone(project), someone(project), someone(project)
    conversation = start(ines, project, visibility="private")
    for person in (daniel, marta):
        services.invite_participant(actor=ines, conversation_id=conversation.pk, user_id=person.user_id)
    before = Event.objects.count()

    with pytest.raises(Forbidden):
        services.remove_participant(actor=daniel, conversation_id=conversation.pk, user_id=marta.user_id)
    key = key_of(User.objects.get(pk=daniel.user_id), organization=project.organization)
    browser = Client(headers={"Authorization": f"Bearer {key}"})
    left = browser.delete(url(conversation, f"participants/{daniel.user_id}/"))
    again = browser.delete(url(conversation, f"participants/{daniel.user_id}/"))

    assert (left.status_code, again.status_code) == (204, 404)
    assert not selectors.visible_to(daniel).filter(pk=conversation.pk).exists()
    assert selectors.visible_to(marta).filter(pk=conversation.pk).exists()
    assert Event.objects.count() == before + 1


def test_owner_cannot_leave_their_own_conversation(project):
    ines = someone(project)
    conversation = start(ines, project, visibility="private")

    services.remove_participant(actor=ines, conversation_id=conversation.pk, user_id=ines.user_id)

    assert selectors.visible_to(ines).filter(pk=conversation.pk).exists()


def test_inviting_twice_and_removing_twice_is_one_event_each(project):
    from apps.core.models import Event

    ines, daniel = someone(project), someone(project)
    conversation = start(ines, project, visibility="private")
    before = Event.objects.count()

    for _ in range(2):
        services.invite_participant(actor=ines, conversation_id=conversation.pk, user_id=daniel.user_id)
    assert selectors.visible_to(daniel).filter(pk=conversation.pk).exists()
    for _ in range(2):
        services.remove_participant(actor=ines, conversation_id=conversation.pk, user_id=daniel.user_id)

    assert not selectors.visible_to(daniel).filter(pk=conversation.pk).exists()
    assert Event.objects.count() == before + 2
