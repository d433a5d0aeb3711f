"""The stage map beside a conversation: whose runs it shows, what it says of their stages, and to whom."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.conversations import services as conversations
from apps.conversations.services.commands import run_command
from apps.core.models import Event
from apps.workflows import services
from apps.workflows.models import Choice, Run
from tests.accounts.factories import actor_of, member_of, reader_of
from tests.conversations.factories import start
from tests.extraction.factories import people, record
from tests.workflows.factories import defined, fresh, stage, step, walked

pytestmark = pytest.mark.django_db
NOTHING = {"set": "${ . }"}
TWO = {"records": {"collection": "people", "at_least": 2}, "says": "Two people are needed."}


def film():
    ask = {"call": "ask", "with": {"question": "What is it about?"}}
    return [
        {"concept": {"do": [{"logline": ask}], **stage("Concept")}},
        {"cast": {**NOTHING, **stage("Cast", manual=True)}},
        {"scenes": {**NOTHING, **stage("Scenes", requires=[TWO], manual=True)}},
        {"board": {**NOTHING, **stage("Board", requires=[{"approved": {"stage": "scenes"}}], manual=True)}},
    ]


@pytest.fixture
def talk(actor, project):
    return start(actor, project)


def reader(user):
    client = Client()
    client.force_login(user)

    def read(conversation):
        answered = client.get(f"/c/{conversation.pk}/context/workflow/")
        return answered.content.decode() if answered.status_code == 200 else answered.status_code

    read.client = client
    return read


@pytest.fixture
def panel(owner):
    return reader(owner)


def begin(actor, definition, talk=None):
    run = services.start_run(
        actor=actor, definition_id=definition.pk, conversation_id=talk.pk if talk else None, title="Port of Lisbon"
    )
    return walked(run)


def stages_in(html):
    """What the map says: name of the stage → how it looks."""
    rows = html.split("<li data-state=")[1:]
    return {row.split('data-stage="')[1].split('"')[0]: row.split('"')[1] for row in rows}


def test_run_is_shown_with_its_stages_and_what_they_lack(actor, project, talk, panel):
    collection = people(actor, project)
    run = begin(actor, defined(actor, project, film()), talk)

    shown = panel(talk)

    assert stages_in(shown) == {"concept": "current", "cast": "blocked", "scenes": "blocked", "board": "blocked"}
    assert "Port of Lisbon" in shown
    assert f'href="/runs/{run.pk}/"' in shown
    assert f'data-run-panel-topics-value="run:{run.pk}"' in shown
    assert "What is it about?" in shown
    scenes = shown.split('data-stage="scenes"')[1].split("<li data-state")[0]
    assert "Two people are needed." in scenes
    assert f'href="/records/{collection.pk}/"' in scenes
    assert "Try to begin" in scenes
    assert shown.count('aria-current="step"') == 1


def test_what_can_begin_is_started_and_what_is_wanted_is_approved(actor, project, talk, panel):
    collection = people(actor, project)
    run = begin(actor, defined(actor, project, film()), talk)
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=Choice.objects.get().pk, text="The port.")
    walked(run)

    shown = panel(talk)
    assert stages_in(shown)["cast"] == "available"
    assert "What is it about? <b>The port.</b>" in shown
    assert "Approve" not in shown, "no later stage wants the concept approved"

    services.advance_stage(actor=actor, run_id=run.pk, stage="cast")
    record(actor, collection, name="Sarah")
    record(actor, collection, name="Tomás")
    walked(run)
    services.advance_stage(actor=actor, run_id=run.pk, stage="scenes")
    walked(run)
    shown = panel(talk)
    assert stages_in(shown) == {"concept": "done", "cast": "done", "scenes": "current", "board": "blocked"}
    assert f"/api/v1/runs/{run.pk}/steps/scenes/approve/" in shown


def said_of(html, name):
    return html.split(f'data-stage="{name}"')[1].split("<li data-state")[0]


def test_each_stage_says_what_comes_next(actor, project, talk, panel):
    people(actor, project)
    run = begin(actor, defined(actor, project, film()), talk)

    assert "Next: answer the question that is open." in said_of(panel(talk), "concept")
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=Choice.objects.get().pk, text="The port.")
    walked(run)
    shown = panel(talk)
    assert "Next: start “Cast” when this is done." in said_of(shown, "concept")
    assert "All it needs is there. Start it when you want to go on." in said_of(shown, "cast")
    assert "To get records" not in shown, "only of the stage that comes next"

    services.advance_stage(actor=actor, run_id=run.pk, stage="cast")
    walked(run)
    shown = panel(talk)
    assert "Next: get together what “Scenes” needs. It is listed there." in said_of(shown, "cast")
    assert "Two people are needed." in said_of(shown, "scenes")
    assert "then /extract" in said_of(shown, "scenes")
    assert 'class="how"' not in said_of(shown, "board")


def test_who_may_not_start_a_stage_is_told_who_may(actor, project, talk):
    film_by_managers = film()
    film_by_managers[1]["cast"]["metadata"]["parlance"]["stage"]["by"] = "manager"
    run = begin(actor, defined(actor, project, film_by_managers), talk)
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=Choice.objects.get().pk, text="The port.")
    walked(run)

    shown = reader(member_of(project))(talk)

    assert "A manager of the project starts it." in said_of(shown, "cast")


def test_stage_of_the_map_is_tried_and_refused_with_what_is_missing(actor, project, talk, panel):
    people(actor, project)
    run = begin(actor, defined(actor, project, film()), talk)
    before = step(run, "concept/do/logline")

    tried = panel.client.post(
        f"/api/v1/runs/{run.pk}/advance/", json.dumps({"stage": "scenes"}), content_type="application/json"
    )

    assert (tried.status_code, tried.json()["code"]) == (409, "gate_closed")
    assert tried.json()["missing"] == ["Two people are needed."]
    assert fresh(run).stage == "concept"
    assert step(run, "concept/do/logline").pk == before.pk


def test_runs_of_other_conversations_are_not_shown(actor, project, talk, panel):
    definition = defined(actor, project, film())
    begin(actor, definition, start(actor, project))
    begin(actor, definition)

    shown = panel(talk)

    assert "No run here yet" in shown
    assert "Port of Lisbon" not in shown
    assert f'value="{definition.pk}"' in shown


def test_three_runs_are_drawn_and_the_others_named(actor, project, talk, panel, django_assert_max_num_queries):
    definition = defined(actor, project, [{"a": {**NOTHING, **stage("A", manual=True)}}])
    runs = [begin(actor, definition, talk) for _each in range(5)]
    ended = runs[-1]
    services.cancel_run(actor=actor, run_id=ended.pk)

    with django_assert_max_num_queries(50):
        shown = panel(talk)

    assert [shown.count(f'data-run="{run.pk}"') for run in runs] == [0, 1, 1, 1, 0]
    assert all(f'href="/runs/{run.pk}/"' in shown for run in runs)


def test_gates_are_judged_once_a_draw(actor, project, talk, panel):
    """However many stages say the same, and however many runs are drawn; what is behind a run is not judged."""
    record(actor, people(actor, project), name="Sarah", age=28)
    again = [TWO, {"every": {"collection": "people", "has": "age"}}, {"approved": {"stage": "a"}}]
    none = {"records": {"collection": "people"}}
    do = [{"a": {**NOTHING, **stage("A", requires=[none])}}]
    do += [{name: {**NOTHING, **stage(name, requires=again, manual=True)}} for name in "bcd"]
    definition = defined(actor, project, do)

    def read(count):
        for _each in range(count):
            begin(actor, definition, talk)
        with CaptureQueriesContext(connection) as asked:
            panel(talk)
        said = [each["sql"] for each in asked.captured_queries]
        return *(sum(f'FROM "extraction_{name}"' in sql for sql in said) for name in ("record", "collection")), len(
            said
        )

    none, one, three = read(0), read(1), read(2)

    assert one[0] == three[0] == 3
    assert one[1] == three[1]
    assert three[2] - one[2] <= 2 * 6  # of each run: its gates, approvals, questions, people and operations
    assert none[0] == 0


def test_project_without_a_workflow_says_so(talk, panel):
    shown = panel(talk)

    assert "No workflows yet" in shown
    assert "<form" not in shown


def test_who_only_reads_is_offered_nothing(actor, project, talk):
    definition = defined(actor, project, film())
    begin(actor, definition, talk)

    shown = reader(reader_of(project))(talk)

    assert "What is it about?" in shown
    assert "data-api" not in shown.replace(f'data-api="/api/v1/runs/{Run.objects.get().pk}/choose/"', "")
    assert 'type="submit"' not in shown


def test_who_was_let_into_the_conversation_alone_has_no_such_tab(actor, project, talk):
    guest = member_of(project)
    project.access = "private"
    project.save()
    talk = start(actor, project, visibility="private")
    conversations.invite_participant(actor=actor, conversation_id=talk.pk, user_id=guest.pk)
    read = reader(guest)

    assert read.client.get(f"/c/{talk.pk}/").status_code == 200
    assert 'data-tab="workflow"' not in read.client.get(f"/c/{talk.pk}/").content.decode()
    assert read(talk) == 404


def test_tab_stands_before_people_and_details(panel, talk):
    page = panel.client.get(f"/c/{talk.pk}/").content.decode()
    tabs = [part.split('"')[0] for part in page.split('data-tab="')[1:]]

    assert tabs == ["workflow", "people", "details"]


def test_conversation_hears_of_a_run_that_begins_in_it(actor, project, talk):
    defined(actor, project, film(), name="film")
    run_command(actor=actor, conversation_id=talk.pk, name="run", arguments="film")

    told = Event.objects.get(type="conversations.conversation_annotated")

    assert (told.topic, told.payload) == (f"conversation:{talk.pk}", {"conversation_id": str(talk.pk)})


def test_fork_stays_beside_the_conversation_for_who_sees_it_alone(actor, project):
    talk = start(actor, project)
    run = begin(actor, defined(actor, project, film()), talk)
    number = step(run, "concept/do/logline").number
    other = member_of(project)
    assert services.fork_run(actor=actor_of(other), run_id=run.pk, number=number).conversation_id == talk.pk
    conversations.deny_participant(actor=actor, conversation_id=talk.pk, user_id=other.pk)

    forked = services.fork_run(actor=actor_of(other), run_id=run.pk, number=number)

    assert forked.conversation_id is None
