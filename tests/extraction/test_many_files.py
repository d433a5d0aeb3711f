"""Records out of many files: each read once, whatever happens to who reads it."""

import asyncio
import json

import pytest

from apps.bulk import runner
from apps.bulk.models import Item
from apps.core.doors.bulk_kinds import BulkScope, Work, bulk_kinds
from apps.core.errors import Invalid
from apps.extraction.models import ExtractionRun, Proposal
from apps.extraction.types import ExtractionFailed
from apps.llm import routing
from tests.accounts.factories import actor_of
from tests.bulk.factories import counts, fresh, planned
from tests.bulk.test_runner import until
from tests.extraction.factories import people
from tests.files.factories import upload
from tests.llm.factories import set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)

ANSWER = json.dumps({"entities": [{"collection": "people", "id": "e1", "fields": {"name": "Sarah"}}], "links": []})


@pytest.fixture
def me(owner, project, provider):
    routing.forget()
    set_defaults(stub_model(provider, organization=project.organization))
    return actor_of(owner)


def test_each_file_is_read_and_what_fails_says_why(me, owner, project, provider):
    people(me, project)
    provider.script({"text": ANSWER}, {"text": ANSWER})
    several = [
        upload(owner, project, b"Sarah, a journalist."),
        upload(owner, project, b"Sarah again."),
        upload(owner, project, b"  \n"),
    ]
    operation = planned(me, project, "extraction.from_files", attachments=[str(each.pk) for each in several])

    runner.runner().submit()
    until(lambda: fresh(operation).status == "completed_with_failures")
    runner.close()

    assert counts(operation) == {"succeeded": 2, "failed": 1}
    assert Item.objects.get(operation=operation, status="failed").error_code == "nothing_to_read"
    assert [each.result["suggestions"] for each in Item.objects.filter(operation=operation, status="succeeded")] == [
        1,
        1,
    ]
    assert Proposal.objects.count() == 2


def test_file_that_was_read_is_not_read_again(me, owner, project, provider):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    provider.script({"text": ANSWER})
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    scope = BulkScope(file.pk, project.organization_id, project.pk, me, params)
    work = Work(scope, file.pk, 1, {}, file.pk, 1, "operation:1")
    call = bulk_kinds.get("extraction.from_files").call

    first, second = asyncio.run(call(work)), asyncio.run(call(work))

    assert first == second
    assert ExtractionRun.objects.get().status == "completed"
    assert Proposal.objects.count() == 1


def test_what_the_model_refuses_fails_with_its_reason(me, owner, project, provider):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    provider.script({"status": 401}, {"text": ANSWER})
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    work = Work(BulkScope(file.pk, project.organization_id, project.pk, me, params), file.pk, 1, {}, file.pk, 1, "o:1")
    kind = bulk_kinds.get("extraction.from_files")

    with pytest.raises(ExtractionFailed) as refused:
        kind.apply(work, asyncio.run(kind.call(work)))

    assert refused.value.code == "extraction_failed"
    assert "auth" in refused.value.detail
    assert kind.apply(work, asyncio.run(kind.call(work))).result["suggestions"] == 1, "whoever tries again is answered"


def test_it_is_asked_for_with_files_that_are_there(me, owner, project):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah")
    check = bulk_kinds.get("extraction.from_files").check

    for field, params in (
        ("attachments", {}),
        ("attachments", {"attachments": ["x"]}),
        ("attachments", {"attachments": [str(collection.pk)]}),
        ("collections", {"attachments": [str(file.pk)], "collections": [str(file.pk)]}),
    ):
        with pytest.raises(Invalid) as refused:
            check(BulkScope(file.pk, project.organization_id, project.pk, me, params))
        assert refused.value.fields[0].field == f"params.{field}"
