"""Parameters of every registered kind with values of every wrong type: refused by name, or taken, never an error of ours."""

import json

import pytest
from django.test import Client

from apps.bulk import engine, services
from apps.bulk.models import Operation
from apps.core.doors.bulk_kinds import bulk_kinds
from apps.core.errors import DomainError
from apps.extraction.services import make_template
from tests.accounts.factories import actor_of, bearer, key_of
from tests.bulk.factories import fresh
from tests.extraction.factories import people, record
from tests.extraction.making import demo
from tests.files.factories import upload

__all__ = ["demo"]
pytestmark = pytest.mark.django_db

WRONG = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    1e308,
    "",
    "x",
    "x" * 100_000,
    "=1+1",
    "age:over:1e999",
    "00000000-0000-0000-0000-000000000000",
    [],
    ["x"],
    [None],
    [[]],
    [{}],
    [1.5],
    ["age:over:1e999"],
    ["age:is:9e400"],
    ["tags:has:\\"],
    {},
    {"x": "y"},
    {"x": []},
    {"name": {}},
    {"age": 10**30},
    {"Name": []},
]


@pytest.fixture
def good(owner, project, demo):
    """Parameters that each kind takes."""
    me = actor_of(owner)
    collection = people(me, project)
    row = record(me, collection, name="Ana", age=3)
    template = make_template(actor=me, collection_id=collection.pk, name="Sheet", source="# {{ record.name }}")
    of = {"collection": str(collection.pk)}
    chosen = of | {"where": ["age:over:1"], "q": "Ana", "complete": True}
    table = str(upload(owner, project, b"Name,Age\nZoe,5\n", "people.csv").pk)
    imports = {
        "attachment": table,
        "columns": {"Name": "name"},
        "on_duplicate": "list",
        "format": "csv",
        "language": "en",
    }
    prompts = {"prompt": "Who is {name}?", "into": "age", "agent": "", "model": "", "only_empty": True, "view": ""}
    return {
        "files.delete_unused": {"older_than_days": 3},
        "files.read_again": {"older_than_days": 3},
        "records.import": of | imports,
        "records.update": chosen | {"data": {"age": 4}},
        "records.delete": of | {"ids": [str(row.pk)]},
        "records.migrate": of,
        "records.export": chosen | {"format": "csv"},
        "records.create": of | {"brief": "Sailors", "count": 2, "model": ""},
        "records.accept": of | {"sure": "sure"},
        "records.prompt": chosen | prompts,
        "records.render": chosen | {"template": str(template.pk), "as": "pdf"},
        "records.package": {"name": "All", "collections": ["people"]},
        "extraction.from_files": {"attachments": [table], "collections": [str(collection.pk)]},
    }


def plan(me, project, kind, params):
    """The code that refuses it, or how its plan ended. One of each exclusive kind at a time."""
    try:
        operation = services.create_operation(actor=me, project_id=project.pk, kind=kind, params=params)
    except DomainError as error:
        return error.code if error.status < 500 else "internal_error"
    engine.plan_operation(operation_id=operation.pk)
    found = fresh(operation)
    Operation.objects.filter(pk=found.pk).update(status="failed")
    return found.error_code or found.status


def test_every_kind_is_among_them(good):
    assert good.keys() == {name for name in bulk_kinds.names() if not name.startswith("sample")}


def test_good_parameters_are_planned(owner, project, good):
    assert {kind: plan(actor_of(owner), project, kind, params) for kind, params in good.items()} == dict.fromkeys(
        good, "planned"
    )


@pytest.mark.parametrize("kind", sorted(name for name in bulk_kinds.names() if not name.startswith("sample")))
def test_no_value_of_a_wrong_type_is_an_error_of_ours(owner, project, good, kind):
    me, params = actor_of(owner), good[kind]

    found = {}
    for name in [*params, "ids", "unknown"]:
        for value in WRONG:
            rest = {key: each for key, each in params.items() if name != "ids" or key not in {"where", "q", "complete"}}
            found[name, repr(value)[:40]] = plan(me, project, kind, rest | {name: value})

    assert [where for where, code in found.items() if code == "internal_error"] == []
    assert found["unknown", "'x'"] == "invalid"


def test_number_without_end_is_refused_at_the_door(owner, project, good):
    """``1e999`` is JSON, and no number that a column keeps; in an address it is no value of the field either."""
    api = Client(headers=bearer(key_of(owner, project.organization)))
    collection = good["records.migrate"]["collection"]
    params = {"collection": collection, "data": {"age": "END"}}
    bodies = [
        {"project": str(project.pk), "kind": "records.update", "params": params},
        {"collection": collection, "data": {"name": "A", "age": "END"}},
    ]
    first, second = (json.dumps(body).replace('"END"', "-1e999") for body in bodies)

    update = api.post("/api/v1/bulk-operations/", first, content_type="application/json")
    written = api.post("/api/v1/records/", second, content_type="application/json")
    asked = api.get(f"/api/v1/records/?collection={collection}&where=age:over:1e999")

    assert [each.status_code for each in (update, written, asked)] == [400, 400, 400]
    assert [each.json()["code"] for each in (update, written, asked)] == ["malformed", "malformed", "invalid"]
