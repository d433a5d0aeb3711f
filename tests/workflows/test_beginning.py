"""A run that is begun by hand: the form of what its document wants to know, and what does not fit beside its field."""

import re

import pytest

from apps.workflows import services
from apps.workflows.models import Run
from tests.accounts.factories import actor_of, member_of
from tests.conversations.factories import start as begin_talk
from tests.extraction.factories import people, record
from tests.workflows.factories import defined, document, walked

pytestmark = pytest.mark.django_db
ASKED = {
    "type": "object",
    "required": ["title", "scenes"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "title": "Title", "minLength": 3, "description": "As on the poster."},
        "scenes": {"type": "integer", "minimum": 1, "default": 12},
        "budget": {"type": "number"},
        "is_colour": {"type": "boolean"},
        "genre": {"enum": ["noir", "comedy"]},
        "shape": {"type": "object", "additionalProperties": True},
        "lead": {"type": "string", "format": "uuid", "x-relation": "people"},
    },
}
SENT = {"v-title": "Harbour", "v-scenes": "1,000", "v-budget": "2.5", "v-is_colour": "true", "v-genre": "noir"}
EVERYTHING = {"set": "${ . }"}


def with_input(actor, project, schema, **more):
    spec = {"input": {"schema": {"format": "json", "document": schema}}}
    return defined(actor, project, [{"all": EVERYTHING}], **spec, **more)


@pytest.fixture
def page(client, owner):
    client.force_login(owner)

    def read(definition, **query):
        return client.get(f"/workflows/{definition.pk}/", query).content.decode()

    return read


def send(client, definition, **sent):
    return client.post(f"/workflows/{definition.pk}/start/", sent)


def test_form_asks_what_the_document_wants_to_know(actor, project, page, client):
    lead = record(actor, people(actor, project), name="Sarah")
    definition = with_input(actor, project, ASKED)

    shown = page(definition)
    assert re.findall(r'name="(v-[a-z_]+)"', shown) == [f"v-{name}" for name in sorted(ASKED["properties"], key=place)]
    assert 'name="v-scenes" value="12"' in shown
    assert "As on the poster." in shown
    assert shown.count('<span class="optional">') == len(ASKED["properties"]) - 2 + 1  # and the name of the run
    answer = send(client, definition, title="First", **SENT, **{"v-shape": '{"acts": 3}', "v-lead": str(lead.pk)})

    run = Run.objects.get()
    assert answer["Location"] == f"/runs/{run.pk}/"
    said = {"title": "Harbour", "scenes": 1000, "budget": 2.5, "is_colour": True, "genre": "noir", "shape": {"acts": 3}}
    assert (run.title, run.data) == ("First", {**said, "lead": str(lead.pk)})
    assert walked(run).status == "completed"


def place(name):
    """As the database orders names, where nobody wrote them down in another order."""
    return len(name), name


def test_fields_stand_as_they_were_written(actor, project, page):
    from apps.core.yaml_text import write

    said = document([{"all": EVERYTHING}], input={"schema": {"document": ASKED}})
    definition = services.create_definition(actor=actor, project_id=project.pk, document=said, text=write(said))

    assert re.findall(r'name="v-([a-z_]+)"', page(definition)) == list(ASKED["properties"])


@pytest.mark.parametrize(
    ("sent", "name", "says"),
    [
        ({"v-title": ""}, "title", "This is needed."),
        ({"v-title": "ab"}, "title", "This should have at least 3 characters."),
        ({"v-scenes": "none"}, "scenes", "This should be a whole number."),
        ({"v-scenes": "0"}, "scenes", "This should be at least 1."),
        ({"v-genre": "western"}, "genre", "This should be one of: noir, comedy."),
        ({"v-shape": "{acts"}, "shape", "This is not JSON."),
    ],
)
def test_what_does_not_fit_is_said_at_its_field_and_nothing_begins(actor, project, client, page, sent, name, says):
    definition = with_input(actor, project, ASKED)
    page(definition)

    answer = send(client, definition, title="First", **{**SENT, **sent})

    shown = answer.content.decode()
    assert (answer.status_code, Run.objects.count()) == (400, 0)
    assert re.search(rf'<p class="wrong" id="n-{name}">.*{says}</p>', shown)
    assert shown.count('class="wrong"') == 1
    assert 'name="v-budget" value="2.5"' in shown
    assert 'name="title" maxlength="200" value="First"' in shown


@pytest.mark.parametrize(("least", "gives"), [(0, {"tags": []}), (1, None)])
def test_list_that_has_to_be_there_may_be_empty_where_the_schema_lets_it(actor, project, client, page, least, gives):
    tags = {"type": "array", "items": {"type": "string"}, "minItems": least}
    schema = {"type": "object", "required": ["tags"], "properties": {"tags": tags}}
    definition = with_input(actor, project, schema)
    page(definition)

    answer = send(client, definition, **{"v-tags": ""})

    assert answer.status_code == (302 if gives else 400)
    assert (walked(Run.objects.get()).output if gives else None) == gives


def test_page_of_what_did_not_fit_leads_back_when_it_is_fetched_again(actor, project, client, page):
    definition = with_input(actor, project, ASKED)
    page(definition)

    assert send(client, definition, **{"v-title": "No"}).status_code == 400
    assert client.get(f"/workflows/{definition.pk}/start/").url == f"/workflows/{definition.pk}/"


def test_what_belongs_to_no_field_is_said_above_the_form(actor, project, client, page):
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "minProperties": 1}
    definition = with_input(actor, project, schema)
    page(definition)

    answer = send(client, definition)

    assert (answer.status_code, Run.objects.count()) == (400, 0)
    assert 'role="alert"' in answer.content.decode()


def test_input_that_is_no_group_of_fields_is_one_field_of_json(actor, project, client, page):
    definition = with_input(actor, project, {"type": "array", "items": {"type": "integer"}, "minItems": 1})
    assert 'name="v-input"' in page(definition)

    for text in ("", "[1, true]", "[1"):
        answer = send(client, definition, **{"v-input": text})
        assert (answer.status_code, Run.objects.count()) == (400, 0)
        assert 'class="wrong" id="n-input"' in answer.content.decode()
    send(client, definition, **{"v-input": "[1, 2]"})

    assert walked(Run.objects.get()).output == [1, 2]


def test_document_that_says_nothing_of_its_input_asks_for_a_name_only(actor, project, client, page):
    definition = defined(actor, project, [{"all": EVERYTHING}])
    assert 'name="v-' not in page(definition)

    send(client, definition, title="First", **{"v-title": "Harbour"})

    assert Run.objects.get().data == {}


def test_beside_a_conversation_what_wants_input_leads_to_its_form(actor, project, client, page):
    talk = begin_talk(actor, project)
    plain = defined(actor, project, [{"all": EVERYTHING}], name="plain")
    definition = with_input(actor, project, ASKED)

    page(definition)
    panel = client.get(f"/c/{talk.pk}/context/workflow/").content.decode()
    link = f"/workflows/{definition.pk}/?conversation={talk.pk}"
    assert (f'<option value="{plain.pk}">' in panel, f'<option value="{definition.pk}">' in panel) == (True, False)
    assert f'href="{link}"' in panel
    assert f'name="conversation" value="{talk.pk}"' in client.get(link).content.decode()
    send(client, definition, conversation=str(talk.pk), **SENT)

    assert Run.objects.get().conversation_id == talk.pk


def test_run_is_begun_beside_no_conversation_that_one_does_not_see(actor, project, client, owner):
    talk = begin_talk(actor_of(member_of(project)), project, visibility="private")
    definition = with_input(actor, project, ASKED)
    client.force_login(owner)

    for said in (str(talk.pk), "x"):
        assert client.get(f"/workflows/{definition.pk}/", {"conversation": said}).status_code == 404
        assert send(client, definition, conversation=said, **SENT).status_code == 404
    assert not Run.objects.exists()
