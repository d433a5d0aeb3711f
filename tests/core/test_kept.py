"""Leases beside a call that takes long: they last as long as the process does, and no longer."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.db.models import F

from apps.core import leases
from apps.core.embedded.processes import wait_until
from apps.core.kept import Keeper, Leaving
from apps.core.models import MailMessage

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = MailMessage.objects.filter(status="queued")


@pytest.fixture
def message(settings):
    settings.PARLANCE_TIME_SCALE = 0.02  # a lease of 0.3 s, renewed every 0.1 s, given back after 0.5 s
    return MailMessage.objects.create(recipient="a@example.com", subject="s", text="t")


@pytest.fixture
def keeper():
    made = Keeper()
    yield made
    assert wait_until(lambda: not any(thread.name == "leases" for thread in threading.enumerate()), seconds=10)


def is_free(message):
    return ROWS.filter(leases.is_free(), pk=message.pk).exists()


def is_held_for(message, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_free(message):
            return False
        time.sleep(0.02)
    return True


def leave(keeper):
    keeper.leave(lambda: False)
    connection.close()


def test_it_is_held_while_the_block_lasts(message, keeper):
    fence = leases.claim(ROWS, message.pk)
    with keeper.kept(ROWS, message.pk, fence):
        first = MailMessage.objects.get().lease_until
        assert wait_until(lambda: MailMessage.objects.get().lease_until > first, seconds=10)
    assert wait_until(lambda: is_free(message), seconds=10)


def test_two_are_held_and_each_ends_by_itself(message, keeper):
    other = MailMessage.objects.create(recipient="b@example.com", subject="s", text="t")
    fences = {each.pk: leases.claim(ROWS, each.pk) for each in (message, other)}
    with keeper.kept(ROWS, message.pk, fences[message.pk]):
        with keeper.kept(ROWS, other.pk, fences[other.pk]):
            pass
        assert wait_until(lambda: is_free(other), seconds=10)
        before = MailMessage.objects.get(pk=message.pk).lease_until
        assert wait_until(lambda: MailMessage.objects.get(pk=message.pk).lease_until > before, seconds=10)


def test_what_somebody_else_took_is_not_held_on_to(message, keeper):
    fence = leases.claim(ROWS, message.pk)
    MailMessage.objects.update(lease_until=None)
    with keeper.kept(ROWS, message.pk, fence):
        assert leases.claim(ROWS, message.pk, seconds=1000) == fence + 1
        taken = MailMessage.objects.get().lease_until
        assert wait_until(lambda: not keeper._held, seconds=10)
        assert MailMessage.objects.get().lease_until == taken


def test_who_leaves_gives_back_what_is_still_under_way(message, keeper):
    fence = leases.claim(ROWS, message.pk)
    with keeper.kept(ROWS, message.pk, fence):
        leaving = threading.Thread(target=leave, args=[keeper])
        leaving.start()
        assert is_held_for(message, 0.2)
        leaving.join(10)
        assert MailMessage.objects.get().lease_until is None
        assert leases.claim(ROWS, message.pk) == fence + 1
        assert not leases.change(ROWS, message.pk, fence, status="sent")


def test_who_has_left_asks_nobody_and_costs_no_attempt(message, keeper):
    fence = leases.claim(ROWS, message.pk)
    keeper.leave(lambda: True)
    with pytest.raises(Leaving), keeper.kept(ROWS, message.pk, fence, attempts=F("attempts") - 1):
        raise AssertionError
    row = MailMessage.objects.get()
    assert (row.lease_until, row.attempts) == (None, 0)


def test_row_that_is_locked_takes_no_other_along(message, keeper):
    """It is renewed when it may be; those beside it are renewed in time."""
    other = MailMessage.objects.create(recipient="b@example.com", subject="s", text="t")
    fences = {each.pk: leases.claim(ROWS, each.pk, seconds=1000) for each in (message, other)}
    held = [keeper.kept(ROWS, each.pk, fences[each.pk]) for each in (message, other)]
    with held[0], held[1], transaction.atomic():
        MailMessage.objects.select_for_update().get(pk=message.pk)
        before = MailMessage.objects.get(pk=other.pk).lease_until
        assert wait_until(lambda: MailMessage.objects.get(pk=other.pk).lease_until != before, seconds=20)


def test_who_leaves_waits_for_nobody_when_nothing_is_held(keeper, settings):
    settings.PARLANCE_TIME_SCALE = 1.0
    began = time.monotonic()
    keeper.leave(lambda: True)
    assert time.monotonic() - began < 20
