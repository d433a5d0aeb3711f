"""How the steps of a workflow went: on its page for who sees the runs, and for operators."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client

from apps.workflows import services, step_selectors
from apps.workflows.models import Run, Step
from tests.accounts.factories import UserFactory, member_of
from tests.workflows.factories import begun, defined, walked

pytestmark = pytest.mark.django_db
DO = [{"first": {"set": {"a": 1}}}, {"second": {"set": {"b": "${ .a }"}}}]
FAILS = [{"stop": {"raise": {"error": {"type": "https://example.org/x", "status": 418, "title": "Teapot"}}}}]


def taking(path, seconds):
    for step, number in zip(Step.objects.filter(path__endswith=path).order_by("created_at"), seconds, strict=True):
        Step.objects.filter(pk=step.pk).update(ended_at=F("started_at") + timedelta(seconds=number))


def started(actor, definition, times):
    for _each in range(times):
        walked(services.start_run(actor=actor, definition_id=definition.pk))


def facts(definition):
    found = step_selectors.stats_steps(Run.objects.filter(definition=definition))
    return {each.path.rsplit("/", 1)[-1]: each for each in found}


def test_each_place_is_counted_and_timed(actor, project):
    definition = defined(actor, project, DO)
    started(actor, definition, 3)
    taking("first", (1, 2, 9))

    found = facts(definition)

    assert list(found) == ["first", "second"]
    assert (found["first"].count, found["first"].failed) == (3, 0)
    assert found["first"].median_seconds == 2
    assert found["first"].slowest_seconds == pytest.approx(8.3)


def test_what_failed_is_counted_and_what_a_fork_copied_is_not(actor, project):
    failing = defined(actor, project, FAILS, name="failing")
    started(actor, failing, 1)
    services.retry_run(actor=actor, run_id=Run.objects.get(definition=failing).pk)
    walked(Run.objects.get(definition=failing))
    assert (facts(failing)["stop"].count, facts(failing)["stop"].failed) == (2, 2)

    good = defined(actor, project, DO, name="good")
    started(actor, good, 1)
    run = Run.objects.get(definition=good)
    last = Step.objects.filter(run=run).latest("number")
    walked(services.fork_run(actor=actor, run_id=run.pk, number=last.number))
    assert {name: each.count for name, each in facts(good).items()} == {"first": 1, "second": 2}


def test_page_and_operators_see_it(owner, actor, project, client):
    definition = defined(actor, project, DO)
    started(actor, definition, 2)
    client.force_login(owner)
    operator = Client()
    operator.force_login(UserFactory(is_staff=True, is_superuser=True))

    page = client.get(f"/workflows/{definition.pk}/").content.decode()
    site = operator.get(f"/admin/workflows/definition/{definition.pk}/change/").content.decode()

    assert "How its steps went" in page
    assert '<td>First</td><td class="num">2</td>' in page
    assert "<td>First</td><td><code>first</code></td><td>2</td><td>0</td>" in site


def test_runs_that_one_does_not_see_are_not_counted(owner, actor, project, client):
    definition = defined(actor, project, DO)
    started(actor, definition, 1)
    Run.objects.update(collections=[definition.pk])  # of a collection that nobody else sees
    other = member_of(project)
    client.force_login(other)

    assert "How its steps went" not in client.get(f"/workflows/{definition.pk}/").content.decode()


def test_nothing_is_shown_before_it_ran(owner, actor, project, client):
    definition = defined(actor, project, DO)
    begun(actor, project, DO, name="another")
    client.force_login(owner)

    assert "How its steps went" not in client.get(f"/workflows/{definition.pk}/").content.decode()
