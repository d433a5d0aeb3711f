"""Pages that begin operations over many records and files: which they mean, what they refuse, and the limits they are given."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.types import ProjectRole
from apps.bulk import engine
from apps.bulk.models import Item, Operation
from apps.bulk.pages.limits import limits_of
from apps.core.types import Priority
from apps.extraction import services
from apps.extraction.models import Record
from apps.files.models import File
from tests.bulk.factories import fresh
from tests.conversations.factories import someone
from tests.extraction.factories import people, record
from tests.extraction.making import demo
from tests.files.factories import upload

__all__ = ["demo"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(me, project):
    made = people(me, project)
    for name, age in (("Ana", 61), ("Rui", 30), ("Zoe", 64)):
        record(me, made, name=name, age=age)
    return made


def planned():
    operation = Operation.objects.get()
    engine.plan_operation(operation_id=operation.pk)
    return operation, sorted(Item.objects.filter(payload__has_key="title").values_list("payload__title", flat=True))


def test_a_field_is_changed_in_the_rows_that_were_chosen(browser, collection):
    address, ana = f"/records/{collection.pk}/change/", Record.objects.get(title="Ana")
    rows = {"record": str(ana.pk)}

    chosen = browser.post(address, {"act": "choose", "where": "age:over:1", **rows})
    named = browser.post(address, {"act": "choose", "field": "age", **rows})
    first, second = (browser.get(answer["Location"]).content.decode() for answer in (chosen, named))
    refused = browser.post(address, {"field": "age", "v-age": "old", **rows})
    empty = browser.post(address, {"field": "age", "v-age": " ", **rows})
    assert not Operation.objects.exists()
    begun = browser.post(address, {"field": "age", "v-age": "62", **rows})

    operation, titles = planned()
    page = browser.get(begun["Location"]).content.decode()
    assert chosen["Location"] == f"{address}?record={ana.pk}", "an address that the way back leads to"
    assert named["Location"] == f"{address}?record={ana.pk}&field=age"
    assert "The field is changed in 1 chosen record." in first
    assert f'name="record" value="{ana.pk}"' in second
    form = second.partition('<form class="form"')[2]
    assert re.findall(r'<button[^>]*type="submit"[^>]*>', form)[0] == '<button type="submit" hidden>', "Enter goes on"
    assert ('name="v-age"' in first, 'name="v-age"' in second) == (False, True)
    assert (refused.status_code, 'value="old"' in refused.content.decode()) == (400, True)
    assert 'id="value-note"' in refused.content.decode()
    unknown = browser.post(address, {"field": "age", "v-age": "62", "record": "none"}).content.decode()
    assert re.findall(r'aria-invalid="true"', unknown) == []
    assert "Say what it is to say, or that it is emptied." in empty.content.decode()
    assert (operation.kind, operation.params["data"], titles) == ("records.update", {"age": 62}, ["Ana"])
    assert ("61</del>" in page, "62</ins>" in page) == (True, True)
    assert Record.objects.get(title="Ana").data["age"] == 61, "nothing is written before it is started"


def test_more_rows_than_an_address_has_room_for_are_drawn_at_once(browser, collection):
    rows = [str(Record.objects.first().pk)] * 101

    answer = browser.post(f"/records/{collection.pk}/change/", {"act": "choose", "record": rows})

    assert (answer.status_code, "101 chosen records" in answer.content.decode()) == (200, True)


def test_a_field_is_emptied_in_all_that_the_table_shows(browser, collection):
    chosen = browser.post(
        f"/records/{collection.pk}/change/", {"act": "choose", "where": "age:over:60", "field": "age", "sort": "title"}
    )
    assert chosen["Location"] == f"/records/{collection.pk}/change/?where=age%3Aover%3A60&field=age"
    shown = browser.get(chosen["Location"]).content.decode()
    browser.post(
        f"/records/{collection.pk}/change/", {"where": "age:over:60", "field": "age", "v-age": "", "how": "empty"}
    )

    operation, titles = planned()
    assert 'name="where" value="age:over:60"' in shown
    assert (operation.params["data"], titles) == ({"age": None}, ["Ana", "Zoe"])


def test_all_that_the_table_shows_are_deleted_once_it_is_started(browser, collection):
    table = browser.get(f"/records/{collection.pk}/?where=age:over:60").content.decode()
    asked = browser.get(f"/records/{collection.pk}/delete/?where=age:over:60").content.decode()
    browser.post(f"/records/{collection.pk}/delete/", {"where": "age:over:60"})

    operation, titles = planned()
    there = Record.objects.filter(deleted_at=None)
    assert f"/records/{collection.pk}/delete/?where=age%3Aover%3A60" in table
    assert "Delete these records" in table
    assert "Each record is deleted that has:" in asked
    assert (titles, there.count()) == (["Ana", "Zoe"], 3)
    browser.post(f"/operations/{operation.pk}/start/")
    engine.run_all()
    assert list(there.values_list("title", flat=True)) == ["Rui"]


@pytest.mark.parametrize("page", ["delete", "change"])
def test_rows_that_are_none_are_refused_and_never_taken_for_all(browser, collection, page):
    answer = browser.post(f"/records/{collection.pk}/{page}/", {"record": "none", "field": "age", "v-age": "1"})

    assert answer.status_code == 400
    assert "This is no id of a record." in answer.content.decode()
    assert not Operation.objects.exists()


def test_files_that_were_brought_before_and_new_ones_are_read(browser, owner, project, collection, demo):
    there = upload(owner, project, b"Sarah is 30.", name="sarah.txt")
    address = f"/records/{collection.pk}/files/"

    page = browser.get(address).content.decode()
    nothing = browser.post(address)
    new = SimpleUploadedFile("tom.txt", b"Tom is 31.", content_type="text/plain")
    browser.post(address, {"file": str(there.pk), "files": new})

    operation, _titles = planned()
    assert "sarah.txt" in page
    assert "Name at least one file." in nothing.content.decode()
    assert operation.params["collections"] == [str(collection.pk)]
    assert sorted(Item.objects.values_list("payload__name", flat=True)) == ["sarah.txt", "tom.txt"]


def test_files_that_were_brought_stay_when_a_limit_is_refused(browser, project, collection, demo):
    address = f"/records/{collection.pk}/files/"
    new = SimpleUploadedFile("tom.txt", b"Tom is 31.", content_type="text/plain")
    sound = SimpleUploadedFile("tom.bin", bytes(range(256)), content_type="application/octet-stream")

    refused = browser.post(address, {"files": [new, sound], "limit-concurrency": "0"})
    page = refused.content.decode()
    ticked = re.findall(r'name="file" value="([^"]+)" checked', page)
    again = browser.post(address, {"file": ticked, "limit-concurrency": "0"}).content.decode()

    assert (refused.status_code, Operation.objects.exists()) == (400, False)
    assert set(ticked) == {str(pk) for pk in File.objects.values_list("pk", flat=True)}
    assert len(ticked) == 2
    assert sorted(re.findall(r'name="file" value="([^"]+)" checked', again)) == sorted(ticked)


def test_a_field_of_a_part_of_the_schema_is_changed_and_begins_with_its_default(browser, me, project):
    part = {"type": "object", "properties": {"place": {"type": "string", "default": "Lisbon"}}}
    made = services.create_collection(
        actor=me, project_id=project.pk, name="Trips", document={"type": "object", "allOf": [part]}
    )
    record(me, made, place="Porto")

    begun = browser.post(f"/records/{made.pk}/change/", {"field": "place", "v-place": "Faro"})

    assert (begun.status_code, Operation.objects.get().params["data"]) == (302, {"place": "Faro"})
    assert 'value="Lisbon"' in browser.get(f"/records/{made.pk}/add/").content.decode()


@pytest.mark.parametrize("page", ["change", "delete", "files"])
def test_reader_begins_no_operation_and_brings_no_file(project, collection, page):
    client = Client()
    client.force_login(User.objects.get(pk=someone(project, ProjectRole.VIEWER).user_id))
    new = SimpleUploadedFile("tom.txt", b"Tom is 31.", content_type="text/plain")

    answers = [
        client.get(f"/records/{collection.pk}/{page}/"),
        client.post(f"/records/{collection.pk}/{page}/", {"field": "age", "v-age": "1", "files": new}),
    ]

    assert [each.status_code for each in answers] == [403, 403]
    assert (Operation.objects.exists(), File.objects.exists()) == (False, False)


def test_limits_are_checked_and_given_to_the_operation(browser, collection):
    address, late = f"/records/{collection.pk}/delete/", timezone.now() - timedelta(hours=1)
    wrong = {"limit-concurrency": "0", "limit-per_minute": "fast", "limit-deadline": late.strftime("%Y-%m-%dT%H:%M")}

    refused = browser.post(address, wrong)
    page = refused.content.decode()
    assert (refused.status_code, Operation.objects.exists()) == (400, False)
    assert '<details class="section" id="limits" open>' in page
    assert page.count('class="wrong"') == 3
    assert "This time is over. Choose a later one, or none." in page
    browser.post(
        address,
        {
            "limit-priority": "3",
            "limit-concurrency": "2",
            "limit-per_minute": "30",
            "limit-budget": "1.5",
            "limit-deadline": "2999-01-02T03:04",
        },
    )

    operation = Operation.objects.get()
    assert (operation.priority, operation.concurrency, operation.rate_per_second) == (Priority.LOW, 2, 0.5)
    assert (operation.budget, operation.deadline) == (Decimal("1.5"), datetime(2999, 1, 2, 3, 4, tzinfo=UTC))


def test_limits_are_changed_on_the_page_of_the_operation(browser, collection):
    given = {"limit-concurrency": "2", "limit-budget": "1.5", "limit-deadline": "2999-01-02T03:04"}
    browser.post(f"/records/{collection.pk}/delete/", given)
    operation, _titles = planned()
    address = f"/operations/{operation.pk}/"

    page = browser.get(f"{address}?ask=limits").content.decode()
    refused = browser.post(f"{address}limits/", {"limit-priority": "2", "limit-concurrency": "1001"})
    there = {
        "limit-priority": "1",
        "limit-per_minute": "6",
        "limit-budget": "1.5",
        "limit-deadline": "2999-01-02T03:04",
    }
    form = limits_of(operation, there)
    onward, nowhere = (browser.get(f"{address}{act}/?status=failed") for act in ("limits", "bend"))
    changed = browser.post(f"{address}limits/", there)

    operation = fresh(operation)
    assert 'href="?ask=limits#limits"' in page
    assert '<details class="section" id="limits" open>' in page
    assert 'value="2999-01-02T03:04"' in page
    assert "at most 2</dd>" in page
    assert (refused.status_code, 'value="1001"' in refused.content.decode()) == (400, True)
    assert changed.status_code == 302
    assert 'value="1.5"' in page
    assert (form.is_valid(), sorted(form.changes)) == (True, ["concurrency", "priority", "rate_per_second"])
    assert (onward["Location"], nowhere.status_code) == (f"{address}?status=failed", 404)
    assert (operation.priority, operation.concurrency, operation.rate_per_second) == (Priority.HIGH, None, 0.1)
    assert operation.deadline == datetime(2999, 1, 2, 3, 4, tzinfo=UTC)
