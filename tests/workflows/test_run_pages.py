"""The page of a run: questions in the shape of their answers, what it gave, the way back of one that ended, other runs from a step."""

import re
import socket
import ssl
from datetime import timedelta

import httpx2
import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.workflows import presentation, reaching, selectors, services
from apps.workflows.models import Choice, Run, Step
from apps.workflows.pages import views
from apps.workflows.pages.shown import MOST_SHOWN, as_json
from tests.accounts.factories import reader_of
from tests.workflows.factories import fresh, ran, stage, walked

pytestmark = pytest.mark.django_db


def caused(error, cause):
    error.__cause__ = cause
    return error


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


def test_option_and_own_words_at_once_are_no_answer(actor, project, client, page):
    run, choice = asked(actor, project, "choose", options=OPTIONS)
    page(run)

    refused = client.post(f"/runs/{run.pk}/choices/{choice.pk}/", {"option": "sea", "text": "On a train"})

    assert refused.status_code == 400
    shown = refused.content.decode()
    assert "You chose an option and wrote words of your own. Take back what you do not mean." in shown
    assert 'value="sea" checked' in shown
    assert 'value="On a train"' in shown
    assert selectors.list_answers([choice.pk]) == {}
    client.post(f"/runs/{run.pk}/choices/{choice.pk}/", {"option": "", "text": "On a train"})
    assert walked(run).output["text"] == "On a train"


def test_answer_that_comes_too_late_comes_back_beside_the_decision(actor, project, client, page):
    run, choice = asked(actor, project, "choose", options=OPTIONS)
    page(run)
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="sea")

    late = client.post(f"/runs/{run.pk}/choices/{choice.pk}/", {"text": "On <i>a train</i>"})

    assert late.status_code == 409
    shown = late.content.decode()
    assert "This was decided already. You wrote: <q>On &lt;i&gt;a train&lt;/i&gt;</q>" in shown
    assert "<b>At sea</b>" in shown
    assert client.get(f"/runs/{run.pk}/").status_code == 200


def test_what_it_waits_for_is_said_while_it_waits(actor, project, page):
    run, _choice = asked(actor, project)

    assert "It waits for an answer of yours" in page(run)
    Run.objects.filter(pk=run.pk).update(status="queued")
    assert "It waits" not in page(run)


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


def test_run_that_failed_without_words_has_a_page(actor, project, page):
    error = {"type": "https://example.org/broken", "status": 500}
    run = ran(actor, project, [{"no": {"raise": {"error": error}}}])

    assert run.status == "failed"
    assert "https://example.org/broken" in page(run)


def test_run_that_ended_goes_back_and_shows_what_it_gave(actor, project, page, client):
    made = {"set": {"title": "<b>Harbour</b>"}, **stage("Concept")}
    run = ran(actor, project, [{"concept": made}])
    assert run.status == "completed"

    shown = page(run)

    assert 'commandfor="back-1"' in shown
    assert "What it gave" in shown
    assert "&lt;b&gt;Harbour&lt;/b&gt;" in shown
    client.post(f"/runs/{run.pk}/rollback/", {"stage": "concept"})
    assert fresh(run).status == "paused"


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("ready#gate", "gate", "All is ready: gate"),
        ("ready", "do", "All is ready"),
        ("ready/do/ending/try/askPeople", "call", "All is ready / Ending / Ask people"),
        ("ready/do/ending/catch/do", "set", "All is ready / Ending / Do"),
        ("make_up/for/first try", "set", "Make up / First try"),
        ("ready/do/book#undo/4.1", "undo", "All is ready / Book: taken back"),
        ("odd#gate", "set", "Odd#gate"),
    ],
)
def test_step_is_called_as_people_call_it(path, kind, says):
    assert presentation.path_words(path, kind, {"ready": "All is ready"}) == says


def test_steps_bear_the_titles_of_their_stages(actor, project, page):
    run = ran(actor, project, [{"x1": {"do": [{"first_words": {"set": {"a": 1}}}], **stage("The beginning")}}])

    shown = page(run)

    for task in ("The beginning: gate", "The beginning", "The beginning / First words"):
        assert re.search(rf"<td>{task}\s*<", shown)
    assert "<td>x1" not in shown
    assert "<code>x1/do/first_words</code>" in shown


def test_other_run_begins_at_a_step(actor, project, page, client):
    run = ran(actor, project, [{"one": {"set": {"n": 1}}}, {"two": {"set": {"n": 2}}}])
    assert page(run).count('name="step" value="2"') == 1

    answer = client.post(f"/runs/{run.pk}/fork/", {"step": "2"})

    other = Run.objects.get(forked_from=run)
    assert answer["Location"] == f"/runs/{other.pk}/"
    for number in ("", "x", "-1", "99", "²"):
        assert client.post(f"/runs/{run.pk}/fork/", {"step": number}).status_code == 404


def test_any_step_of_a_long_run_is_found_looked_at_and_forked(actor, project, page, client, monkeypatch):
    monkeypatch.setattr(views, "STEPS", 10)
    odd = {"each": "n", "in": "${ [range(30)] }"}
    broken = {"try": [{"x": {"set": {"a": '${ if $n == 3 then error("no") else 1 end }'}}}], "catch": {}}
    run = ran(actor, project, [{"all": {"for": odd, "do": [{"one": broken}]}}])
    last = run.step_count
    assert (run.status, last > 30) == ("completed", True)
    failed = Step.objects.get(run=run, status="failed")

    with CaptureQueriesContext(connection) as newest:
        shown = page(run)
    assert numbers(shown) == list(range(last - 9, last + 1))
    with CaptureQueriesContext(connection) as older:
        shown = client.get(re.search(r'href="([^"]+)" rel="next"', shown)[1].replace("&amp;", "&")).content.decode()
    assert numbers(shown) == list(range(last - 19, last - 9))
    assert len(older) <= len(newest)
    assert re.search(r'/now/\?cursor=[^"]+"', shown), "what is fetched again is the same page"
    shown = client.get(f"/runs/{run.pk}/?status=failed").content.decode()
    assert numbers(shown) == [failed.number]
    assert f'name="step" value="{failed.number}"' in shown
    assert numbers(client.get(f"/runs/{run.pk}/now/?status=failed").content.decode()) == [failed.number]
    assert "None of the steps is in this state." in client.get(f"/runs/{run.pk}/?status=open").content.decode()

    client.post(f"/runs/{run.pk}/fork/", {"step": failed.number})
    again = Run.objects.get(forked_from=run)
    assert again.status == "queued"
    Step.objects.filter(run=again).delete()
    assert "No step yet." in page(again)


def numbers(shown):
    """Of the steps in the table."""
    return [int(each) for each in re.findall(r'<tr><td class="num">(\d+)</td>', shown)]


def test_who_only_reads_is_offered_nothing(actor, project, client):
    run = ran(actor, project, [{"one": {"set": {"n": 1}, **stage("One")}}])
    client.force_login(reader_of(project))

    shown = client.get(f"/runs/{run.pk}/").content.decode()

    assert "What it got and gave" in shown
    assert f"/runs/{run.pk}/fork/" not in shown
    assert 'commandfor="back-1"' not in shown


def test_only_the_beginning_of_what_a_step_gave_is_made_for_the_page():
    assert as_json({"a": "x" * 9_000}).endswith(" …")
    assert len(as_json(list(range(100_000)))) <= MOST_SHOWN + 2
    assert as_json([]) == "[]"
    assert (as_json(None), as_json({})) == ("", "")
    assert as_json({"a": "é"}) == '{\n  "a": "é"\n}'


def calls(uri):
    """A stage that calls this address."""
    return [
        {
            "leave": {
                **stage("Departure"),
                "do": [{"tell": {"call": "http", "with": {"method": "GET", "endpoint": uri}}}],
            }
        }
    ]


@pytest.fixture
def closed_port():
    with socket.socket() as held:  # bound and not listening: whoever calls is refused
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_server_that_was_not_reached_is_named_with_why(actor, project, page, settings, closed_port):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    refused = ran(actor, project, calls(f"http://127.0.0.1:{closed_port}/leave?token=hidden"))
    unknown = ran(actor, project, calls("https://harbour.invalid/leave"), name="other")

    assert refused.error["detail"] == f"127.0.0.1:{closed_port} was not reached: it refused the connection."
    assert unknown.error["detail"] == "harbour.invalid was not reached: no server of that name is known."
    shown = page(unknown)
    assert shown.count(unknown.error["detail"]) == 3  # of the run, of the task, of the stage that holds it
    assert 'data-state="failed"' in shown
    assert "<h4>Departure<span>Failed</span></h4>" in shown


def test_step_that_was_tried_again_says_how_often_and_the_time_of_the_last_try(actor, project, page):
    run = ran(actor, project, calls("https://harbour.invalid/leave"))
    hour = timedelta(hours=1)
    Step.objects.filter(run=run).update(started_at=F("started_at") - hour, ended_at=F("ended_at") - hour)
    assert "Tried" not in page(run)

    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert page(run).count("Tried 2 times.") == 1
    again = Step.objects.get(run=run, kind="call")
    assert (run.status, again.status) == ("failed", "failed")
    assert again.ended_at - again.started_at < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (caused(httpx2.ConnectError("no"), ssl.SSLCertVerificationError("self-signed")), "certificate"),
        (httpx2.ReadTimeout("late"), "time"),
        (httpx2.ReadError("gone"), "lost"),
        (httpx2.RemoteProtocolError("what"), "protocol"),
        (httpx2.UnsupportedProtocol("ftp"), "address"),
    ],
)
def test_why_a_server_was_not_reached_is_told_apart(error, reason):
    sentence, said = reaching.told(error, "https://ann:secret@harbour.example:8443/leave?token=secret")

    assert said == {"host": "harbour.example:8443", "reason": reason}
    assert "harbour.example:8443" in sentence
    assert "secret" not in sentence
    assert reaching.words({"code": "not_reached", "detail": "Other words", **said}) == sentence
