"""One id from the request to everything it causes."""

import io
import json
import logging

import pytest
from django.core import mail as outbox
from django.db import transaction
from django.http import JsonResponse
from django.test import Client
from django.urls import path

from apps.core import coordinator, jobs, mail, redis
from apps.core.correlation import caused_by, correlation_id
from apps.core.doors.consumers import Consumer
from apps.core.eventlog import consumers, sequencer
from apps.core.events import emit
from apps.core.facts import SettingChanged
from apps.core.models import Event, MailMessage
from apps.core.types import SYSTEM, Scope

pytestmark = pytest.mark.django_db(transaction=True)


def happen():
    return emit(SettingChanged("k", "user", None, is_reset=False), actor=SYSTEM, scope=Scope("thing:1"))


def act(request):
    logging.getLogger("tests").warning("view_acts", extra={"number": 1})
    with transaction.atomic():
        happen()
        mail.queue_mail(recipient="a@example.com", subject="s", text="t")
    return JsonResponse({})


urlpatterns = [path("act/", act)]


@pytest.fixture(autouse=True)
def routes(settings, monkeypatch):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["apps.core.correlation.CorrelationMiddleware"]
    monkeypatch.setattr(jobs, "_away_until", 0.0)
    redis.client().delete(redis.key("jobs"))


@pytest.fixture
def lines():
    """What the root handler would print."""
    stream = io.StringIO()
    (root,) = [h for h in logging.getLogger().handlers if getattr(h.formatter, "foreign_pre_chain", None)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(root.formatter)
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


def test_id_goes_from_request_to_event_mail_hint_log_and_answer(lines):
    answer = Client().get("/act/", headers={"X-Request-ID": "from-the-outside-1"})

    hint = json.loads(redis.client().lindex(redis.key("jobs"), 0))
    (line,) = [line for line in lines() if line["event"] == "view_acts"]
    assert answer["X-Request-ID"] == "from-the-outside-1"
    assert Event.objects.get().correlation_id == "from-the-outside-1"
    assert MailMessage.objects.get().correlation_id == "from-the-outside-1"
    assert "from-the-outside-1" in hint["headers"]["kwargsrepr"]
    assert (line["correlation_id"], line["number"], line["level"]) == ("from-the-outside-1", 1, "warning")


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space in it", "quote'\"<b>"])
def test_malformed_id_is_replaced(given):
    answer = Client().get("/act/", headers={"X-Request-ID": given})

    assert answer["X-Request-ID"] != given
    assert len(answer["X-Request-ID"]) == 32
    assert Event.objects.get().correlation_id == answer["X-Request-ID"]


def test_job_runs_under_the_id_of_its_cause():
    with caused_by("from-a-request"):
        pk = mail.queue_mail(recipient="a@example.com", subject="s", text="t")

    jobs.find_job(mail.SEND).task(mail_id=str(pk), _correlation_id="from-a-request")

    assert outbox.outbox[0].extra_headers["X-Request-ID"] == "from-a-request"
    assert correlation_id() == ""


def test_reaction_keeps_the_id_and_names_its_cause():
    with caused_by("from-a-request"), transaction.atomic():
        first = happen()
    consumer = Consumer("tests.reacts", lambda logged: happen() if logged.depth == 0 else None)
    consumers.ensure_cursor(consumer)
    with coordinator.own_connection() as own:
        sequencer.sequence(own)

    consumers.run_ordered(consumer)

    reaction = Event.objects.get(depth=1)
    assert (reaction.correlation_id, reaction.causation_id) == ("from-a-request", first.id)
