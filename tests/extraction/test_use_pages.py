"""Pages that begin and decide: duplicates side by side, files in and out, records brought along."""

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.bulk import engine
from apps.bulk.models import Operation
from apps.extraction import services
from apps.extraction.models import Collection, Duplicate, Record, RecordMerge
from apps.extraction.types import DuplicateStatus
from apps.files.models import File
from tests.accounts.factories import UserFactory, reader_of
from tests.conversations.factories import say, start
from tests.extraction.factories import PEOPLE, people, read_as, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(me, project):
    return people(me, project)


def page_of(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def work():
    """Plans are written and items done, as the processes do it."""
    for operation in Operation.objects.filter(status="draft"):
        engine.plan_operation(operation_id=operation.pk)
    engine.run_all()


@pytest.fixture
def pair(me, collection):
    """Two that may be one: the second was made although the first was there."""
    sarah = record(me, collection, name="Sarah Silva", born="1996-03-04", age=28, tags=["a"])
    taken = services.take_record(
        actor=me,
        collection_id=collection.pk,
        data={"name": "Sara Silva", "born": "1996-03-04", "age": 29, "tags": ["b"]},
    )
    return sarah, taken.record


# Duplicates


def test_pair_is_listed_compared_joined_with_what_was_chosen_and_separated(browser, collection, pair):
    sarah, sara = pair
    where = f"/records/{collection.pk}/duplicates/"
    assert "Sara Silva" in page_of(browser, where)
    assert f"{sarah.pk}/{sara.pk}/" in page_of(browser, f"/record/{sara.pk}/")
    compare = f"{where}{sarah.pk}/{sara.pk}/"
    shown = page_of(browser, compare)
    assert 'name="v-age" value="other"' in shown
    assert 'name="v-born"' not in shown  # both say the same
    assert "Both lists are kept" in shown
    seen = {"version-one": sarah.version, "version-other": sara.version}

    late = browser.post(compare, seen | {"version-one": 7, "stays": "one"})
    answer = browser.post(compare, seen | {"stays": "one", "v-name": "one", "v-age": "other"})

    assert late.status_code == 412
    merge = RecordMerge.objects.get()
    assert answer.url == f"{where}?joined={merge.pk}"
    sarah.refresh_from_db()
    assert sarah.data == {"name": "Sarah Silva", "born": "1996-03-04", "age": 29, "tags": ["a", "b"]}
    assert f"/joined/{merge.pk}/undo/" in page_of(browser, answer.url)
    assert "took in “Sara Silva”" in page_of(browser, f"{where}?view=joined")
    browser.post(f"/records/{collection.pk}/joined/{merge.pk}/undo/")
    sarah.refresh_from_db()
    assert sarah.data["age"] == 28
    assert Record.objects.get(pk=sara.pk).deleted_at is None


def test_pair_is_kept_apart_from_the_page(browser, collection, pair):
    sarah, sara = pair
    browser.post(f"/records/{collection.pk}/duplicates/{sarah.pk}/{sara.pk}/", {"act": "apart"})

    assert Duplicate.objects.get().status == DuplicateStatus.APART
    assert "No two look the same" in page_of(browser, f"/records/{collection.pk}/duplicates/")


def test_card_names_the_record_that_a_suggestion_may_be(browser, me, project, collection, pair):
    posted = say(me, start(me, project), "Sarah Silva was born on 1996-03-04").message
    run = read_as(
        me,
        project,
        {"collection": "people", "id": "1", "fields": {"name": "Sarah Silva", "born": "1996-03-04"}},
        message_id=posted.pk,
    )

    card = page_of(browser, f"/review/runs/{run.pk}/")

    assert f'data-proposal-into-param="{pair[0].pk}"' in card
    assert "Keep both" in card


def test_strangers_and_readers_change_nothing(project, collection, pair):
    sarah, sara = pair
    compare = f"/records/{collection.pk}/duplicates/{sarah.pk}/{sara.pk}/"
    stranger, reader = Client(), Client()
    stranger.force_login(UserFactory())
    reader.force_login(reader_of(project))

    for path in ("duplicates/", "import/", "export/", "bring-along/"):
        assert stranger.get(f"/records/{collection.pk}/{path}").status_code == 404
    assert stranger.get(compare).status_code == 404
    assert "This record stays" not in page_of(reader, compare)
    seen = {"version-one": sarah.version, "version-other": sara.version}
    assert reader.post(compare, seen).status_code == 403
    assert reader.get(f"/records/{collection.pk}/import/").status_code == 403
    assert not RecordMerge.objects.exists()


# Files in and out


def test_table_is_imported_through_its_columns_and_exported_again(browser, collection):
    rows = "Full name;Age;Nonsense\nNuno;34;x\nOdete;who knows;y\nRita;41;z\n;;\n"
    answer = browser.post(f"/records/{collection.pk}/import/", {"file": SimpleUploadedFile("cast.csv", rows.encode())})
    file = File.objects.get()
    assert answer.url == f"/records/{collection.pk}/import/{file.pk}/"
    columns = page_of(browser, answer.url)
    assert "Nuno · Odete · Rita" in columns
    assert '<option value="age" selected>' in columns
    assert "Guessed from" not in columns

    refused = browser.post(answer.url, {"c-0": "age", "c-1": "age"})
    begun = browser.post(answer.url, {"c-0": "name", "c-1": "age", "c-2": "", "on_duplicate": "list", "language": "en"})
    work()

    assert refused.status_code == 400
    operation = Operation.objects.get()
    assert begun.url == f"/operations/{operation.pk}/"
    assert operation.dry_run["found"]["bad"] == 1
    assert "2 of 4 rows fit. 1 blank row is left out." in page_of(browser, begun.url)
    browser.post(f"{begun.url}start/")
    engine.run_all()
    assert set(Record.objects.values_list("title", flat=True)) == {"Nuno", "Rita"}

    address = f"/records/{collection.pk}/export/?where=age:over:35"
    form = page_of(browser, address)
    assert "A file holds at most 50,000 records" in form
    key = re.search(r'name="key" value="([^"]+)"', form)[1]
    said = {"which": "all", "format": "json", "key": key}
    wrong = browser.post(address, {**said, "limit-concurrency": "0"})
    assert (wrong.status_code, Operation.objects.count()) == (400, 1)
    assert 'name="format" value="json" checked' in wrong.content.decode()
    assert 'name="which" value="all" checked' in wrong.content.decode()
    said |= {"which": "shown", "limit-concurrency": "2"}
    made, again = (browser.post(address, said) for _press in range(2))
    assert made.url == again.url, "two presses of the button make one file"
    assert Operation.objects.get(kind="records.export").concurrency == 2
    work()
    shown = page_of(browser, made.url)
    exported = File.objects.exclude(pk=file.pk).get()
    assert f"/files/{exported.pk}/?download" in shown
    content = b"".join(browser.get(f"/files/{exported.pk}/?download").streaming_content)
    assert [row["name"] for row in json.loads(content)] == ["Rita"]


def test_how_numbers_are_written_is_guessed_and_can_be_said_otherwise(browser, collection):
    rows = "Name;Age\nNuno;34,0\nRita;41,0\n"
    answer = browser.post(f"/records/{collection.pk}/import/", {"file": SimpleUploadedFile("cast.csv", rows.encode())})

    guessed = page_of(browser, answer.url)
    refused = browser.post(answer.url, {"c-0": "age", "c-1": "age", "language": "en"}).content.decode()

    assert ('<option value="de" selected>' in guessed, "Guessed from the first rows." in guessed) == (True, True)
    assert ('<option value="en" selected>' in refused, "Guessed from" in refused) == (True, False)


def test_file_that_is_no_table_is_refused_where_it_was_chosen(browser, collection):
    answer = browser.post(f"/records/{collection.pk}/import/", {"file": SimpleUploadedFile("x.xlsx", b"PK no")})

    assert answer.status_code == 400
    assert "Choose a file" in browser.post(f"/records/{collection.pk}/import/").content.decode()


# Another schema


def test_records_are_brought_along_after_their_fields_changed(browser, me, project, collection):
    record(me, collection, name="Sarah", age=28)
    renamed = {**PEOPLE["properties"], "years": {"type": "integer", "x-was": "age"}}
    del renamed["age"]
    services.change_collection(
        actor=me, collection_id=collection.pk, changes={"document": {**PEOPLE, "properties": renamed}}
    )
    where = f"/records/{collection.pk}/bring-along/"
    assert "1 record was written with earlier fields" in page_of(browser, where)
    assert where in page_of(browser, f"/records/{collection.pk}/")

    begun = browser.post(where)
    work()
    assert "1 of 1 records follow" in page_of(browser, begun.url)
    browser.post(f"{begun.url}start/")
    work()

    assert Record.objects.get().data == {"name": "Sarah", "years": 28}
    assert "All records have the fields of today" in page_of(browser, where)
    assert Collection.objects.get(pk=collection.pk).schema_number == 2
