"""A call is made again: under the same key when nobody knows whether it had its effect, under another when it had none."""

import pytest

from apps.workflows import services
from tests.workflows.factories import ran, walked
from tests.workflows.office import LOST, Office, opened

pytestmark = pytest.mark.django_db


class Bookings(Office):
    """Books once for each key. ``gives``: the statuses of its next answers; ``LOST``: it books, and nobody hears of it."""

    def __init__(self):
        super().__init__()
        self.keys, self.gives = [], []

    def answer(self, path, headers, body):
        self.keys.append(headers["Idempotency-Key"])
        return self.gives.pop(0) if self.gives else 200, b"ok", {"Content-Type": "text/plain"}

    def is_same(self):
        return [key == self.keys[0] for key in self.keys[1:]]


@pytest.fixture
def office(settings):
    with opened(Bookings(), settings) as found:
        yield found


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
