"""Questions on the page of a run: each in the shape of its answer, with its deadline, and what is no answer comes back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.workflows import selectors, services
from apps.workflows.models import Choice
from tests.workflows.factories import ran, walked

pytestmark = pytest.mark.django_db
OPTIONS = [{"key": "sea", "title": "At sea"}, {"key": "court", "title": "In court"}]


@pytest.fixture
def page(client, owner):
    client.force_login(owner)

    def read(run):
        return client.get(f"/runs/{run.pk}/").content.decode()

    return read


def asked(actor, project, call="ask", **given):
    run = ran(actor, project, [{"it": {"call": call, "with": {"question": "How is it?", **given}}}])
    return run, selectors.list_choices(run).get()


def test_yes_or_no_is_chosen(actor, project, page, client):
    run, choice = asked(actor, project, type="boolean")

    shown = page(run)
    assert shown.count('type="radio" name="text"') == 2
    assert f'id="own-{choice.pk}"' not in shown
    client.post(f"/runs/{run.pk}/choices/{choice.pk}/", {"text": "false"})

    assert walked(run).output["answer"] is False
    assert "<b>No</b>" in page(run)


def test_number_is_asked_for_as_one(actor, project, page):
    run, choice = asked(actor, project, type="number")

    assert f'id="own-{choice.pk}" name="text" type="number" step="any"' in page(run)


def test_options_without_own_words_want_a_choice(actor, project, page):
    run, _choice = asked(actor, project, "choose", options=OPTIONS, own=False)

    assert page(run).count('name="option" value="sea" required') == 1


def test_what_is_no_answer_comes_back_with_its_words_and_why(actor, project, client, page):
    run, choice = asked(actor, project, type="number")
    page(run)

    refused = client.post(f"/runs/{run.pk}/choices/{choice.pk}/", {"text": "about thirty"})

    assert refused.status_code == 400
    shown = refused.content.decode()
    assert 'value="about thirty"' in shown
    assert "The answer is a number, such as 3 or 2.5." in shown
    assert 'id="steps"' in shown
    assert selectors.list_answers([choice.pk]) == {}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"rule": "quorum", "quorum": 3}, "Decided as soon as 3 people say the same."),
        ({"rule": "vote"}, "Most votes decide, when everybody has answered or the time is up."),
    ],
)
def test_deadline_and_rule_are_said(actor, project, page, rule, says):
    run, _choice = asked(actor, project, "choose", options=OPTIONS, deadline="PT1H", **rule)

    shown = page(run)

    assert says in shown
    assert "Until <time datetime=" in shown


def test_what_nobody_answered_in_time_is_said(actor, project, page):
    run, choice = asked(actor, project, deadline="PT1H")
    Choice.objects.filter(pk=choice.pk).update(deadline=timezone.now() - timedelta(seconds=1))

    services.close_overdue(actor=SYSTEM)

    assert "How is it? <b>Out of time</b>" in page(walked(run))
