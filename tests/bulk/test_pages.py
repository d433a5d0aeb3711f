"""Pages of operations, downloads and the live topic: what is shown is what is in the rows."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.bulk import engine, services
from apps.bulk.exporters import rows as exported
from apps.bulk.invariants import check_counts, check_ended_are_whole, check_items_end
from apps.bulk.metrics import _items, _operations
from apps.bulk.models import Item, Operation
from apps.bulk.topics import OperationTopic
from apps.core.doors.exporters import ExportScope
from apps.core.doors.topics import TopicEvent
from apps.core.errors import NotFound
from apps.core.ids import uuid7
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, member_of
from tests.bulk.factories import fresh, planned, ran

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client, owner, project):
    client.force_login(owner)
    return client


def content(answer):
    return b"".join(answer.streaming_content).decode()


def test_plan_is_shown_then_started_from_the_page(browser, project, actor):
    operation = planned(actor, project, start=False, count=3, cost="0.5")
    page = browser.get(f"/operations/{operation.pk}/").content.decode()
    assert "0 of 3 items" in page
    assert "note 2" in page
    assert "The price of a note." in page

    answer = browser.post(f"/operations/{operation.pk}/start/", follow=True)
    engine.run_all()

    assert answer.status_code == 200
    assert "3 of 3 items" in browser.get(f"/operations/{operation.pk}/now/").content.decode()
    assert "Completed" in browser.get("/operations/").content.decode()


def test_failures_are_grouped_and_retried_from_the_page(browser, project, actor):
    operation = ran(actor, project, count=10, fail_every=5)
    page = browser.get(f"/operations/{operation.pk}/").content.decode()
    assert "Completed with failures" in page
    assert "Retry 2 items" in page
    failed = browser.get(f"/operations/{operation.pk}/?code=not_found").content.decode()
    assert failed.count('data-kind="bad">Failed') == 2

    Operation.objects.update(params={"count": 10})
    browser.post(f"/operations/{operation.pk}/retry/")
    engine.run_all()

    assert fresh(operation).status == "completed"


def test_undo_leads_to_the_operation_that_undoes(browser, project, actor):
    operation = ran(actor, project, count=2)

    answer = browser.post(f"/operations/{operation.pk}/undo/")

    assert answer["Location"] == f"/operations/{Operation.objects.get(undoes=operation).pk}/"
    undoing = browser.get(answer["Location"]).content.decode()
    assert "Undo: Notes" in undoing
    assert f'<a href="/operations/{operation.pk}/">' in undoing
    undone = browser.get(f"/operations/{operation.pk}/").content.decode()
    assert "/undo/" not in undone
    assert f'<a href="{answer["Location"]}">' in undone


def test_retry_is_there_without_any_failure(browser, project, actor):
    """Out of time, an undoing that was cancelled half-way, and one whose plan failed: each can be taken up again, so each has the button."""
    late = planned(actor, project, count=3, deadline=timezone.now() + timedelta(hours=1))
    Operation.objects.filter(pk=late.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    services.expire_late(actor=SYSTEM)
    done = [ran(actor, project, count=count) for count in (4, 5)]
    half, unplanned = (services.undo_operation(actor=actor, operation_id=each.pk) for each in done)
    services.cancel_operation(actor=actor, operation_id=half.pk)
    Operation.objects.filter(pk=unplanned.pk).update(status="failed", planned_at=None)

    pages = [browser.get(f"/operations/{each.pk}/").content.decode() for each in (late, half, unplanned)]

    assert [fresh(each).failed for each in (late, half)] == [0, 0]
    assert ["/retry/" in page for page in pages] == [True, True, True]
    assert "Retry 3 items" in pages[0]
    assert "Retry 4 items" in pages[1]
    for each in (late, half, unplanned):
        assert browser.post(f"/operations/{each.pk}/retry/").status_code == 302
        assert fresh(each).status in {"running", "draft"}


def test_cancel_and_undo_ask_first_with_counts(browser, project, actor):
    operation = planned(actor, project, count=6)
    engine.run_batch(services.claim_batch(actor=SYSTEM, lane="inside", at_most=4))
    page = browser.get(f"/operations/{operation.pk}/").content.decode()
    asked = browser.get(f"/operations/{operation.pk}/now/?ask=cancel").content.decode()

    assert "/cancel/" not in page
    assert 'href="?ask=cancel#sure"' in page
    assert "4 items have ended and stay as they are. 2 items will not run." in asked
    assert f'action="/operations/{operation.pk}/cancel/"' in asked

    services.cancel_operation(actor=actor, operation_id=operation.pk)
    asked = browser.get(f"/operations/{operation.pk}/?ask=undo").content.decode()
    assert "What 4 items did is taken back." in asked
    assert f'action="/operations/{operation.pk}/undo/"' in asked
    assert "/cancel/" not in browser.get(f"/operations/{operation.pk}/?ask=cancel").content.decode()


@pytest.mark.parametrize("path", ["", "now/", "results/"])
def test_pages_are_hidden_from_others(client, project, actor, path):
    operation = planned(actor, project, start=False, count=2)
    colleague, stranger = member_of(project), UserFactory()
    ProjectFactory(owner=stranger)

    for who in (colleague, stranger):
        client.force_login(who)
        assert client.get(f"/operations/{operation.pk}/{path}").status_code == 404
        assert client.post(f"/operations/{operation.pk}/cancel/").status_code == 404
    assert fresh(operation).status == "planned"


def test_unknown_act_is_no_page(browser, project, actor):
    operation = planned(actor, project, start=False, count=2)

    assert browser.post(f"/operations/{operation.pk}/explode/").status_code == 404


def test_results_and_errors_are_downloaded_as_lines_and_as_a_table(browser, api, project, actor):
    operation = ran(actor, project, count=10, fail_every=5)
    Item.objects.filter(number=5).update(error_detail="=1+1")
    where = f"/api/v1/bulk-operations/{operation.pk}/results/"

    lines = [json.loads(line) for line in content(api.get(where, {"of": "results"})).splitlines()]
    table = list(csv.DictReader(io.StringIO(content(api.get(where, {"format": "csv", "of": "errors"})))))
    page = browser.get(f"/operations/{operation.pk}/results/?format=csv")

    assert [line["number"] for line in lines] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert lines[0]["result"] == {"found": None, "number": 1}
    assert [(row["number"], row["code"], row["detail"]) for row in table] == [
        ("5", "not_found", "'=1+1"),
        ("10", "not_found", "There is nothing here, or it is not shared with you."),
    ]
    assert page["Content-Disposition"] == f'attachment; filename="operation-{operation.pk}-all.csv"'
    assert len(content(page).splitlines()) == 11
    assert api.get(where, {"format": "xml"}).status_code == 400


def test_topic_tells_the_counts_to_whoever_sees_the_operation(project, actor):
    operation = ran(actor, project, count=4)
    topic, stranger = OperationTopic(), actor_of(member_of(project))

    snapshot = topic.snapshot(actor, operation.pk)
    event = TopicEvent(uuid7(), 9, "job.completed", "bulk.operation_completed", {"succeeded": 4}, operation.pk, None)

    assert topic.is_allowed(actor, operation.pk)
    assert not topic.is_allowed(stranger, operation.pk)
    assert snapshot.data["operation"]["counts"]["succeeded"] == 4
    assert snapshot.topic_position >= 4
    assert topic.render(actor, operation.pk, [event])[0]["operation"]["status"] == "completed"
    with pytest.raises(NotFound):
        topic.snapshot(stranger, operation.pk)


def test_gauges_count_what_has_not_ended(project, actor):
    planned(actor, project, count=3)
    ran(actor, ProjectFactory(organization=project.organization), "sample.nothing", count=2)
    planned(actor, project, start=False, count=5)

    assert dict(_operations()) == {("planned",): 1.0}
    assert dict(_items())[("pending",)] == 5.0


def test_invariants_see_what_is_wrong(project, actor):
    operation = ran(actor, project, count=3)
    assert [check() for check in (check_counts, check_items_end, check_ended_are_whole)] == [[], [], []]

    Item.objects.filter(number=1).update(status="running", lease_until="2020-01-01T00:00:00Z")
    Operation.objects.update(succeeded=2, running=1)
    assert [str(operation.pk) in found.detail for found in check_ended_are_whole()] == [True]
    assert len(check_items_end()) == 1
    Operation.objects.update(succeeded=1, running=2)
    assert [str(operation.pk) in found.detail for found in check_counts()] == [True]


def test_export_has_what_the_viewer_sees(project, actor):
    operation = ran(actor, project, count=3)
    scope = ExportScope(actor, project.organization_id, project.pk)
    elsewhere = ExportScope(actor_of(member_of(project)), project.organization_id)

    assert [(row["id"], row["counts"]["succeeded"]) for row in exported(scope)] == [(str(operation.pk), 3)]
    assert list(exported(elsewhere)) == []


def test_operators_brake_from_the_admin(client, project, actor):
    operation = planned(actor, project, count=3)
    operator = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(operator)
    where = "/admin/bulk/operation/"
    assert client.get(where).status_code == 200

    client.post(where, {"action": "pause", "_selected_action": [str(operation.pk)]})
    assert fresh(operation).status == "paused"
    client.post(where, {"action": "cancel", "_selected_action": [str(operation.pk)]})

    assert fresh(operation).status == "cancelled"
    assert SYSTEM.user_id is None


def test_why_items_failed_or_were_left_out_is_said_in_sentences(browser, project, actor):
    operation = ran(actor, project, count=10, fail_every=5)
    Item.objects.filter(number=5).update(error_code="worker_lost", error_detail="")
    Item.objects.filter(number=10).update(error_code="internal_error", error_detail="")
    Item.objects.filter(number=1).update(status="skipped", result={"skipped": "changed_since_planned"})
    Operation.objects.update(causes={"worker_lost": 1, "internal_error": 1}, succeeded=7, skipped=1)

    page = browser.get(f"/operations/{operation.pk}/").content.decode()
    left_out = browser.get(f"/operations/{operation.pk}/?reason=changed_since_planned").content.decode()

    assert page.count("The workers that had it stopped, three times. Try it again.") == 2
    assert page.count("It failed on our side, and nothing of it was kept.") == 2
    assert page.count("It was changed since this was planned") == 2, "beside its item, and counted by reason"
    assert '<b class="num">1</b><a class="button quiet small" href="?reason=changed_since_planned">' in page
    assert left_out.count('<td class="num">1</td>') == 1
    assert '<td class="num">5</td>' not in left_out
    for code in (">worker_lost", ">internal_error", ">changed_since_planned"):
        assert code not in page


def test_results_are_shown_as_people_read_them(browser, project, actor):
    operation = ran(actor, project, count=1)
    result = {"ok": True, "none": None, "names": ["Ana", "Rui"], "more": {"a": [1, None]}, "word": "plain"}
    Item.objects.filter(operation=operation).update(result=result)

    page = browser.get(f"/operations/{operation.pk}/").content.decode()

    for said in ("<b>ok</b> Yes", "<b>none</b> -", "<b>names</b> Ana, Rui", "<b>word</b> plain"):
        assert said in page
    assert "<b>more</b> {&quot;a&quot;: [1, null]}" in page
