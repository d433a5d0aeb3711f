"""A model proposes, people choose: options with category, difficulty, time and impact."""

import json

import pytest

from apps.llm import routing
from apps.workflows import selectors, services
from apps.workflows.functions.models import understood
from tests.extraction.making import demo, priced_model
from tests.provider.fixtures import provider, running_provider
from tests.workflows.factories import ran, step, walked

__all__ = ["demo", "priced_model", "provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)

DO = [
    {"ideas": {"call": "propose", "with": {"question": "How does it end?", "count": 3}}},
    {"ending": {"call": "choose", "with": {"question": "How does it end?", "options": "${ .options }"}}},
]
HARBOUR = {"difficulty": "low", "time": "a day", "impact": "none", "description": "She writes it all down."}


def option(title, category="alternative"):
    return {"title": title, "category": category, **HARBOUR}


@pytest.fixture(autouse=True)
def fresh_routes():
    routing.forget()


def test_what_a_model_proposes_is_put_to_people(actor, project, provider, priced_model):
    said = [option("The boat"), option("The trial", "recommended"), option("the boat"), option("The fire")]
    provider.script({"text": json.dumps({"options": said})})
    run = ran(actor, project, DO)
    (choice,) = selectors.list_choices(run)

    assert [(each["key"], each["title"], each["category"]) for each in choice.options] == [
        ("option-1", "The trial", "recommended"),
        ("option-2", "The boat", "alternative"),
        ("option-3", "The fire", "alternative"),
    ]
    assert choice.options[0].items() >= HARBOUR.items()
    assert run.cost > 0
    assert step(run, "ideas").cost == run.cost

    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="option-2")
    assert walked(run).output["title"] == "The boat"


def test_schema_and_question_reach_the_model(actor, project, provider, priced_model):
    provider.script({"text": json.dumps({"options": [option("The trial")]})})
    ran(actor, project, DO)

    asked = provider.bodies[-1]
    assert "How does it end?" in json.dumps(asked)
    assert '"difficulty"' in json.dumps(asked)


def test_words_without_options_fail_the_step_and_may_be_tried_again(actor, project, provider, priced_model):
    provider.script(*[{"text": "I would rather not."}] * 3)
    run = ran(actor, project, DO)
    assert (run.status, run.error["code"]) == ("failed", "nothing_proposed")

    provider.script({"text": json.dumps({"options": [option("The trial")]})})
    services.retry_run(actor=actor, run_id=run.pk)
    assert walked(run).waits_for == "choose"


def test_demo_proposes_three_that_differ(actor, project, demo):
    run = ran(actor, project, DO)
    (choice,) = selectors.list_choices(run)

    assert choice.options[0]["title"] == "Everything comes out in the open"
    assert all(each["description"].startswith("Demo: ") for each in choice.options)
    assert len({each["title"] for each in choice.options}) == 3
    assert [each["category"] for each in choice.options] == ["recommended", "alternative", "alternative"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"options": 3}', '{"options": [1, null, {"title": 5}, {"title": " "}]}', '{"title": "No list"}'],
)
def test_what_is_no_option_is_none(text):
    assert understood(text, 3) == []


def test_no_more_than_asked_for_and_no_longer_than_a_choice_takes():
    said = {"options": [option(f"{place} " + "x" * 500) for place in range(9)]}
    found = understood(json.dumps(said), 4)

    assert len(found) == 4
    assert {len(each["title"]) for each in found} == {200}
