"""``/run``: a workflow begins in a conversation."""

import pytest

from apps.conversations.services.commands import run_command
from apps.core.errors import Forbidden
from apps.workflows.models import Run
from apps.workflows.types import InputDoesNotFit
from tests.accounts.factories import actor_of, reader_of
from tests.conversations.factories import start
from tests.workflows.factories import defined, walked

pytestmark = pytest.mark.django_db
DO = [{"say": {"set": {"heard": "${ .text }"}}}]


@pytest.fixture
def talk(actor, project):
    return start(actor, project)


def said(actor, talk, words):
    return run_command(actor=actor, conversation_id=talk.pk, name="run", arguments=words)


@pytest.mark.parametrize("words", ["sample the port of Lisbon", "Sample  the port of  Lisbon"])
def test_words_behind_the_name_are_the_input(actor, project, talk, words):
    defined(actor, project, DO)
    result = said(actor, talk, words)
    run = walked(Run.objects.get())

    assert (run.cause, run.conversation_id, run.output) == ("command", talk.pk, {"heard": "the port of Lisbon"})
    assert result.data == {"tab": "workflow", "open": f"/runs/{run.pk}/"}


def test_longest_name_wins_and_nothing_follows(actor, project, talk):
    defined(actor, project, DO)
    defined(actor, project, DO, name="sample-two")
    said(actor, talk, "sample-two")

    run = Run.objects.get()
    assert (run.definition.name, run.data) == ("sample-two", {})


def test_unknown_name_is_told_with_those_there_are(actor, project, talk):
    assert said(actor, talk, "film").notice == "The project has no workflow yet."
    defined(actor, project, DO)

    assert said(actor, talk, "film noir").notice == "There is no workflow “film noir”. There are: sample."
    how = "Write which workflow: “/run sample”, and behind it what it is about. There are: sample."
    assert said(actor, talk, " ").notice == how
    assert not Run.objects.exists()


def test_who_only_reads_begins_nothing(actor, project, talk):
    defined(actor, project, DO)
    with pytest.raises(Forbidden):
        said(actor_of(reader_of(project)), talk, "sample")
    assert not Run.objects.exists()


def test_input_that_does_not_fit_is_said_and_nothing_begins(actor, project, talk):
    schema = {"type": "object", "required": ["scenes"], "properties": {"text": {"minLength": 3}}}
    defined(actor, project, DO, input={"schema": {"format": "json", "document": schema}})

    with pytest.raises(InputDoesNotFit) as refused:
        said(actor, talk, "sample a")

    places = "input.scenes: This is needed; input.text: This should have at least 3 characters"
    assert set(refused.value.detail.split("(")[1].split(")")[0].split("; ")) == set(places.split("; "))
    assert not Run.objects.exists()
