"""Definitions and runs over JSON: who may what, and what is said."""

import pytest
from django.test import Client

from apps.core.models import Event
from apps.workflows import engine, services
from apps.workflows.models import Definition, DefinitionVersion, Run
from tests.accounts.factories import (
    OrganizationFactory,
    UserFactory,
    actor_of,
    bearer,
    join,
    key_of,
    member_of,
    reader_of,
)
from tests.extraction.factories import people
from tests.workflows.factories import defined, document, ran, stage, walked

pytestmark = pytest.mark.django_db
URL = "/api/v1/workflows/"
RUNS = "/api/v1/runs/"
DO = [{"a": {"set": {"x": 1}}}]
TEXT = """
document:
  dsl: '1.0.3'
  namespace: tests
  name: film
  version: 1.0.0
  title: Film
do:
- concept:
    set: ${ . }
    metadata: {parlance: {stage: {title: Concept, manual: true}}}
"""


def client_of(user, project, **options):
    return Client(headers=bearer(key_of(user, project.organization, **options)))


def post(api, where, body=None, **headers):
    return api.post(where, body or {}, content_type="application/json", headers=headers)


def test_made_changed_read_and_deleted(api, project):
    made = post(api, URL, {"project": str(project.pk), "text": TEXT})
    assert (made.status_code, made.json()["name"], made.json()["number"], made["ETag"]) == (201, "film", 1, '"1"')
    where = f"{URL}{made.json()['id']}/"

    new = made.json()["document"] | {"do": DO}
    changed = post(api, f"{where}versions/", {"document": new}, **{"If-Match": '"1"'})
    late = post(api, f"{where}versions/", {"document": new | {"do": [*DO, {"b": DO[0]["a"]}]}}, **{"If-Match": '"1"'})
    same = post(api, f"{where}versions/", {"document": new})
    renamed = new | {"document": new["document"] | {"name": "other"}}

    assert (changed.status_code, changed.json()["number"]) == (201, 2)
    assert (late.status_code, late.json()["code"]) == (412, "version_mismatch")
    assert same.json()["number"] == 2
    assert post(api, f"{where}versions/", {"document": renamed}).json()["code"] == "definition_renamed"
    assert [row["number"] for row in api.get(f"{where}versions/").json()["results"]] == [2, 1]
    assert api.get(f"{where}versions/1/").json()["document"]["do"] != DO
    assert api.get(f"{where}versions/9/").status_code == 404
    assert [row["name"] for row in api.get(URL, {"project": str(project.pk)}).json()["results"]] == ["film"]
    assert api.delete(where).status_code == 204
    assert api.get(where).status_code == 404
    assert post(api, URL, {"project": str(project.pk), "text": TEXT}).status_code == 201


def test_what_is_wrong_is_named_and_nothing_is_written(api, project):
    refused = post(api, URL, {"project": str(project.pk), "document": document([{"a": {"call": "nonsense"}}])})
    unread = post(api, f"{URL}validate/", {"text": "do: [\n  a: &x 1\n  b: *x"})
    both = post(api, f"{URL}validate/", {"text": "' OR 1=1 --", "document": {}})

    assert (refused.status_code, refused.json()["code"]) == (400, "definition_rejected")
    assert (refused.json()["errors"][0]["field"], refused.json()["errors"][0]["code"]) == (
        "/do/0/a/call",
        "unknown_function",
    )
    assert [each["code"] for each in unread.json()["errors"]] == ["unreadable"]
    assert both.status_code == 400
    assert post(api, f"{URL}validate/", {"text": TEXT}).json()["document"]["document"]["name"] == "film"
    assert not Definition.objects.exists()


def test_name_is_the_projects_own(api, project):
    post(api, URL, {"project": str(project.pk), "text": TEXT})
    again = post(api, URL, {"project": str(project.pk), "text": TEXT})

    assert (again.status_code, again.json()["code"]) == (409, "definition_name_taken")
    assert DefinitionVersion.objects.count() == 1


def test_roles_and_scopes(owner, project, api):
    made = post(api, URL, {"project": str(project.pk), "text": TEXT}).json()
    editor, reader = client_of(member_of(project), project), client_of(reader_of(project), project)
    limited = client_of(owner, project, scopes=("workflows:read",))
    stranger = client_of(UserFactory(), OrganizationlessProject())

    for caller, statuses in ((editor, (403, 202)), (reader, (403, 403)), (limited, (403, 403)), (stranger, (404, 404))):
        body = {"project": str(project.pk), "document": document(DO, name="other")}
        got = (post(caller, URL, body).status_code, post(caller, RUNS, {"workflow": made["id"]}).status_code)
        assert got == statuses
    assert reader.get(f"{URL}{made['id']}/").status_code == 200
    assert stranger.get(f"{URL}{made['id']}/").status_code == 404
    assert Run.objects.count() == 1


class OrganizationlessProject:
    """Of somebody else."""

    def __init__(self):
        self.organization = OrganizationFactory()


def test_run_by_hand_with_its_stages(api, project):
    made = post(api, URL, {"project": str(project.pk), "text": TEXT}).json()
    begun = post(api, RUNS, {"workflow": made["id"], "input": {"idea": "Lisbon"}, "title": "Port"})
    where = f"{RUNS}{begun.json()['id']}/"
    engine.go_on(begun.json()["id"])

    shown = api.get(where).json()
    assert (begun.status_code, shown["status"], shown["cause"]) == (202, "waiting", "program")
    assert [(each["name"], each["state"], each["is_next"]) for each in shown["stages"]] == [
        ("concept", "available", True)
    ]
    assert post(api, f"{where}advance/", {"stage": "concept"}).status_code == 202
    engine.go_on(begun.json()["id"])

    assert api.get(where).json()["output"] == {"idea": "Lisbon"}
    listed = api.get(f"{where}steps/").json()["results"]
    assert [(each["path"], each["task"], each["kind"], each["status"]) for each in listed] == [
        ("concept#gate", "Concept: gate", "gate", "completed"),
        ("concept", "Concept", "set", "completed"),
    ]
    assert post(api, f"{where}advance/").json()["code"] == "run_state"


def test_blocked_stage_is_409_and_check_explains(api, owner, project):
    actor = actor_of(owner)
    collection = people(actor, project)
    gate = {"records": {"collection": "people", "at_least": 2}}
    run = ran(actor, project, [{"scenes": {"set": "${ . }", **stage("Scenes", requires=[gate], manual=True)}}])
    where = f"{RUNS}{run.pk}/"

    closed = post(api, f"{where}advance/", {"stage": "scenes"})
    checked = api.get(f"{where}steps/scenes/check/").json()

    says = "People: at least 2 records are needed, there are 0."
    assert (closed.status_code, closed.json()["code"], closed.json()["missing"]) == (409, "gate_closed", [says])
    wanted = {"says": says, "is_met": False, "collection": str(collection.pk)}
    assert checked == {"stage": "scenes", "is_open": False, "requires": [wanted]}
    assert api.get(f"{where}steps/nothing/check/").json()["code"] == "stage_not_next"


def test_choice_by_api(api, owner, project):
    options = [{"key": "sea", "title": "At sea"}, {"key": "court", "title": "In court"}]
    with_ = {"question": "How?", "options": options}
    run = ran(actor_of(owner), project, [{"ending": {"call": "choose", "with": with_}}])
    where = f"{RUNS}{run.pk}/"
    (choice,) = api.get(where).json()["choices"]

    first = post(api, f"{where}choose/", {"choice": choice["id"], "option": "court"})
    late = post(api, f"{where}choose/", {"choice": choice["id"], "option": "sea"})

    assert (first.status_code, first.json()["choices"][0]["option"]) == (202, "court")
    assert (late.status_code, late.json()["code"]) == (409, "choice_closed")
    assert walked(run).output["choice"] == "court"


def test_pause_resume_cancel_retry_fork_and_back(api, owner, project):
    actor = actor_of(owner)
    run = ran(
        actor, project, [{"a": {"set": "${ . }", **stage("A")}}, {"b": {"set": "${ . }", **stage("B", manual=True)}}]
    )
    where = f"{RUNS}{run.pk}/"

    assert post(api, f"{where}pause/").json()["status"] == "paused"
    assert post(api, f"{where}resume/").json()["status"] == "queued"
    assert post(api, f"{where}retry/").json()["code"] == "run_state"
    assert post(api, f"{where}fork/", {"step": 2}).json()["forked_from"] == str(run.pk)
    assert post(api, f"{where}fork/", {"step": 99}).status_code == 404
    assert post(api, f"{where}steps/a/approve/").json()["stages"][0]["approvals"] == 1
    assert post(api, f"{where}steps/b/approve/").json()["code"] == "stage_not_next"
    assert post(api, f"{where}rollback/", {"to": "a"}).json()["status"] == "paused"
    assert post(api, f"{where}cancel/").json()["status"] == "cancelled"
    assert Event.objects.filter(type="workflows.run_cancelled").count() == 1


def test_definition_with_open_runs_is_not_deleted(api, owner, project):
    run = ran(actor_of(owner), project, [{"rest": {"wait": "PT1H"}}])

    refused = api.delete(f"{URL}{run.definition_id}/")

    assert (refused.status_code, refused.json()["code"]) == (409, "definition_in_use")


def test_too_much_data_is_refused(api, owner, project):
    made = defined(actor_of(owner), project, DO)

    answer = post(api, RUNS, {"workflow": str(made.pk), "input": {"x": "y" * 1_100_000}})

    assert (answer.status_code, answer.json()["code"]) == (400, "data_too_large")


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (None, {("input.name", "required")}),
        ({"name": 5, "scenes": [{"place": 1}]}, {("input.name", "type"), ("input.scenes.0.place", "type")}),
        ({"name": "Harbour", "scenes": [{"place": "Lisbon"}]}, set()),
    ],
)
def test_input_that_does_not_fit_begins_no_run(api, owner, project, given, wrong):
    text = {"type": "string"}
    scenes = {"type": "array", "items": {"type": "object", "properties": {"place": text}}}
    schema = {"type": "object", "required": ["name"], "properties": {"name": text, "scenes": scenes}}
    made = defined(actor_of(owner), project, DO, input={"schema": {"format": "json", "document": schema}})

    answer = post(api, RUNS, {"workflow": str(made.pk)} | ({} if given is None else {"input": given}))

    if not wrong:
        assert (answer.status_code, Run.objects.get().data) == (202, given)
    else:
        assert (answer.status_code, answer.json()["code"], Run.objects.count()) == (400, "input_does_not_fit", 0)
        assert {(each["field"], each["code"]) for each in answer.json()["errors"]} == wrong


def test_so_many_runs_and_definitions(api, owner, project, monkeypatch):
    from apps.workflows.services import definitions, runs

    made = defined(actor_of(owner), project, DO)
    monkeypatch.setattr(runs, "MAX_OPEN_RUNS", 0)
    monkeypatch.setattr(definitions, "MAX_DEFINITIONS", 1)

    run = post(api, RUNS, {"workflow": str(made.pk)})
    other = post(api, URL, {"project": str(project.pk), "document": document(DO, name="other")})

    assert (run.status_code, run.json()["code"]) == (429, "too_many_runs")
    assert (other.status_code, other.json()["code"]) == (429, "too_many_definitions")


@pytest.mark.parametrize("count", [1, 3, 30])
def test_lists_ask_the_same_few_questions(owner, project, count, django_assert_max_num_queries):
    other = UserFactory()
    join(other, OrganizationFactory())
    actor = actor_of(owner)
    for number in range(count):
        made = defined(actor, project, DO, name=f"sample-{number}", schedule={"every": "PT5M"})
        services.start_run(actor=actor, definition_id=made.pk)
    made = defined(actor, project, [{f"t{n}": {"set": {"x": n}}} for n in range(count)], name="long")
    run = services.start_run(actor=actor, definition_id=made.pk)
    engine.go_on(run.pk)
    client = client_of(owner, project)
    client.get(URL)

    for where in (URL, f"{URL}starts/", RUNS, f"{RUNS}{run.pk}/steps/", f"{URL}{run.definition_id}/versions/"):
        with django_assert_max_num_queries(6):
            answer = client.get(where, {"limit": 100})
        assert answer.status_code == 200
