"""A call is made again: under the same key when nobody knows whether it had its effect, under another when it had none."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.workflows import services
from tests.workflows.factories import ran, walked

pytestmark = pytest.mark.django_db
LOST = 0


class Office:
    """Books once for each key. ``gives``: the statuses of its next answers; ``LOST``: it books, and nobody hears of it."""

    def __init__(self):
        self.keys, self.gives = [], []
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                office.keys.append(self.headers["Idempotency-Key"])
                status = office.gives.pop(0) if office.gives else 200
                if status == LOST:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def is_same(self):
        return [key == self.keys[0] for key in self.keys[1:]]


@pytest.fixture
def office(settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    found = Office()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join(5)
    found.server.server_close()


def book(office, body="${ . }"):
    return {"book": {"call": "http", "with": {"method": "POST", "endpoint": f"{office.url}/book", "body": body}}}


@pytest.mark.parametrize(
    ("gives", "is_same"),
    [(LOST, True), (500, True), (503, True), (409, True), (403, False), (404, False), (429, False)],
)
def test_somebody_tries_again(actor, project, office, gives, is_same):
    office.gives = [gives]
    run = ran(actor, project, [book(office)], {"who": "Sarah"})
    assert run.status == "failed"

    services.retry_run(actor=actor, run_id=run.pk)

    assert walked(run).status == "completed"
    assert office.is_same() == [is_same]


@pytest.mark.parametrize(("gives", "is_same"), [(LOST, True), (503, True), (403, False)])
def test_the_document_tries_again(actor, project, office, gives, is_same):
    office.gives = [gives]
    caught = {"retry": {"limit": {"attempt": {"count": 2}}}}

    run = ran(actor, project, [{"risk": {"try": [book(office)], "catch": caught}}], {"who": "Sarah"})

    assert run.status == "completed"
    assert office.is_same() == [is_same]


def test_attempt_after_attempt_has_the_key_of_the_first(actor, project, office):
    office.gives = [LOST, 503, LOST]
    caught = {"retry": {"limit": {"attempt": {"count": 5}}}}

    run = ran(actor, project, [{"risk": {"try": [book(office)], "catch": caught}}], {"who": "Sarah"})

    assert run.status == "completed"
    assert office.is_same() == [True, True, True]


def test_another_call_has_another_key(actor, project, office):
    """Each of a loop's items is a call of its own, and so is one that asks for something else than the attempt before."""
    each = {
        "for": {"each": "who", "in": '${ ["a", "b"] }'},
        "do": [{"risk": {"try": [book(office, "${ $who }")], "catch": {}}}],
    }
    office.gives = [LOST, LOST]
    assert ran(actor, project, [{"all": each}]).status == "completed"
    assert office.is_same() == [False]

    office.keys, office.gives = [], [LOST]
    caught = {"retry": {"limit": {"attempt": {"count": 2}}}}
    counted = [
        {"count": {"set": "${ . }", "export": {"as": "${ ($context // 0) + 1 }"}}},
        book(office, "${ $context }"),
    ]
    assert ran(actor, project, [{"risk": {"try": counted, "catch": caught}}], name="counted").status == "completed"
    assert office.is_same() == [False]
