"""Records out of many files: each read once, whatever happens to who reads it."""

import asyncio
import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from apps.accounts import quotas
from apps.accounts.types import SYSTEM
from apps.bulk import runner, services
from apps.bulk.models import Item
from apps.core import preferences
from apps.core.doors.bulk_kinds import BulkScope, TryLater, Work, bulk_kinds
from apps.core.errors import Invalid
from apps.extraction import services as extraction
from apps.extraction.models import ExtractionRun, Proposal, Record
from apps.extraction.selectors import list_due_runs
from apps.extraction.types import ExtractionFailed
from apps.files.models import File
from apps.llm import engine as llm
from apps.llm import routing
from apps.llm.models import Model
from tests.accounts.factories import actor_of
from tests.accounts.test_quotas import TEN, allow
from tests.bulk.factories import counts, fresh, planned
from tests.bulk.test_runner import until
from tests.extraction.factories import people
from tests.files.factories import upload
from tests.llm.factories import set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)

ANSWER = json.dumps({"entities": [{"collection": "people", "id": "e1", "fields": {"name": "Sarah"}}], "links": []})


def called(kind, work):
    """As the runner calls, on a loop that ends."""

    async def call():
        async with llm.own_loop():
            return await kind.call(work)

    return asyncio.run(call())


@pytest.fixture
def me(owner, project, provider):
    routing.forget()
    set_defaults(stub_model(provider, organization=project.organization))
    return actor_of(owner)


def test_each_file_is_read_and_what_fails_says_why(me, owner, project, provider, client):
    people(me, project)
    odd = ANSWER.replace('"name": "Sarah"', '"name": "Sarah", "shoe": "blue"')
    provider.script({"text": odd}, {"text": odd})
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
    client.force_login(owner)
    page = client.get(f"/operations/{operation.pk}/").content.decode()
    ways = re.findall(r'<a href="([^"]+)">1 suggested record · 1 value without a place</a>', page)
    assert sorted(ways) == sorted(
        f"/review/runs/{run.pk}/unplaced/" for run in ExtractionRun.objects.filter(status="completed")
    )
    left = client.get(ways[0]).content.decode()
    assert ("“blue”" in left, f"/files/{several[0].pk}/" in left or f"/files/{several[1].pk}/" in left) == (True, True)


def test_file_that_was_read_is_not_read_again(me, owner, project, provider):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    provider.script({"text": ANSWER})
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    scope = BulkScope(file.pk, project.organization_id, project.pk, me, params)
    work = Work(scope, file.pk, 1, {}, file.pk, 1, "operation:1")
    kind = bulk_kinds.get("extraction.from_files")
    first = kind.apply(work, called(kind, work))
    second = kind.apply(work, called(kind, work))

    assert first == second
    assert ExtractionRun.objects.get().status == "completed"
    assert Proposal.objects.count() == 1


def test_cancelled_nothing_is_written_and_the_call_is_over(me, owner, project, provider):
    people(me, project, trust="accept")
    file = upload(owner, project, b"Sarah, a journalist.")
    provider.script({"text": ANSWER, "hang": 2}, {"text": ANSWER})
    operation = planned(me, project, "extraction.from_files", attachments=[str(file.pk)])
    runner.runner().submit()
    provider.wait_for(lambda stats: stats["calls"], seconds=20)

    services.cancel_operation(actor=me, operation_id=operation.pk)
    until(lambda: fresh(operation).status == "cancelled")
    runner.close()

    run = ExtractionRun.objects.get()
    assert (counts(operation), run.status, run.error_code) == ({"cancelled": 1}, "failed", "cancelled")
    assert (Proposal.objects.count(), Record.objects.count()) == (0, 0)
    assert provider.calls[0]["client_closed_at"] is not None
    assert list_due_runs(older_than=timedelta(0)) == []


def test_what_may_be_over_soon_is_asked_again(me, owner, project, provider):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    provider.script({"status": 429, "headers": {"retry-after": "60"}}, {"text": ANSWER})
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    work = Work(BulkScope(file.pk, project.organization_id, project.pk, me, params), file.pk, 1, {}, file.pk, 1, "o:1")
    kind = bulk_kinds.get("extraction.from_files")

    with pytest.raises(TryLater) as later:
        called(kind, work)

    assert (later.value.code, later.value.rests, later.value.seconds) == ("rate_limited", True, 60)


def test_file_waits_for_the_quota_of_who_asked(me, owner, project, provider, settings):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    work = Work(BulkScope(file.pk, project.organization_id, project.pk, me, params), file.pk, 1, {}, file.pk, 1, "o:1")
    settings.PARLANCE_LIMITS = TEN
    allow(project.organization, answers_an_hour=1)
    with transaction.atomic():
        quotas.take_answer(actor=me, organization_id=project.organization_id)

    with pytest.raises(TryLater) as later:
        called(bulk_kinds.get("extraction.from_files"), work)

    assert (later.value.is_free, provider.calls) == (True, [])
    preferences.forget_kept()


def test_file_waits_until_its_words_are_there(me, owner, project, provider):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    File.objects.filter(pk=file.pk).update(text_state="pending")
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    work = Work(BulkScope(file.pk, project.organization_id, project.pk, me, params), file.pk, 1, {}, file.pk, 1, "o:1")

    with pytest.raises(TryLater) as later:
        called(bulk_kinds.get("extraction.from_files"), work)

    assert (later.value.is_free, provider.calls, ExtractionRun.objects.exists()) == (True, [], False)


def test_cost_is_estimated_by_what_there_is_to_read(me, owner, project, provider):
    people(me, project)
    Model.objects.update(input_price_per_million_tokens=10, output_price_per_million_tokens=40)
    file = upload(owner, project, b"Sarah. " * 4000)

    operation = planned(me, project, "extraction.from_files", start=False, attachments=[str(file.pk)])

    estimate = fresh(operation).dry_run["estimate"]
    assert Decimal("0.1") < Decimal(estimate["cost"]) < Decimal("0.2")
    assert "1 calls" in estimate["basis"]


def test_runs_that_were_left_lying_end(me, owner, project, provider):
    people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    params = {"project_id": project.pk, "collections": [], "file_id": file.pk, "effect_key": "o:1"}
    run = extraction.begin_run(actor=me, **params)

    assert extraction.fail_left_lying(actor=SYSTEM) == 0
    ExtractionRun.objects.update(
        updated_at=timezone.now() - timedelta(hours=1), created_at=timezone.now() - timedelta(hours=1)
    )
    assert extraction.fail_left_lying(actor=SYSTEM) == 1

    assert ExtractionRun.objects.get().error_code == "worker_lost"
    assert extraction.begin_run(actor=me, **params).status == "queued"
    assert ExtractionRun.objects.get().pk == run.pk


def test_what_the_model_refuses_fails_with_its_reason(me, owner, project, provider):
    collection = people(me, project)
    file = upload(owner, project, b"Sarah, a journalist.")
    provider.script({"status": 401}, {"text": ANSWER})
    params = {"attachments": [str(file.pk)], "collections": [str(collection.pk)]}
    work = Work(BulkScope(file.pk, project.organization_id, project.pk, me, params), file.pk, 1, {}, file.pk, 1, "o:1")
    kind = bulk_kinds.get("extraction.from_files")

    with pytest.raises(ExtractionFailed) as refused:
        kind.apply(work, called(kind, work))

    assert refused.value.code == "extraction_failed"
    assert "auth" in refused.value.detail
    assert kind.apply(work, called(kind, work)).result["suggestions"] == 1, "whoever tries again is answered"


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
