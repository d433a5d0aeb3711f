"""A package of collections: records as JSON and CSV, documents as PDF, and what is not in it by name."""

import csv
import io
import json
import zipfile
from uuid import UUID

import pytest

from apps.accounts.types import ProjectRole
from apps.bulk import services as operations
from apps.bulk.models import Item
from apps.core.errors import Invalid
from apps.extraction import services
from apps.extraction.models import Collection
from apps.files import selectors as files
from apps.files import storage
from tests.accounts.factories import actor_of, add_to_project, member_of
from tests.bulk.factories import counts, ran
from tests.extraction.factories import people, places, record

pytestmark = pytest.mark.django_db


def _places(project):
    return Collection.objects.get(project=project, slug="places")


def opened(me, operation):
    item = Item.objects.get(operation=operation)
    file = files.get_file(file_id=UUID(item.result["attachment"]), viewer=me)
    content = storage.location(files.content_of(file).path).read_bytes()
    return item.result, zipfile.ZipFile(io.BytesIO(content))


def test_package_holds_records_and_documents(me, project):
    collection = people(me, project)
    lisbon = record(me, _places(project), name="Lisbon")
    record(me, collection, name="=Sarah", lives_in=str(lisbon.pk))
    record(me, collection, name="Tomás", age=31)
    services.make_template(actor=me, collection_id=collection.pk, name="Sheet", source="# {{ record.name }}\n")

    operation = ran(me, project, "records.package", collections=["people", "places"], name="Production package")

    assert counts(operation) == {"succeeded": 1}
    result, archive = opened(me, operation)
    assert result["name"] == "production-package.zip"
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == [
        "documents/people-sheet.pdf",
        "index.json",
        "records/people.csv",
        "records/people.json",
        "records/places.csv",
        "records/places.json",
    ]
    assert archive.read("documents/people-sheet.pdf").startswith(b"%PDF")
    rows = list(csv.DictReader(io.StringIO(archive.read("records/people.csv").decode("utf-8-sig"))))
    assert [(row["name"], row["lives_in"]) for row in rows] == [("'=Sarah", "Lisbon"), ("Tomás", "")]
    said = json.loads(archive.read("records/people.json"))
    assert said[0]["lives_in"] == str(lisbon.pk)
    index = json.loads(archive.read("index.json"))
    assert index["records"] == {"people": 2, "places": 1}
    assert index["left_out"] == []


def test_package_says_no_title_of_what_is_closed_to_its_asker(me, project):
    collection = people(me, project)
    lisbon = record(me, _places(project), name="Lisbon")
    record(me, collection, name="Sarah", lives_in=str(lisbon.pk))
    Collection.objects.filter(slug="places").update(visibility="named")
    editor = member_of(project)
    add_to_project(editor, project, role=ProjectRole.EDITOR)

    operation = ran(actor_of(editor), project, "records.package", name="All")

    _result, archive = opened(actor_of(editor), operation)
    assert [name for name in archive.namelist() if "places" in name] == []
    assert b"Lisbon" not in archive.read("records/people.csv")
    with pytest.raises(Invalid):
        ran(actor_of(editor), project, "records.package", collections=["places"])


def test_document_that_cannot_be_made_is_named(me, project):
    collection = places(me, project)
    record(me, collection, name="Lisbon")
    services.make_template(actor=me, collection_id=collection.pk, name="Broken", source="{{ 1 / 0 }}")

    operation = ran(me, project, "records.package", name="All")

    result, archive = opened(me, operation)
    assert [each["what"] for each in result["left_out"]] == ["documents/places-broken.pdf"]
    assert json.loads(archive.read("index.json"))["left_out"] == result["left_out"]
    assert "documents/places-broken.pdf" not in archive.namelist()


@pytest.mark.parametrize(
    "params", [{"collections": ["nothing"]}, {"collections": "x"}, {"name": ""}, {"colour": "x"}, {}]
)
def test_what_is_asked_for_wrongly_is_refused(me, project, params):
    if params:
        places(me, project)

    with pytest.raises(Invalid):
        operations.create_operation(actor=me, project_id=project.pk, kind="records.package", params=params)
