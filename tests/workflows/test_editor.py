"""The file of a workflow: kept as it was written, told by lines, and for managers to edit."""

import pytest
from django.test import Client

from apps.workflows.models import DefinitionVersion
from tests.accounts.factories import ProjectFactory, UserFactory, member_of
from tests.extraction.factories import people
from tests.workflows.factories import defined, document

pytestmark = pytest.mark.django_db
URL = "/api/v1/workflows/"
FILE = """# What a port hides
document:
  dsl: '1.0.3'
  namespace: tests
  name: film
  version: 1.0.0
do:
- concept: # first of all
    set: ${ . }
- scenes:
    set:
      done: true
"""


def post(api, where, body, **headers):
    return api.post(where, body, content_type="application/json", headers=headers)


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_file_is_kept_as_it_was_written(api, project):
    made = post(api, URL, {"project": str(project.pk), "text": FILE}).json()
    where = f"{URL}{made['id']}/"
    other = FILE.replace("first of all", "before anything else")

    changed = post(api, f"{where}versions/", {"text": other}, **{"If-Match": '"1"'}).json()
    same = post(api, f"{where}versions/", {"text": other}).json()

    assert made["text"] == FILE
    assert (changed["number"], changed["text"], changed["document"]) == (2, other, made["document"])
    assert same["number"] == 2
    assert api.get(where).json()["text"] == other
    assert "text" not in api.get(URL).json()["results"][0]


def test_object_is_shown_as_a_file(api, project, actor):
    made = defined(actor, project, [{"a": {"set": {"x": 1}}}])

    shown = api.get(f"{URL}{made.pk}/").json()["text"]

    assert shown.startswith("document:\n  dsl:")
    assert post(api, f"{URL}{made.pk}/versions/", {"document": made.document}).json()["number"] == 1
    assert DefinitionVersion.objects.get().text == ""


def test_lines_of_tasks_are_told(api):
    told = post(api, f"{URL}validate/", {"text": FILE}).json()
    of_object = post(api, f"{URL}validate/", {"document": document([{"a": {"set": {"x": 1}}}])}).json()

    assert told["lines"] == {"/do/0/concept": 8, "/do/1/scenes": 10}
    assert of_object["lines"] == {}


@pytest.mark.parametrize(
    ("wrong", "place", "line"),
    [
        (FILE.replace("set: ${ . }", "call: nothing"), "/do/0/concept/call", 9),
        (FILE.replace("  version: 1.0.0\n", ""), "/document", 2),
        (FILE.replace("- scenes:", "- concept:"), "/do/1/concept", 10),
        (FILE + "a: [1\n", "text", 13),
    ],
)
def test_lines_of_what_is_wrong_are_told(api, project, wrong, place, line):
    for where, more in ((f"{URL}validate/", {}), (URL, {"project": str(project.pk)})):
        refused = post(api, where, {"text": wrong, **more}).json()
        assert refused["code"] == "definition_rejected"
        assert refused["lines"][place] == line
        assert place in {each["field"] for each in refused["errors"]}
        assert str(line) not in refused["errors"][0]["detail"]  # said once
    assert not DefinitionVersion.objects.exists()


def test_object_that_is_wrong_has_no_lines(api):
    refused = post(api, f"{URL}validate/", {"document": document([{"a": {"call": "nothing"}}])}).json()

    assert "lines" not in refused


@pytest.mark.parametrize("text", [f"{FILE}# {'x' * 270_000}", f"{FILE}# \0"])
def test_file_that_is_too_long_or_no_text_is_refused(api, project, text):
    refused = post(api, URL, {"project": str(project.pk), "text": text})

    assert refused.status_code == 400
    assert not DefinitionVersion.objects.exists()


def test_editor_brings_the_file_and_what_may_stand_in_it(owner, project, actor):
    people(actor, project)
    made = defined(actor, project, [{"a": {"set": {"x": 1}}}])
    browser = browser_of(owner)

    page = browser.get(f"/workflows/{made.pk}/edit/").content.decode()
    new = browser.get("/workflows/new/").content.decode()
    words = browser.get("/workflows/words/").json()

    assert "document:\\n  dsl:" in page
    assert '"people"' in page
    assert f"/api/v1/workflows/{made.pk}/versions/" in page
    assert "my-workflow" in new
    assert f'data-flow-editor-project-value="{project.pk}"' in new
    assert "ask" in words["functions"]
    assert words["dsl"]["properties"]["do"]


def test_file_to_begin_with_can_be_used(owner, project, api):
    new = browser_of(owner).get("/workflows/new/")

    assert post(api, f"{URL}validate/", {"text": new.context["text"]}).status_code == 200


def test_editor_is_for_managers(project, actor):
    made = defined(actor, project, [{"a": {"set": {"x": 1}}}])
    editor, stranger = browser_of(member_of(project)), UserFactory()
    ProjectFactory(owner=stranger)

    assert editor.get(f"/workflows/{made.pk}/").status_code == 200
    assert "/edit/" not in editor.get(f"/workflows/{made.pk}/").content.decode()
    assert editor.get(f"/workflows/{made.pk}/edit/").status_code == 403
    assert browser_of(stranger).get(f"/workflows/{made.pk}/edit/").status_code == 404
    assert Client().get("/workflows/words/").status_code == 302
