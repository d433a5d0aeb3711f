from __future__ import annotations

import contextlib
import copy
import io
import random
from datetime import timedelta
from decimal import Decimal

import pytest
import rfc8785
from django.db.models import F
from django.test import Client
from django.utils import translation

from apps.accounts.models import User
from apps.accounts.types import SYSTEM
from apps.agents.models import Agent
from apps.conversations import context, selectors, services
from apps.conversations.api.examples import IMPORT_EXAMPLES
from apps.conversations.invariants import check_content_is_the_text_of_the_parts, check_numbers_gapless
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.services import transfer
from apps.conversations.transfer_archive import opened
from apps.conversations.transfer_format import digest
from apps.conversations.types import ImportRefused
from apps.core.errors import DomainError
from tests.accounts.factories import ProjectFactory, actor_of
from tests.conversations.factories import answer, say, someone, start
from tests.conversations.operations import act

pytestmark = pytest.mark.django_db


@pytest.fixture
def told():
    """A conversation with a branch, and who owns it."""
    project = ProjectFactory()
    ines = someone(project)
    conversation = start(ines, project, title="The port", tags=["Noir", "lisbon"])
    first = say(ines, conversation, "Who rewrites the manifests?")
    kept = answer(first, "Terminal **7**.")
    again = services.regenerate_answer(actor=ines, message_id=kept.pk)
    answer(again, "Nobody knows.")
    return ines, conversation


def test_export_import_export_has_an_equal_digest_in_another_organization(told):
    ines, conversation = told
    elsewhere = ProjectFactory()
    daniel = someone(elsewhere)
    exported = services.export_json(conversation=conversation, viewer=ines)

    imported = services.import_conversation(actor=daniel, project_id=elsewhere.pk, document=exported)

    again = services.export_json(conversation=imported, viewer=daniel)
    assert again["digest"] == exported["digest"]
    assert imported.organization_id == elsewhere.organization_id
    assert again["conversation"]["messages"][0]["author"].startswith("Person")


@pytest.mark.parametrize(
    ("title", "plain", "encoded"),
    [
        ('The port: who, "when"?', "the-port-who-when.json", "the-port-who-when.json"),
        ("Größe\r\nX-Evil: 1", "groe-x-evil-1.json", "gr%C3%B6%C3%9Fe-x-evil-1.json"),
        ("日本", "file.json", "%E6%97%A5%E6%9C%AC.json"),
        ("../con", "_con.json", "_con.json"),
        ("?!", "conversation.json", "conversation.json"),
        ("long " * 40, "long-" * 15 + "long.json", "long-" * 15 + "long.json"),
    ],
)
def test_export_is_named_by_the_title(told, title, plain, encoded):
    ines, conversation = told
    Conversation.objects.filter(pk=conversation.pk).update(title=title)
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))

    answered = client.get(f"/c/{conversation.pk}/save/?format=json")

    assert answered["Content-Disposition"] == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    assert answered.json()["conversation"]["title"] == title


def test_export_markdown_names_who_speaks_as_the_page_does(ines, project):
    Agent.objects.create(organization=project.organization, project=project, name="Noir")
    User.objects.filter(pk=ines.user_id).update(name="Inês")
    conversation = start(ines, project)
    answer(say(ines, conversation), "By nobody in particular.")
    answer(say(ines, conversation, "@Noir"), "By Noir.")
    Message.objects.filter(author=None).update(answered_by="Demo/demo")
    conversation.refresh_from_db()

    text = services.export_markdown(conversation=conversation, viewer=ines)

    heads = [line.split(", ")[0] for line in text.splitlines() if line.startswith("## ")]
    assert heads == ["## Inês", "## Assistant (Demo/demo)", "## Inês", "## Noir (Demo/demo)"]


def test_export_markdown_is_the_path_of_the_viewer(told):
    ines, conversation = told
    conversation.refresh_from_db()

    text = services.export_markdown(conversation=conversation, viewer=ines)

    assert text.startswith("# The port\n")
    assert "Nobody knows." in text
    assert "Terminal **7**." not in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format="other"),
        lambda d: d.update(version=3),
        lambda d: d.update(visibility="public"),
        lambda d: d.update(visibility=["project"]),
        lambda d: d.update(command="rm"),
        lambda d: d["conversation"].update(title=5),
        lambda d: d["conversation"].pop("tags"),
        lambda d: d["conversation"]["messages"][1].update(parent=9),
        lambda d: d["conversation"]["messages"][1].update(position=1),
        lambda d: d["conversation"]["messages"][0].update(role="root"),
        lambda d: d["conversation"]["messages"][0]["parts"][0].update(text="changed"),
        lambda d: d["conversation"]["messages"][0].update(parts=[{"type": "script"}]),
        lambda d: d.update(files={"0" * 64: "aGFsbG8="}),
    ],
)
def test_import_of_a_damaged_document_changes_nothing(told, damage):
    ines, conversation = told
    document = copy.deepcopy(services.export_json(conversation=conversation, viewer=ines))
    damage(document)
    conversations, messages = Conversation.objects.count(), Message.objects.count()

    with pytest.raises(ImportRefused):
        services.import_conversation(actor=ines, project_id=conversation.project_id, document=document)

    assert (Conversation.objects.count(), Message.objects.count()) == (conversations, messages)


def tree_of(document):
    kept = ("position", "parent", "status", "parts", "created_at", "model", "usage")
    return [tuple(row[name] for name in kept) for row in document["conversation"]["messages"]]


def moved(ines, conversation, form="json"):
    """What comes out after the way out and in: the export, the export of the import, and the import."""
    conversation.refresh_from_db()
    elsewhere = ProjectFactory()
    daniel = someone(elsewhere)
    exported = services.export_json(conversation=conversation, viewer=ines)
    if form == "json":
        imported = services.import_conversation(actor=daniel, project_id=elsewhere.pk, document=exported)
    else:
        packed = b"".join(services.export_archive(conversation=conversation, viewer=ines))
        with opened(io.BytesIO(packed)) as package:
            assert package.document["digest"] == exported["digest"]
            imported = services.import_conversation(
                actor=daniel, project_id=elsewhere.pk, document=package.document, contents=package.contents
            )
    return exported, services.export_json(conversation=imported, viewer=daniel), imported


def test_deleted_message_keeps_its_place_and_its_words_stay_at_home(told):
    ines, conversation = told
    for number in (1, 3):
        services.delete_message(actor=ines, message_id=Message.objects.get(conversation=conversation, number=number).pk)

    exported, again, imported = moved(ines, conversation)

    assert [(row["status"], row["parent"]) for row in exported["conversation"]["messages"]] == [
        ("deleted", None),
        ("completed", 1),
        ("deleted", 1),
    ]
    assert "manifests" not in str(exported)
    assert again["digest"] == exported["digest"]
    assert Message.objects.filter(conversation=imported, deleted_at=None).count() == 1
    assert list(check_numbers_gapless()) == []


def test_answer_that_is_being_written_keeps_its_place(told):
    ines, conversation = told
    waiting = say(ines, conversation, "And then?")
    say(ines, conversation, "Never mind.", parent_id=waiting.answer.pk)

    exported, again, imported = moved(ines, conversation)

    assert [(row["status"], row["parent"]) for row in exported["conversation"]["messages"]][3:] == [
        ("completed", 3),
        ("interrupted", 4),
        ("completed", 5),
        ("interrupted", 6),
    ]
    assert again["digest"] == exported["digest"]
    assert imported.last_number == 7


@pytest.mark.parametrize(("seed", "form", "operations"), [(11, "json", 150), (12, "zip", 150), (13, "zip", 500)])
def test_whatever_happened_comes_back_with_an_equal_digest(seed, form, operations, monkeypatch):
    monkeypatch.setattr(transfer, "AT_ONCE", 7)
    dice = random.Random(seed)
    project = ProjectFactory()
    people = [someone(project) for _each in range(3)]
    conversation = start(people[0], project)
    for _number in range(operations):
        with contextlib.suppress(DomainError):
            act(dice, people, conversation)

    exported, again, imported = moved(people[0], conversation, form)

    assert (again["digest"], tree_of(again)) == (exported["digest"], tree_of(exported))
    assert imported.last_number == Message.objects.filter(conversation=conversation).count() > 20
    assert list(check_numbers_gapless()) == []
    assert list(check_content_is_the_text_of_the_parts()) == []


def test_import_closes_the_holes_of_earlier_exports(told):
    ines, conversation = told
    document = services.export_json(conversation=conversation, viewer=ines)
    del document["conversation"]["messages"][1]
    document["digest"] = digest(document["conversation"])

    imported = services.import_conversation(actor=ines, project_id=conversation.project_id, document=document)

    assert list(Message.objects.filter(conversation=imported).order_by("number").values_list("number", flat=True)) == [
        1,
        2,
    ]
    assert list(check_numbers_gapless()) == []


ALL_PARTS = [
    {"type": "reasoning", "text": "Hm.", "signature": "abc"},
    {"type": "text", "text": "Said"},
    {"type": "file", "name": "map.png", "sha256": "", "media_type": "image/png", "size": 3, "kind": "image"},
    {"type": "reference", "kind": "record", "id": "00000000-0000-0000-0000-000000000001", "title": "Sarah"},
    {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"where": ["port"]}},
    {"type": "tool_result", "id": "call_1", "content": "Closed."},
    {"type": "citation", "title": "The port", "quote": "Terminal 7", "page": 4},
    {"type": "card", "kind": "record", "data": {"n": 1}},
    {"type": "error", "code": "timeout", "detail": "Too late"},
]


def sent(client, ines, conversation, changed):
    """The document, honest but for what ``changed`` does to its answer, through the API."""
    document = copy.deepcopy(services.export_json(conversation=conversation, viewer=ines))
    changed(document["conversation"]["messages"][1])
    with contextlib.suppress(rfc8785.CanonicalizationError):
        document["digest"] = digest(document["conversation"])
    client.force_login(User.objects.get(pk=ines.user_id))
    body = {"project": str(conversation.project_id), "conversation": document}
    return client.post("/api/v1/conversations/import/", body, content_type="application/json")


def test_every_type_of_part_is_shown_and_read_after_the_import(told, client):
    ines, conversation = told

    response = sent(client, ines, conversation, lambda row: row.update(parts=ALL_PARTS))

    assert response.status_code == 201, response.content
    imported = Conversation.objects.get(pk=response.json()["id"])
    assert client.get(f"/c/{imported.pk}/").status_code == 200
    for wanted in ("json", "markdown"):
        assert client.get(f"/api/v1/conversations/{imported.pk}/export/?format={wanted}").status_code == 200
    leaf = Message.objects.get(conversation=imported, number=2)
    posted = say(ines, imported, "Go on", parent_id=leaf.pk)
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    assert len(context.read_context(held).messages) == 3


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "text", "text": "x", "author": "Somebody else"},
        {"type": "reasoning"},
        {"type": "tool_call"},
        {"type": "tool_call", "id": "a", "name": "b", "arguments": "c"},
        {"type": "tool_result", "id": "a"},
        {"type": "tool_result", "content": "a"},
        {"type": "file"},
        {"type": "file", "name": "a", "sha256": "", "size": -1},
        {"type": "file", "name": "a", "sha256": "", "file": "00000000-0000-0000-0000-000000000001"},
        {"type": "reference", "kind": "record", "id": "00000000-0000-0000-0000-000000000001"},
        {"type": "reference", "kind": "record", "id": "1", "title": "Sarah"},
        {"type": "card"},
        {"type": "error", "detail": 5},
        {"type": ["text"], "text": "x"},
        "text",
    ],
    ids=str,
)
def test_import_refuses_parts_of_another_shape(told, client, part):
    ines, conversation = told
    before = Conversation.objects.count()

    response = sent(client, ines, conversation, lambda row: row.update(parts=[part]))

    assert (response.status_code, response.json()["code"]) == (400, "import_refused")
    assert Conversation.objects.count() == before


@pytest.mark.parametrize(
    "change",
    [{"position": 10**12}, {"position": 2**60}, {"position": True}, {"parent": [1]}, {"role": {}}, {"status": []}],
    ids=str,
)
def test_import_refuses_other_kinds_of_values(told, client, change):
    ines, conversation = told

    response = sent(client, ines, conversation, lambda row: row.update(change))

    assert (response.status_code, response.json()["code"]) == (400, "import_refused")


def test_times_models_usage_and_cost_come_along(told):
    ines, conversation = told
    Turn.objects.filter(conversation=conversation).update(
        cost=Decimal("0.00120000"),
        currency="USD",
        provider_name="stub",
        started_at=F("finished_at") - timedelta(milliseconds=1500),
    )
    Message.objects.filter(conversation=conversation).update(created_at=F("created_at") - timedelta(days=9))

    exported, again, imported = moved(ines, conversation, "zip")

    row = exported["conversation"]["messages"][1]
    assert row["model"] == "m"
    assert row["usage"] == {
        "provider": "stub",
        "model": "m",
        "is_fallback": False,
        "input_tokens": 3,
        "output_tokens": 5,
        "cost": "0.00120000",
        "currency": "USD",
        "estimated": False,
        "milliseconds": 1500,
    }
    assert again["digest"] == exported["digest"]
    imported.refresh_from_db()
    assert (imported.input_tokens, imported.output_tokens, imported.cost) == (6, 10, Decimal("0.0024"))
    assert (imported.currency, imported.answer_seconds) == ("USD", 3.0)
    moments = [
        list(Message.objects.filter(conversation=each).order_by("number").values_list("created_at", flat=True))
        for each in (conversation, imported)
    ]
    assert moments[0] == moments[1]


def test_document_of_version_1_is_still_read(told):
    ines, conversation = told
    document = services.export_json(conversation=conversation, viewer=ines)
    for row in document["conversation"]["messages"]:
        del row["created_at"], row["usage"]
    document |= {"version": 1, "digest": digest(document["conversation"])}

    imported = services.import_conversation(actor=ines, project_id=conversation.project_id, document=document)

    assert Message.objects.filter(conversation=imported).count() == 3
    assert not Turn.objects.filter(conversation=imported).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"created_at": None},
        {"created_at": "2026-11-20"},
        {"created_at": "2026-11-20T09:30:00.12Z"},
        {"created_at": "2999-11-20T09:30:00.120000Z"},
        {"created_at": "0001-11-20T09:30:00.120000Z"},
        {"usage": {}},
        {"usage": []},
        {"usage": {"cost": "1"}},
        {"usage": {"cost": "-0.00000001"}},
        {"usage": {"cost": "NaN"}},
        {"usage": {"cost": 0.5}},
        {"usage": {"cost": "999999999999.00000000"}},
        {"usage": {"input_tokens": -1}},
        {"usage": {"output_tokens": 2**31}},
        {"usage": {"milliseconds": 1.5}},
        {"usage": {"currency": "DOLLARS"}},
        {"usage": {"more": 1}},
    ],
    ids=str,
)
def test_import_refuses_other_times_and_usage(told, client, change):
    ines, conversation = told

    def changed(row):
        if change.get("usage"):
            row["usage"] = row["usage"] | change["usage"]
        else:
            row.update(change)

    response = sent(client, ines, conversation, changed)

    assert (response.status_code, response.json()["code"]) == (400, "import_refused")


def seen_by(actor, conversation):
    return selectors.visible_to(actor).filter(pk=conversation.pk).exists()


@pytest.mark.parametrize("form", ["json", "zip"])
@pytest.mark.parametrize("visibility", ["private", "project"])
def test_import_is_seen_by_whom_the_conversation_was_for(told, visibility, form):
    ines, conversation = told
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"visibility": visibility})

    exported, again, imported = moved(ines, conversation, form)

    colleague = someone(imported.project)
    assert exported["visibility"] == again["visibility"] == imported.visibility == visibility
    assert again["digest"] == exported["digest"]
    assert seen_by(colleague, imported) is (visibility == "project")
    assert seen_by(actor_of(imported.owner), imported)


def test_import_of_an_earlier_export_is_seen_by_the_importer_alone(told):
    ines, conversation = told
    colleague = someone(conversation.project)
    document = services.export_json(conversation=conversation, viewer=ines)
    del document["visibility"]

    imported = services.import_conversation(actor=ines, project_id=conversation.project_id, document=document)

    assert (seen_by(colleague, conversation), seen_by(colleague, imported)) == (True, False)
    assert seen_by(ines, imported)


def test_import_of_another_kind_of_file_says_so(ines, project, api):
    body = {"project": str(project.pk), "conversation": {"hello": "world"}}

    answered = api.post("/api/v1/conversations/import/", body, content_type="application/json")

    assert (answered.status_code, answered.json()["code"]) == (400, "import_refused")
    assert answered.json()["detail"] == "This file was not saved by Parlance."
    with translation.override("de"), pytest.raises(ImportRefused) as refused:
        services.import_conversation(actor=ines, project_id=project.pk, document={"hello": "world"})
    assert str(refused.value.detail) == "Diese Datei wurde nicht von Parlance gespeichert."


def test_example_of_the_openapi_file_is_a_document_that_can_be_imported(ines, project):
    document = copy.deepcopy(IMPORT_EXAMPLES[0].value["conversation"])

    imported = services.import_conversation(actor=ines, project_id=project.pk, document=document)

    assert services.export_json(conversation=imported, viewer=ines) == document
