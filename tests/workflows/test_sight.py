"""Who sees a run that read in a collection which is closed to others: nobody else, by no way."""

import pytest
from django.test import Client

from apps.accounts.types import SYSTEM
from apps.core.doors.exporters import ExportScope
from apps.core.errors import NotFound
from apps.core.models import Event, MailMessage
from apps.extraction import services as records
from apps.workflows import exporters, letters, selectors, services
from apps.workflows.models import Run
from apps.workflows.topics import RunTopic
from tests.accounts.factories import UserFactory, actor_of, bearer, key_of, member_of, reader_of
from tests.extraction.factories import people, record
from tests.workflows.factories import defined, fresh, logged, ran, walked

pytestmark = pytest.mark.django_db

SECRET = "Sarah of the harbour"
READ = {"call": "records.list", "with": {"collection": "people"}}


@pytest.fixture
def closed(actor, project):
    """A collection that only managers see so far, and a record in it."""
    collection = people(actor, project)
    record(actor, collection, name=SECRET)
    records.change_collection(actor=actor, collection_id=collection.pk, changes={"visibility": "named"})
    return collection


@pytest.fixture
def other(project):
    """An editor who is not named."""
    return member_of(project)


def sees(user, run):
    return selectors.find_run(run_id=run.pk, viewer=actor_of(user)) is not None


def test_run_is_there_for_who_sees_what_it_read_and_for_nobody_else(actor, project, owner, closed, other):
    named, viewer = member_of(project), reader_of(project)
    records.name_reader(actor=actor, collection_id=closed.pk, user_id=named.pk)
    run = ran(actor, project, [{"read": READ}, {"keep": {"set": "${ {found: .} }"}}])
    assert run.status == "completed"
    assert SECRET in str(run.output)
    assert run.collections == [closed.pk]

    assert [sees(user, run) for user in (owner, named, other, viewer, UserFactory())] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert list(selectors.list_runs(actor_of(other), project_id=project.pk)) == []
    assert not RunTopic().is_allowed(actor_of(other), run.pk)
    assert RunTopic().is_allowed(actor_of(named), run.pk)
    exported = {
        user: list(exporters.runs(ExportScope(actor_of(user), project.organization_id, project.pk)))
        for user in (named, other)
    }
    assert (SECRET in str(exported[named]), exported[other]) == (True, [])


def test_no_address_tells_a_stranger_of_it(actor, project, owner, closed, other):
    run = ran(actor, project, [{"read": READ}, {"more": {"call": "ask", "with": {"question": "${ .[0].title }"}}}])
    choice = selectors.list_choices(run).get()
    assert choice.question == SECRET
    stranger, page = Client(headers=bearer(key_of(other, project.organization))), Client()
    page.force_login(other)
    mine = Client(headers=bearer(key_of(owner, project.organization)))

    for path in ("", "steps/"):
        assert mine.get(f"/api/v1/runs/{run.pk}/{path}").status_code == 200
        assert stranger.get(f"/api/v1/runs/{run.pk}/{path}").status_code == 404
    for path, body in {
        "pause/": {},
        "cancel/": {},
        "choose/": {"choice": str(choice.pk), "text": "me"},
        "fork/": {"step": 1},
        "rollback/": {"to": "x"},
    }.items():
        answer = stranger.post(f"/api/v1/runs/{run.pk}/{path}", body, content_type="application/json")
        assert (path, answer.status_code) == (path, 404)
    assert stranger.get("/api/v1/runs/").json()["results"] == []
    assert mine.get(f"/api/v1/runs/{run.pk}/").json()["collections"] == [str(closed.pk)]
    shown = Client()
    shown.force_login(owner)
    assert "only they and managers of the project see this run" in shown.get(f"/runs/{run.pk}/").content.decode()
    for path in (
        f"/runs/{run.pk}/",
        f"/runs/{run.pk}/now/",
        "/runs/",
        f"/answer/{letters.token_of(choice.pk, other.pk)}/",
    ):
        assert SECRET not in page.get(path).content.decode()
    assert fresh(run).status == "waiting"


def test_call_that_fails_closes_the_run_too(actor, project, closed, other):
    wrong = {"call": "records.create", "with": {"collection": "people", "data": {"age": 3}}}

    run = ran(actor, project, [{"make": wrong}])

    assert run.status == "failed"
    assert not sees(other, run)


def test_record_and_operation_name_their_collection(actor, project, closed, other):
    kept = records.create_record(actor=actor, collection_id=closed.pk, data={"name": "Ana"})
    change = {"call": "records.update", "with": {"record": str(kept.pk), "data": {"age": 3}}}
    many = {"call": "bulk", "with": {"kind": "records.delete", "params": {"collection": "people"}, "start": False}}

    runs = [ran(actor, project, [{"one": each}], name=name) for name, each in {"a": change, "b": many}.items()]

    assert [run.collections for run in runs] == [[closed.pk], [closed.pk]]
    assert not any(sees(other, run) for run in runs)


def test_who_may_see_it_is_asked_now(actor, project, closed, other):
    run = ran(actor, project, [{"read": READ}])
    assert not sees(other, run)

    records.change_collection(actor=actor, collection_id=closed.pk, changes={"visibility": "project"})
    assert sees(other, run)
    records.change_collection(actor=actor, collection_id=closed.pk, changes={"visibility": "named"})
    reader = records.name_reader(actor=actor, collection_id=closed.pk, user_id=other.pk)
    assert sees(other, run)
    records.remove_reader(actor=actor, collection_id=closed.pk, reader_id=reader.pk)
    assert not sees(other, run)
    untouched = ran(actor, project, [{"keep": {"set": {"a": 1}}}], name="other")
    assert sees(other, untouched)


def test_what_is_noted_goes_into_runs_inside_and_out_of_them(actor, project, closed, other):
    defined(actor, project, [{"read": READ}], name="reads")
    defined(actor, project, [{"keep": {"set": {"a": 1}}}], name="plain")
    inside = {"run": {"workflow": {"namespace": "tests", "name": "reads", "version": "1.0.0"}}}
    after = {
        "run": {"workflow": {"namespace": "tests", "name": "plain", "version": "1.0.0", "input": {"found": "${ . }"}}}
    }

    outer = ran(actor, project, [{"first": inside}, {"second": after}], name="outer")

    assert outer.status == "completed"
    assert list(Run.objects.values_list("collections", flat=True)) == [[closed.pk]] * 3
    assert not any(sees(other, run) for run in Run.objects.all())


def test_fork_has_what_its_source_noted(actor, project, closed, other):
    run = ran(actor, project, [{"read": READ}, {"wait": {"call": "ask", "with": {"question": "More?"}}}])

    fork = walked(services.fork_run(actor=actor, run_id=run.pk, number=2))

    assert fork.collections == [closed.pk]
    assert not sees(other, fork)


def test_who_takes_what_it_tells_is_closed_too(actor, project, closed, other):
    event = {"type": "sample.told", "source": "https://example.org/sample"}
    listen = {"listen": {"to": {"one": {"with": {"type": "sample.told"}}}}}
    elsewhere = {"listen": {"to": {"one": {"with": {"type": "sample.other"}}}}}
    hears = ran(actor, project, [{"hear": listen}], name="hears")
    waits = ran(actor, project, [{"hear": elsewhere}], name="waits")
    assert sees(other, hears)

    tell = {"emit": {"event": {"with": {**event, "data": "${ .[0] }"}}}}
    ran(actor, project, [{"read": READ}, {"tell": tell}], name="tells")
    hears = walked(hears)

    assert hears.status == "completed"
    assert SECRET in str(hears.output)
    assert not sees(other, hears)
    assert sees(other, fresh(waits))


def test_questions_and_votes_are_for_who_sees_the_run(actor, project, owner, closed, other):
    named = member_of(project)
    records.name_reader(actor=actor, collection_id=closed.pk, user_id=named.pk)
    options = [{"key": "a", "title": "A"}, {"key": "b", "title": "B"}]
    vote = {"question": "${ .[0].title }", "options": options, "rule": "vote", "mail": True}
    run = ran(actor, project, [{"read": READ}, {"vote": {"call": "choose", "with": vote}}])
    choice = selectors.list_choices(run).get()

    assert set(MailMessage.objects.values_list("recipient", flat=True)) == {owner.email, named.email}
    with pytest.raises(NotFound):
        services.answer_choice(actor=actor_of(other), run_id=run.pk, choice_id=choice.pk, option="a")
    for user in (owner, named):
        services.answer_choice(actor=actor_of(user), run_id=run.pk, choice_id=choice.pk, option="b")
    assert walked(run).status == "completed"


@pytest.mark.parametrize("visibility", ["project", "named"])
def test_collection_that_is_gone_for_good_leaves_it_as_it_was(actor, project, owner, other, visibility):
    collection = people(actor, project)
    run = ran(actor, project, [{"read": READ}])
    records.change_collection(actor=actor, collection_id=collection.pk, changes={"visibility": visibility})
    was = sees(other, run)
    places = type(collection).objects.get(slug="places")
    type(collection).objects.filter(pk=collection.pk).update(deleted_at="2020-01-01T00:00:00Z")

    records.erase_deleted(actor=SYSTEM)
    walked(run)

    assert not type(collection).objects.filter(pk=collection.pk).exists()
    assert places.pk not in fresh(run).collections
    assert sees(other, run) == was == (visibility == "project")
    assert sees(owner, run)


def test_run_that_another_s_words_start_is_closed_too(actor, project, closed, other):
    when = {"on": {"one": {"with": {"type": "sample.told"}}}}
    started = defined(actor, project, [{"keep": {"set": "${ . }"}}], name="started", schedule=when)
    event = {"type": "sample.told", "source": "https://example.org/sample", "parlancerun": str(started.pk)}
    ran(
        actor,
        project,
        [{"read": READ}, {"tell": {"emit": {"event": {"with": {**event, "data": "${ .[0] }"}}}}}],
        name="tells",
    )

    for row in Event.objects.filter(type="workflows.signal_emitted"):
        services.hear_starts(actor=SYSTEM, event=logged(row))

    run = Run.objects.get(definition=started)
    assert SECRET in str(run.data)
    assert run.collections == [closed.pk]
    assert not sees(other, run)
