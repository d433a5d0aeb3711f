"""Operations over JSON: who may begin and steer them, who sees them, what they say."""

from dataclasses import replace

import pytest
from django.test import Client

from apps.accounts.types import ProjectRole
from apps.bulk import engine, policies, services
from apps.bulk.models import Item, Operation
from apps.bulk.topics import OperationTopic
from apps.core.models import Event
from tests.accounts.factories import (
    OrganizationFactory,
    ProjectFactory,
    UserFactory,
    actor_of,
    bearer,
    join,
    key_of,
    member_of,
    reader_of,
)
from tests.bulk.factories import counts, fresh, planned, ran, teams

pytestmark = pytest.mark.django_db
URL = "/api/v1/bulk-operations/"


def client_of(user, project, **options):
    return Client(headers=bearer(key_of(user, project.organization, **options)))


def create(api, project, kind="sample.notes", params=None, **fields):
    body = {"project": str(project.pk), "kind": kind, "params": params or {"count": 3}, **fields}
    return api.post(URL, body, content_type="application/json")


def act(api, pk, name):
    return api.post(f"{URL}{pk}/{name}/", {}, content_type="application/json")


def work_through():
    for pk in Operation.objects.filter(status="draft").values_list("pk", flat=True):
        engine.plan_operation(operation_id=pk)
    engine.run_all()


def test_created_planned_confirmed_and_done(api, project):
    made = create(api, project, params={"count": 4, "fail_every": 4, "cost": "0.25"}, currency="EUR")
    assert (made.status_code, made.json()["status"], made.json()["dry_run"]) == (202, "draft", None)
    where = f"{URL}{made.json()['id']}/"

    work_through()
    read = api.get(where).json()
    assert (read["status"], read["counts"]["pending"], read["dry_run"]["total"]) == ("planned", 4, 4)
    assert read["dry_run"]["estimate"]["cost"] == "1.00"
    started = act(api, read["id"], "start")
    assert (started.status_code, started.json()["status"]) == (202, "running")
    work_through()

    read = api.get(where).json()
    assert read["status"] == "completed_with_failures"
    assert {name: count for name, count in read["counts"].items() if count} == {"total": 4, "succeeded": 3, "failed": 1}
    assert read["cost"] == "0.75000000"
    assert read["causes"] == [
        {
            "code": "not_found",
            "count": 1,
            "example": "There is nothing here, or it is not shared with you.",
            "first_item": 4,
        }
    ]
    failed = api.get(f"{where}items/", {"status": "failed"}).json()["results"]
    assert [(item["number"], item["code"], item["attempts"]) for item in failed] == [(4, "not_found", 1)]
    assert [item["number"] for item in api.get(f"{where}items/", {"code": "not_found"}).json()["results"]] == [4]


def test_items_are_read_in_pages_by_number(api, project, actor):
    operation = planned(actor, project, count=5)

    first = api.get(f"{URL}{operation.pk}/items/", {"limit": 2}).json()
    second = api.get(f"{URL}{operation.pk}/items/", {"limit": 2, "cursor": first["next"]}).json()

    assert [item["number"] for item in first["results"] + second["results"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"kind": "no.such"}, 400, "unknown_kind"),
        ({"params": {"count": "many"}}, 400, "invalid"),
        ({"priority": "critical"}, 403, "forbidden"),
        ({"priority": "soon"}, 400, "invalid"),
        ({"budget": "-1"}, 400, "invalid"),
        ({"surprise": 1}, 400, "invalid"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(api, project, fields, status, code):
    answer = create(api, project, **fields)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Operation.objects.exists()


def test_same_key_is_the_same_operation(api, project):
    first = create(api, project, key="import-7")
    again = create(api, project, key="import-7")
    other = create(api, project, key="import-7", params={"count": 4})

    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "operation_key_reused")
    assert Operation.objects.count() == 1


def test_one_exclusive_operation_at_a_time_in_a_project(api, project):
    create(api, project, "sample.alone")

    second = create(api, project, "sample.alone")
    elsewhere = create(api, ProjectFactory(organization=project.organization), "sample.alone")

    assert (second.status_code, second.json()["code"]) == (409, "kind_is_exclusive")
    assert elsewhere.status_code == 202


def test_paused_resumed_and_paced(api, project, actor):
    operation = planned(actor, project, count=3)

    paused = act(api, operation.pk, "pause")
    assert (paused.status_code, paused.json()["status"], paused.json()["reason"]) == (202, "paused", "person")
    assert engine.run_all() == 0
    changed = api.patch(f"{URL}{operation.pk}/", {"priority": "low", "concurrency": 2}, content_type="application/json")
    assert (changed.json()["priority"], changed.json()["concurrency"]) == ("low", 2)
    resumed = act(api, operation.pk, "resume")
    engine.run_all()

    assert resumed.json()["status"] == "running"
    assert fresh(operation).status == "completed"
    refused = act(api, operation.pk, "pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "operation_state")
    assert refused.json()["status_of_operation"] == "completed"


def test_cancelled_keeps_what_succeeded(api, project, actor):
    operation = planned(actor, project, count=30)
    batch = services.claim_batch(actor=services_actor(), lane="inside", at_most=10)
    services.apply_items(actor=services_actor(), batch=batch, items=batch.items, seconds=60)

    cancelled = act(api, operation.pk, "cancel")

    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert counts(operation) == {"succeeded": 10, "cancelled": 20}
    assert (engine.run_all(), teams()) == (0, 10)
    assert act(api, operation.pk, "cancel").json()["code"] == "operation_state"


def test_items_that_run_when_it_is_cancelled_may_end(api, project, actor):
    operation = planned(actor, project, count=30)
    batch = services.claim_batch(actor=services_actor(), lane="inside", at_most=10)

    cancelled = act(api, operation.pk, "cancel")
    applied = services.apply_items(actor=services_actor(), batch=batch, items=batch.items, seconds=0)
    services.give_back(actor=services_actor(), batch=batch, items=applied.left)
    services.close_stopping(actor=services_actor())

    assert cancelled.json()["status"] == "stopping"
    assert (fresh(operation).status, counts(operation)) == ("cancelled", {"succeeded": 1, "cancelled": 29})


def services_actor():
    from apps.accounts.types import SYSTEM

    return SYSTEM


def test_only_what_failed_is_retried(api, project, actor):
    operation = ran(actor, project, count=10, fail_every=5)
    Operation.objects.update(params={"count": 10})

    retried = act(api, operation.pk, "retry")
    assert (retried.status_code, retried.json()["status"]) == (202, "running")
    engine.run_all()

    assert (fresh(operation).status, counts(operation), teams()) == ("completed", {"succeeded": 10}, 10)
    assert set(Item.objects.exclude(number__in=[5, 10]).values_list("fence", flat=True)) == {1}
    refused = act(api, operation.pk, "retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_retry")


def test_undo_takes_back_what_succeeded_the_last_first(api, project, actor):
    operation = ran(actor, project, count=6, fail_every=3)
    assert teams() == 4

    undone = act(api, operation.pk, "undo")
    engine.run_all()

    assert (undone.status_code, undone.json()["undoes"]) == (202, str(operation.pk))
    assert teams() == 0
    undoing = Operation.objects.get(pk=undone.json()["id"])
    assert (undoing.status, counts(undoing)) == ("completed", {"succeeded": 4})
    payloads = (
        Item.objects.filter(operation=undoing).order_by("number").values_list("payload__payload__number", flat=True)
    )
    assert list(payloads) == [5, 4, 2, 1]
    assert api.get(f"{URL}{operation.pk}/").json()["undone_by"] == str(undoing.pk)
    for pk in (operation.pk, undoing.pk):
        refused = act(api, pk, "undo")
        assert (refused.status_code, refused.json()["code"]) == (409, "undo_not_possible")


def test_kinds_and_what_they_did(api, project, actor):
    operation = ran(actor, project, count=6, fail_every=5, skip_every=3)

    kinds = {row["kind"]: row for row in api.get("/api/v1/jobs/").json()["results"]}
    stats = api.get("/api/v1/jobs/stats/", {"project": str(project.pk)}).json()["results"]

    assert (kinds["sample.notes"]["can_undo"], kinds["sample.calls"]["is_outside"]) == (True, True)
    assert [(row["kind"], row["operations"], row["with_failures"]) for row in stats] == [("sample.notes", 1, 1)]
    assert (stats[0]["items"]["succeeded"], stats[0]["items"]["failed"]) == (3, 1)
    assert (stats[0]["causes"], stats[0]["skips"]) == ({"not_found": 1}, {"there already": 2})
    where = f"{URL}{operation.pk}/"
    assert api.get(where).json()["skips"] == [{"reason": "there already", "count": 2}]
    left_out = api.get(f"{where}items/", {"reason": "there already"}).json()["results"]
    assert [item["number"] for item in left_out] == [3, 6]


def test_others_see_it_as_their_role_says(api, project):
    asker, colleague = member_of(project), member_of(project)
    operation = planned(actor_of(asker), project, start=False, count=3)

    assert client_of(asker, project).get(f"{URL}{operation.pk}/").status_code == 200
    assert api.get(f"{URL}{operation.pk}/").status_code == 200, "the owner manages the project"
    hidden = client_of(colleague, project)
    assert hidden.get(f"{URL}{operation.pk}/").status_code == 404
    assert hidden.get(f"{URL}{operation.pk}/items/").status_code == 404
    assert hidden.get(URL).json()["results"] == []
    assert act(hidden, operation.pk, "start").status_code == 404
    assert fresh(operation).status == "planned"


def test_readers_and_limited_keys_begin_nothing(project, owner):
    reader = client_of(reader_of(project), project)
    limited = client_of(owner, project, scopes=("bulk:read",))

    assert create(reader, project).status_code == 403
    assert create(limited, project).status_code == 403
    assert limited.get(URL).status_code == 200
    assert not Operation.objects.exists()


def test_key_without_the_scope_follows_nothing_either(project, owner, actor):
    operation = planned(actor, project, start=False, count=3)
    topic = OperationTopic()

    assert topic.is_allowed(actor, operation.pk)
    assert topic.is_allowed(replace(actor, scopes=frozenset({"bulk:read"})), operation.pk)
    assert not topic.is_allowed(replace(actor, scopes=frozenset({"models:read"})), operation.pk)
    assert not policies.can_view(replace(actor, scopes=frozenset({"models:read"})), operation, ProjectRole.MANAGER)


def test_stranger_finds_nothing(api, project, actor):
    operation = planned(actor, project, start=False, count=3)
    other = ProjectFactory(owner=UserFactory())
    stranger = client_of(member_of(other), other)
    before = Event.objects.filter(is_refusal=False).count()

    answers = [
        stranger.get(f"{URL}{operation.pk}/"),
        stranger.get(f"{URL}{operation.pk}/items/"),
        create(stranger, project),
    ]
    answers += [act(stranger, operation.pk, name) for name in ("start", "pause", "resume", "cancel", "retry", "undo")]
    answers.append(stranger.patch(f"{URL}{operation.pk}/", {"priority": "low"}, content_type="application/json"))

    assert {answer.status_code for answer in answers} == {404}
    assert stranger.get("/api/v1/jobs/stats/").json()["results"] == []
    assert (fresh(operation).status, Event.objects.filter(is_refusal=False).count()) == ("planned", before)


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_list_takes_at_most_six_queries(api, project, actor, rows, django_assert_max_num_queries):
    join(UserFactory(), OrganizationFactory())
    for _row in range(rows):
        services.create_operation(actor=actor, project_id=project.pk, kind="sample.notes", params={"count": 1})

    with django_assert_max_num_queries(6):
        answer = api.get(URL, {"limit": 100})

    assert len(answer.json()["results"]) == rows
