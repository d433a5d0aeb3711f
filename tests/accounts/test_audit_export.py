"""The audit log as a file: whole, checkable by whoever holds it, and no formula for a spreadsheet."""

import csv
import hashlib
import io
import json

import pytest
import rfc8785
from django.test import Client

from apps.accounts import audit
from apps.accounts.models import AuditEntry
from apps.accounts.services import projects
from apps.accounts.types import OrganizationRole
from apps.core.eventlog.consumers import logged
from apps.core.models import Event
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of, bearer, join, key_of, member_of

NAMES = ["previous", "digest"]


def record_all():
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        audit.record(logged(row))


@pytest.fixture
def owner(db):
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner, monkeypatch):
    monkeypatch.setattr("apps.accounts.audit_export.BATCH", 3)
    project = ProjectFactory(owner=owner)
    for number in range(7):
        projects.change_project(actor=actor_of(owner), project_id=project.pk, name=f"Plan {number}")
    record_all()
    return project


def export(client, user, project, **query):
    asked = {"organization": project.organization_id} | query
    answer = client.get("/api/v1/audit/export/", asked, headers=bearer(key_of(user, project.organization)))
    return answer, b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_person_narrows_the_file_and_the_list(client, owner, project):
    manager = member_of(project, role=OrganizationRole.ADMIN)
    projects.change_project(actor=actor_of(manager), project_id=project.pk, name="Plan of the manager")
    record_all()
    asked = {"organization": project.organization_id, "person": manager.pk}
    key = bearer(key_of(owner, project.organization))

    listed = client.get("/api/v1/audit/", asked, headers=key).json()["results"]
    _answer, body = export(client, owner, project, format="json", person=manager.pk)

    assert [entry["action"] for entry in listed] == ["accounts.project_changed"]
    assert [entry["number"] for entry in json.loads(body)] == [entry["number"] for entry in listed]
    nobody = client.get("/api/v1/audit/", asked | {"person": project.pk}, headers=key).json()["results"]
    assert nobody == []


def test_json_can_be_checked_without_us(client, owner, project):
    answer, body = export(client, owner, project, format="json")
    entries = json.loads(body)

    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-')
    assert [entry["number"] for entry in entries] == list(range(1, AuditEntry.objects.count() + 1))
    previous = bytes(32).hex()
    for entry in entries:
        told = {name: value for name, value in entry.items() if name not in NAMES}
        assert entry["previous"] == previous
        assert hashlib.sha256(bytes.fromhex(previous) + rfc8785.dumps(told)).hexdigest() == entry["digest"]
        previous = entry["digest"]


def test_csv_has_the_same_rows(client, owner, project):
    _answer, as_json = export(client, owner, project, format="json")
    answer, body = export(client, owner, project)
    rows = list(csv.DictReader(io.StringIO(body.decode())))

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [(row["number"], row["digest"]) for row in rows] == [
        (str(entry["number"]), entry["digest"]) for entry in json.loads(as_json)
    ]


def test_cell_is_never_a_formula(client, owner, project):
    AuditEntry.objects.filter(number=2).update(correlation_id='=HYPERLINK("https://elsewhere.example")')

    _answer, body = export(client, owner, project)
    rows = list(csv.DictReader(io.StringIO(body.decode())))

    assert rows[1]["correlation"] == '\'=HYPERLINK("https://elsewhere.example")'


def test_filters_hold_and_the_empty_file_is_whole(client, owner, project):
    _answer, body = export(client, owner, project, format="json", action="accounts.project_changed")
    _answer, nothing = export(client, owner, project, format="json", action="accounts.unheard_of")

    assert {entry["action"] for entry in json.loads(body)} == {"accounts.project_changed"}
    assert json.loads(nothing) == []


def test_export_leaves_its_own_entry(client, owner, project):
    export(client, owner, project)

    told = Event.objects.get(type="accounts.audit_exported")
    assert (told.actor_id, told.payload["file_format"]) == (owner.pk, "csv")
    assert told.payload["organization_id"] == str(project.organization_id)


def test_members_may_not_and_strangers_learn_nothing(client, project):
    member, stranger = UserFactory(), UserFactory()
    join(member, project.organization, role=OrganizationRole.MEMBER)
    ProjectFactory(owner=stranger)
    elsewhere = {"organization": project.organization_id}

    refused, _body = export(client, member, project)
    own = ProjectFactory(owner=stranger)
    hidden = client.get("/api/v1/audit/export/", elsewhere, headers=bearer(key_of(stranger, own.organization)))

    assert (refused.status_code, hidden.status_code) == (403, 404)
    assert not Event.objects.filter(type="accounts.audit_exported").exists()


def test_page_saves_what_it_shows(owner, project):
    client = Client()
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})

    page = client.get("/settings/audit/", {"action": "accounts.project_changed"})
    saved = client.get("/settings/audit/export/", {"action": "accounts.project_changed", "format": "json"})

    assert "/settings/audit/export/?action=accounts.project_changed&amp;format=csv" in page.content.decode()
    entries = json.loads(b"".join(saved.streaming_content))
    assert {entry["action"] for entry in entries} == {"accounts.project_changed"}


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_export_of_a_page_takes_few_queries(client, owner, rows, django_assert_max_num_queries):
    project = ProjectFactory(owner=owner)
    for number in range(rows):
        projects.change_project(actor=actor_of(owner), project_id=project.pk, name=f"Plan {number}")
    record_all()
    key = bearer(key_of(owner, project.organization))

    with django_assert_max_num_queries(11):
        answer = client.get("/api/v1/audit/export/", {"organization": project.organization_id}, headers=key)
        list(answer.streaming_content)
