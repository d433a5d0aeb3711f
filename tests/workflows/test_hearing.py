"""What ``listen`` hears: what it asks for, however much else happens, and what people decide."""

from dataclasses import replace
from uuid import uuid4

import pytest

from apps.accounts.types import SYSTEM
from apps.core.ids import uuid7
from apps.core.models import Event
from apps.workflows import listening, selectors, services
from apps.workflows.models import Step
from tests.conversations.factories import start
from tests.extraction.factories import people
from tests.workflows.factories import defined, logged, ran, stage, step, walked

pytestmark = pytest.mark.django_db


def hearer(actor, project, to):
    return ran(actor, project, [{"hear": {"listen": {"to": to}}}], name="hearer")


def told(project, kind, **payload):
    """An event of the project as the log's consumer hands it on."""
    row = Event.objects.filter(project_id=project.pk).order_by("-insertion").first()
    return replace(logged(row), id=uuid7(), type=kind, subject_id=uuid4(), payload=payload)


def test_what_else_happens_makes_nobody_deaf(actor, project):
    run = hearer(actor, project, {"one": {"with": {"type": "a.wanted"}}})

    woken = [services.hear(actor=SYSTEM, event=told(project, "a.other", n=n)) for n in range(201)]
    assert (set(woken), step(run, "hear").state["heard"]) == ({0}, [])
    assert services.hear(actor=SYSTEM, event=told(project, "a.wanted", n=7)) == 1

    run = walked(run)
    assert (run.status, run.output) == ("completed", [{"n": 7}])


def test_what_an_expression_is_not_true_of_makes_room(actor, project):
    run = hearer(actor, project, {"one": {"with": {"type": "a.wanted", "data": "${ .n == 7 }"}}})

    for n in range(3):
        services.hear(actor=SYSTEM, event=told(project, "a.wanted", n=n))
    run = walked(run)
    assert (run.status, step(run, "hear").state["heard"]) == ("waiting", [])
    services.hear(actor=SYSTEM, event=told(project, "a.wanted", n=7))

    assert walked(run).output == [{"n": 7}]


def test_what_ends_the_listening_is_heard_though_there_is_no_room(actor, project, monkeypatch):
    monkeypatch.setattr(listening, "MOST_HEARD", 3)
    to = {"any": [{"with": {"type": "a.told"}}], "until": {"one": {"with": {"type": "a.done"}}}}
    run = hearer(actor, project, to)

    for n in range(5):
        services.hear(actor=SYSTEM, event=told(project, "a.told", n=n))
    run = walked(run)
    assert run.status == "waiting"
    services.hear(actor=SYSTEM, event=told(project, "a.done"))

    assert walked(run).output == [{"n": 0}, {"n": 1}]


OPTIONS = [{"key": "sea", "title": "At sea"}, {"key": "court", "title": "In court"}]
DECIDED = {"type": "workflows.choice_decided", "data": {"workflow": "film", "step": "ending", "option": "sea"}}


def decided(actor, run, option):
    """The one question of a run is answered."""
    choice = selectors.list_choices(run).get()
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option=option)
    return choice


def test_choice_is_heard_by_which_question_it_was_and_what_was_decided(actor, project):
    collection = people(actor, project)
    run = hearer(actor, project, {"one": {"with": DECIDED}})
    read = {"call": "records.list", "with": {"collection": "people"}}
    choose = {"call": "choose", "with": {"question": "How does it end?", "options": OPTIONS}}
    asking = [
        ran(actor, project, [{"read": read}, {"ending": choose}], name="film"),
        ran(actor, project, [{"ending": choose}], name="play"),
    ]

    decided(actor, asking[1], "sea")
    decided(actor, asking[0], "court")
    run = walked(run)
    assert (run.status, run.collections) == ("waiting", [])
    again = walked(services.start_run(actor=actor, definition_id=asking[0].definition_id))
    choice = decided(actor, again, "sea")
    run = walked(run)

    assert (run.status, run.output) == (
        "completed",
        [
            {
                "run_id": str(again.pk), "choice_id": str(choice.pk), "status": "decided", "workflow": "film",
                "step": "ending", "question": "How does it end?", "option": "sea", "title": "At sea", "text": "",
                "by": str(actor.user_id),
            }
        ],
    )  # fmt: skip
    assert run.collections == [collection.pk], "it is seen by who sees the run that was asked in"


def test_what_is_decided_beside_a_private_conversation_is_heard_there_alone(actor, project):
    talk = start(actor, project, visibility="private")
    definitions = [
        defined(actor, project, [{"hear": {"listen": {"to": {"one": {"with": {"type": DECIDED["type"]}}}}}}], name="h"),
        defined(actor, project, [{"it": {"call": "ask", "with": {"question": "What did he say?"}}}], name="asking"),
    ]
    elsewhere = walked(services.start_run(actor=actor, definition_id=definitions[0].pk))
    there, asking = (
        walked(services.start_run(actor=actor, definition_id=each.pk, conversation_id=talk.pk)) for each in definitions
    )
    choice = selectors.list_choices(asking).get()

    services.answer_choice(actor=actor, run_id=asking.pk, choice_id=choice.pk, text="My own words")

    ids = {"run_id": str(asking.pk), "choice_id": str(choice.pk), "status": "decided"}
    assert walked(elsewhere).output == [ids]
    (heard,) = walked(there).output
    assert heard == ids | {
        "workflow": "asking", "step": "it", "question": "What did he say?", "option": None, "title": "My own words",
        "text": "My own words", "by": str(actor.user_id),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["workflow.advanced", "workflows.run_cancelled", "workflow.blocked"])
def test_how_other_runs_go_is_heard_and_how_ones_own_does_not_wake_it(actor, project, kind):
    run = hearer(actor, project, {"one": {"with": {"type": kind}}})
    mine = replace(told(project, "workflows.run_advanced"), subject_id=run.pk)
    assert services.hear(actor=SYSTEM, event=mine) == 0
    do = [
        {"one": {"set": {"n": 1}, **stage("One")}},
        {"two": {"set": {"n": 2}, **stage("Two", manual=True)}},
    ]
    other = ran(actor, project, do, name="other")
    services.cancel_run(actor=actor, run_id=other.pk)

    run = walked(run)

    assert (run.status, run.output[0]["run_id"]) == ("completed", str(other.pk))


def test_everybody_who_listens_hears_however_many_they_are(actor, project):
    """More than are read at once."""
    run = hearer(actor, project, {"one": {"with": {"type": "a.wanted"}}})
    row = step(run, "hear")
    fields = {
        f.attname: getattr(row, f.attname) for f in Step._meta.fields if f.attname not in {"id", "number", "path"}
    }
    Step.objects.bulk_create(Step(number=n, path=f"more/{n}", **fields) for n in range(2, 1_050))

    services.hear(actor=SYSTEM, event=told(project, "a.wanted", n=7))

    assert Step.objects.filter(run=run, state__heard=[]).count() == 0
