"""Pages of operations, downloads and the live topic: what is shown is what is in the rows."""

import csv
import io
import json

import pytest

from apps.accounts.types import SYSTEM
from apps.bulk import engine
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
    assert "Retry 2 failed" in page
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
    assert "Undo: Notes" in browser.get(answer["Location"]).content.decode()
    assert "/undo/" not in browser.get(f"/operations/{operation.pk}/").content.decode()


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


def test_results_are_shown_as_people_read_them(browser, project, actor):
    operation = ran(actor, project, count=1)
    result = {"ok": True, "none": None, "names": ["Ana", "Rui"], "more": {"a": [1, None]}, "word": "plain"}
    Item.objects.filter(operation=operation).update(result=result)

    page = browser.get(f"/operations/{operation.pk}/").content.decode()

    for said in ("<b>ok</b> Yes", "<b>none</b> -", "<b>names</b> Ana, Rui", "<b>word</b> plain"):
        assert said in page
    assert "<b>more</b> {&quot;a&quot;: [1, null]}" in page
