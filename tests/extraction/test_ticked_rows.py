"""Rows that were ticked: each is deleted or brought back by itself, and what was refused is told."""

import pytest

from apps.extraction import services
from apps.extraction.models import Record
from tests.extraction.factories import people, record

pytestmark = pytest.mark.django_db


def titles():
    return sorted(Record.objects.filter(deleted_at=None).values_list("title", flat=True))


def test_one_that_a_colleague_deleted_leaves_the_others_done(browser, me, project):
    collection = people(me, project)
    rows = [record(me, collection, name=name) for name in ("Ana", "Beatriz", "Carla", "Dora")]
    services.delete_record(actor=me, record_id=rows[1].pk)

    ticked = [str(row.pk) for row in rows[:3]]
    answer = browser.post(f"/records/{collection.pk}/rows/", {"record": ticked, "act": "delete"}, follow=True)

    page = answer.content.decode()
    assert (answer.status_code, titles()) == (200, ["Dora"])
    assert "1 record was not deleted: There is nothing here" in page
    assert "2 records deleted." in page


def test_one_that_cannot_come_back_leaves_the_others_back_and_is_offered_again(browser, me, project):
    collection = people(me, project, unique_keys=[["name"]])
    rows = [record(me, collection, name=name) for name in ("Ana", "Beatriz", "Carla")]
    ticked = [str(row.pk) for row in rows]
    browser.post(f"/records/{collection.pk}/rows/", {"record": ticked, "act": "delete"})
    record(me, collection, name="Ana")

    answer = browser.post(f"/records/{collection.pk}/rows/", {"record": ticked, "act": "restore"}, follow=True)

    page = answer.content.decode()
    assert (answer.status_code, titles()) == (200, ["Ana", "Beatriz", "Carla"])
    assert "1 record was not brought back:" in page
    assert f'value="{rows[0].pk}"' in page
