"""What starts workflows by itself, over JSON and on the page: seen by all, paused by who works here, switched on by managers."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.workflows import services
from apps.workflows.models import Run, Secret, Start
from tests.accounts.factories import actor_of, bearer, key_of, reader_of
from tests.workflows.factories import defined, document, walked

pytestmark = pytest.mark.django_db
URL = "/api/v1/workflows/"
FAILS = [{"stop": {"raise": {"error": {"type": "https://example.org/x", "status": 418, "title": "Teapot"}}}}]


@pytest.fixture
def start(actor, project):
    definition = defined(actor, project, FAILS, schedule={"every": {"hours": 6}})
    return Start.objects.get(definition=definition)


def come(start):
    Start.objects.filter(pk=start.pk).update(next_at=timezone.now() - timedelta(seconds=1))
    services.begin_due_runs(actor=SYSTEM)


def test_listed_with_next_time_last_run_and_its_error(api, owner, project, start):
    come(start)
    run = walked(Run.objects.get())

    (row,) = api.get(f"{URL}starts/", {"project": str(project.pk)}).json()["results"]
    one = api.get(f"{URL}{start.definition_id}/start/").json()

    assert row == one
    assert (row["kind"], row["schedule"], row["status"]) == ("every", {"every": {"hours": 6}}, "active")
    assert row["armed_by"] == str(owner.pk)
    assert row["next_at"] > timezone.now().isoformat()
    assert (row["last_run"]["id"], row["last_run"]["status"]) == (str(run.pk), "failed")
    assert row["last_run"]["error"]["title"] == "Teapot"


def test_paused_and_switched_on(api, start):
    where = f"{URL}{start.definition_id}/start/"

    paused = api.post(f"{where}pause/").json()
    again = api.post(f"{where}pause/").json()
    on = api.post(f"{where}resume/").json()

    assert (paused["status"], paused["reason"], paused["next_at"]) == ("paused", "by_person", None)
    assert again == paused
    assert (on["status"], on["reason"]) == ("active", "")
    assert on["next_at"] is not None


def test_readers_see_it_and_change_nothing(project, start):
    reader = Client(headers=bearer(key_of(reader_of(project), project.organization)))
    where = f"{URL}{start.definition_id}/start/"

    assert reader.get(where).status_code == 200
    assert reader.post(f"{where}pause/").status_code == 403
    assert reader.post(f"{where}resume/").status_code == 403

    start.refresh_from_db()
    assert start.status == "active"


def test_definition_without_a_schedule_has_none(api, actor, project):
    made = defined(actor, project, FAILS)

    assert api.get(f"{URL}{made.pk}/start/").status_code == 404
    assert api.post(f"{URL}{made.pk}/start/pause/").status_code == 404
    assert api.get(f"{URL}starts/").json()["results"] == []


def test_page_shows_it_pauses_it_and_switches_it_on(owner, project, start):
    client = Client()
    client.force_login(owner)
    come(start)
    walked(Run.objects.get())
    where = f"/workflows/{start.definition_id}/"

    page = client.get(where).content.decode()
    assert "Starts by itself" in page
    assert "6 hours" in page
    assert "Teapot" in page
    assert client.post(f"{where}by-itself/pause/").status_code == 302
    assert "Somebody paused it." in client.get(where).content.decode()
    assert client.post(f"{where}by-itself/nonsense/").status_code == 404
    assert client.post(f"{where}by-itself/resume/").status_code == 302
    start.refresh_from_db()
    assert start.status == "active"


@pytest.mark.parametrize(
    ("schedule", "field", "code"),
    [
        ({"every": {"seconds": 5}}, "/schedule/every", "too_often"),
        ({"every": {"days": 500}}, "/schedule/every", "too_often"),
        ({"after": "soon"}, "/schedule/after", "invalid"),
        ({"cron": "every day"}, "/schedule/cron", "invalid"),
        ({"cron": "0 0 30 2 *"}, "/schedule/cron", "never"),
        ({"every": {"hours": 1}, "cron": "0 0 * * *"}, "/schedule", "one_of"),
        ({"on": {"any": []}}, "/schedule/on/any", "blank"),
        ({"on": {"any": [{"with": {"type": f"x{n}"}} for n in range(11)]}}, "/schedule/on/any", "too_many"),
        ({"on": {"one": {"with": {"source": "https://x.example"}}}}, "/schedule/on/one/with/type", "required"),
        ({"on": {"one": {"with": {"type": "${ true }"}}}}, "/schedule/on/one/with/type", "required"),
        ({"on": {"any": [{"with": {"type": "extraction.record_created"}}]}}, "/schedule/on/any/0/with/type", "unknown_event"),
        ({"on": {"any": [{"with": {"type": "x"}}], "until": "true"}}, "/schedule/on/until", "not_runnable"),
        ({"on": {"one": {"with": {"type": "x", "data": "${ . | }"}}}}, "/schedule/on/one/with/data", "unknown_expression"),
    ],
)  # fmt: skip
def test_wrong_schedules_say_where(api, project, schedule, field, code):
    said = {"project": str(project.pk), "document": document(FAILS, schedule=schedule)}

    refused = api.post(URL, said, content_type="application/json").json()

    assert (field, code) in [(each["field"], each["code"]) for each in refused["errors"]]
    assert not Start.objects.exists()


def test_it_leaves_with_an_export_and_is_told_to_the_person(actor, owner, project, start):
    from apps.core.doors.exporters import ExportScope, exporters, person_exporters

    scope = ExportScope(viewer=actor_of(owner), organization_id=project.organization_id, project_id=project.pk)
    (row,) = exporters.get("workflows").rows(scope)

    assert row["start"]["kind"] == "every"
    assert [each["kind"] for each in person_exporters.get("workflows").rows(owner.pk)["workflow_starts"]] == ["every"]


def test_it_goes_with_its_organization(actor, project, start):
    from apps.core.doors.erasers import erasers

    come(start)
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": "x"})

    erasers.get("workflows").erase_organization(project.organization_id)

    assert not Start.objects.exists()
    assert not Run.objects.exists()
    assert not Secret.objects.exists()
