import threading

import pytest
from django.db import connection

from apps.core import leases
from apps.core.models import MailMessage


def message():
    return MailMessage.objects.create(recipient="a@example.com", subject="s", text="t")


def lapse(row):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_mailmessage SET lease_until = clock_timestamp() - interval '1 ms' WHERE id = %s", [row.pk]
        )


@pytest.mark.django_db
def test_claimed_row_is_held_until_it_lapses():
    row = message()
    rows = MailMessage.objects.filter(status="queued")

    assert leases.claim(rows, row.pk) == 1
    assert leases.claim(rows, row.pk) is None
    lapse(row)
    assert list(leases.lapsed(rows)) == [row]
    assert leases.claim(rows, row.pk) == 2

    row.refresh_from_db()
    assert row.attempts == 2


@pytest.mark.django_db
def test_late_holder_changes_nothing():
    row = message()
    rows = MailMessage.objects.all()
    first = leases.claim(rows, row.pk)
    lapse(row)
    second = leases.claim(rows, row.pk)

    assert leases.renew(rows, row.pk, first) is False
    assert leases.change(rows, row.pk, first, subject="late") is False
    assert leases.release(rows, row.pk, first) is False
    assert leases.renew(rows, row.pk, second) is True
    assert leases.release(rows, row.pk, second, status="sent") is True

    row.refresh_from_db()
    assert (row.subject, row.status, row.lease_until) == ("s", "sent", None)


@pytest.mark.django_db(transaction=True)
def test_of_ten_parallel_claimants_one_gets_the_row():
    row = message()
    fences = []
    start = threading.Barrier(10)

    def claim():
        start.wait()
        fences.append(leases.claim(MailMessage.objects.all(), row.pk))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(fences, key=str) == [1, *[None] * 9]
