import json
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client

from apps.accounts import audit
from apps.accounts.models import AuditEntry, Pseudonym
from apps.accounts.services import projects, sign_in_rules
from apps.accounts.types import OrganizationRole
from apps.conversations import services as conversations
from apps.core import crypto, preferences
from apps.core.doors.settings import Level
from apps.core.eventlog.consumers import logged
from apps.core.events import emit_refusal, event_kinds
from apps.core.models import Event
from apps.core.reference import load_everything
from tests import services
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, key_of, member_of, reader_of


def record_all():
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        audit.record(logged(row))


@pytest.fixture
def project(db):
    return ProjectFactory(owner=UserFactory(name="Ann"))


@pytest.fixture
def chain(project, settings, tmp_path):
    """Ten entries of one organization."""
    settings.DATA_DIR = tmp_path
    owner = actor_of(owner_of(project))
    for number in range(10):
        projects.change_project(actor=owner, project_id=project.pk, name=f"Name {number}")
    record_all()
    return project.organization_id


def owner_of(project):
    from apps.accounts.models import OrganizationMember, User

    return User.objects.get(pk=OrganizationMember.objects.get(organization=project.organization).user_id)


def verify_output():
    errors = StringIO()
    with pytest.raises(CommandError):
        call_command("audit", "verify", stderr=errors)
    return errors.getvalue().strip()


def test_chain_verifies_and_recording_twice_adds_nothing(chain):
    record_all()
    output = StringIO()

    call_command("audit", "verify", stdout=output)

    assert output.getvalue().strip() == "All chains are whole; 10 rows were read."
    assert list(AuditEntry.objects.order_by("number").values_list("number", flat=True)) == list(range(1, 11))


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (
            lambda rows: rows.filter(number=4).update(action="accounts.nothing"),
            "row 4 was changed after it was written",
        ),
        (lambda rows: rows.filter(number=4).delete(), "row 5 comes where number 4 is expected"),
        (
            lambda rows: AuditEntry.objects.bulk_create(
                [AuditEntry(**{**values(rows.get(number=10)), "number": 11, "event_id": rows.get(number=10).pk})]
            ),
            "row 11 does not follow the row before it",
        ),
        (lambda rows: swap(rows, 4, 5), "row 4 does not follow the row before it"),
    ],
    ids=["edit", "delete", "insert", "reorder"],
)
def test_verify_names_the_first_bad_row(chain, tamper, found):
    tamper(AuditEntry.objects.all())

    assert verify_output() == f"organization {chain}: {found}"


def values(row):
    found = {field.attname: getattr(row, field.attname) for field in AuditEntry._meta.fields}
    found.pop("id")
    return found


def swap(rows, one, other):
    rows.filter(number=one).update(number=1000)
    rows.filter(number=other).update(number=one)
    rows.filter(number=1000).update(number=other)


def test_cut_tail_is_missed_by_the_signed_head(chain):
    audit.write_heads()
    audit.write_heads()
    AuditEntry.objects.filter(number__gt=7).delete()

    assert len(audit.heads_path().read_text().splitlines()) == 1
    assert verify_output() == f"organization {chain}: row 8 is missing: the tail was cut"


def test_file_of_heads_keeps_the_newest_when_it_grows_long(chain, project, monkeypatch):
    monkeypatch.setattr(audit, "MOST_HEADS", 3)
    for number in range(4):
        projects.change_project(actor=actor_of(owner_of(project)), project_id=project.pk, name=f"Later {number}")
        record_all()
        audit.write_heads()
    long = len(audit.read_heads())

    audit.write_heads()

    assert (long, [head["number"] for head in audit.read_heads()]) == (4, [14])
    call_command("audit", "verify", stdout=StringIO())
    AuditEntry.objects.filter(number=14).delete()
    assert verify_output() == f"organization {chain}: row 14 is missing: the tail was cut"


def test_entry_says_what_things_were_called_and_what_a_setting_was(chain, project):
    rules = {
        "session_hours": 8,
        "idle_minutes": 0,
        "mail_domains": [],
        "sso_only": False,
        "require_second_factor": False,
    }
    for hours in (8, 9):
        sign_in_rules.change_rules(
            actor=actor_of(owner_of(project)), organization_id=chain, **rules | {"session_hours": hours}
        )
    record_all()

    entries = AuditEntry.objects.order_by("number")
    renamed = entries.filter(action__startswith="accounts.project")
    changed = entries.filter(action="core.setting_changed")
    assert renamed[0].details["name"] == "Name 9"
    assert [(row.details["key"], row.details["old"], row.details["new"]) for row in changed] == [
        ("accounts.session_hours", None, "8"),
        ("accounts.session_hours", "8", "9"),
    ]


def test_heads_hold_when_the_secret_key_changes_and_when_keys_are_retired(chain, settings, tmp_path):
    settings.PARLANCE_KEYS_FILE = tmp_path / "keys.json"
    audit.write_heads()
    settings.SECRET_KEY = "another"
    assert audit.verify() == (10, [])

    old = crypto.key_set().current
    crypto.add_key()
    audit.write_heads()
    audit.write_heads()
    crypto.drop_keys({old})

    assert len(audit.heads_path().read_text().splitlines()) == 2
    assert audit.verify() == (10, [])


def test_head_of_a_cut_chain_is_not_signed_again(chain, settings, tmp_path):
    settings.PARLANCE_KEYS_FILE = tmp_path / "keys.json"
    audit.write_heads()
    AuditEntry.objects.filter(number__gt=7).delete()
    crypto.add_key()

    audit.write_heads()

    assert len(audit.heads_path().read_text().splitlines()) == 1
    assert verify_output() == f"organization {chain}: row 8 is missing: the tail was cut"


def test_forged_head_is_noticed(chain):
    audit.write_heads()
    head = json.loads(audit.heads_path().read_text())
    audit.heads_path().write_text(json.dumps(head | {"number": 9}) + "\n")

    assert verify_output().endswith("row 9 is in a head that was not signed here")


def test_entries_name_people_by_pseudonym_and_survive_erasure(chain, project):
    owner = owner_of(project)
    entry = AuditEntry.objects.first()
    assert entry.actor != owner.pk
    assert str(owner.pk) not in audit.canonical(entry).decode()

    Pseudonym.objects.all().delete()

    assert audit.verify() == (10, [])


def test_no_entry_names_a_person_whatever_the_event_calls_them(project):
    owner = owner_of(project)
    preferences.change_setting(
        actor=actor_of(owner), key="web.theme", level=Level.USER, target_id=owner.pk, value="dark"
    )
    with transaction.atomic():
        emit_refusal(code="forbidden", action="GET x", actor=actor_of(owner), organization_id=None, subject_id=owner.pk)
    record_all()

    entries = list(AuditEntry.objects.order_by("occurred_at"))
    assert {entry.action for entry in entries} == {"core.setting_changed", "core.refused"}
    assert [str(owner.pk) in audit.canonical(entry).decode() for entry in entries] == [False, False]
    assert {entry.actor for entry in entries} == {entry.subject_id for entry in entries}
    assert entries[0].details["target_id"] == str(entries[0].actor)


def test_application_role_can_only_append(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('parlance_app', 'accounts_auditentry', 'INSERT')")
        assert cursor.fetchone() == (True,)
    name = connection.settings_dict["NAME"]

    for statement in ("UPDATE accounts_auditentry SET action = 'x'", "DELETE FROM accounts_auditentry"):
        with (
            psycopg.connect(services.app_url(name)) as own,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            own.execute(statement)


def test_refusals_are_kept_and_ordinary_errors_are_not(client, project):
    reader = reader_of(project)
    headers = bearer(key_of(reader, project.organization))
    path = f"/api/v1/projects/{project.pk}/"

    client.patch(path, {"name": "x"}, content_type="application/json", headers=headers)
    client.patch(path, {"name": ""}, content_type="application/json", headers=headers)
    client.get("/api/v1/projects/00000000-0000-4000-8000-000000000000/", headers=headers)
    record_all()

    entry = AuditEntry.objects.get()
    assert (entry.organization_id, entry.outcome, entry.action) == (
        project.organization_id,
        "refused",
        "core.refused",
    )
    assert entry.details == {"code": "forbidden", "action": "PATCH api/v1/projects/<uuid:project_id>/"}
    assert (entry.actor, entry.subject_id) == (Pseudonym.objects.get(user=reader).pk, project.pk)


def test_admins_read_the_log_and_nobody_changes_it(client, chain, project):
    headers = bearer(key_of(owner_of(project), project.organization))
    theirs = bearer(key_of(member_of(project), project.organization))
    path = f"/api/v1/audit/?organization={chain}&limit=3"

    answer = client.get(path, headers=headers)

    assert [(row["number"], row["actor_name"]) for row in answer.json()["results"]] == [(n, "Ann") for n in (10, 9, 8)]
    assert client.get(path, headers=theirs).status_code == 403
    assert client.delete(path, headers=headers).status_code == 405
    stranger = UserFactory()
    other = ProjectFactory(owner=stranger)
    assert client.get(path, headers=bearer(key_of(stranger, other.organization))).status_code == 404


def test_every_audited_name_is_an_event_that_is_told():
    load_everything()

    assert {kind.name for kind in event_kinds()} >= audit.AUDITED


@pytest.mark.parametrize("export_format", ["json", "markdown"])
def test_export_and_import_leave_a_trace(project, export_format):
    owner = actor_of(owner_of(project))
    talk = conversations.start_conversation(actor=owner, project_id=project.pk, title="Port")
    reader = Client(headers=bearer(key_of(owner_of(project), project.organization)))

    taken = reader.get(f"/api/v1/conversations/{talk.pk}/export/", {"format": export_format})
    brought = export_format == "json" and reader.post(
        "/api/v1/conversations/import/",
        {"project": str(project.pk), "conversation": taken.json()},
        content_type="application/json",
    )
    record_all()

    kept = {row.action: row for row in AuditEntry.objects.filter(action__endswith="ported")}
    exported = kept["conversations.conversation_exported"]
    assert exported.details == {"conversation_id": str(talk.pk), "format": export_format}
    assert exported.actor == Pseudonym.objects.get(user=owner.user_id).pk
    if brought:
        imported = kept["conversations.conversation_imported"]
        assert imported.details == {"conversation_id": brought.json()["id"], "messages": 0}


def test_export_of_a_stranger_is_not_told(project):
    talk = conversations.start_conversation(actor=actor_of(owner_of(project)), project_id=project.pk)
    elsewhere = ProjectFactory(owner=UserFactory())
    stranger = Client(headers=bearer(key_of(owner_of(elsewhere), elsewhere.organization)))

    assert stranger.get(f"/api/v1/conversations/{talk.pk}/export/").status_code == 404
    assert not Event.objects.filter(type="conversations.conversation_exported").exists()


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_list_takes_at_most_six_queries(project, rows, django_assert_max_num_queries):
    owner, elsewhere = owner_of(project), ProjectFactory(owner=UserFactory())
    others = owner_of(elsewhere)
    manager = member_of(project, role=OrganizationRole.ADMIN)
    for number in range(rows):
        for where, who in ((project, manager if number % 2 else owner), (elsewhere, others)):
            projects.change_project(actor=actor_of(who), project_id=where.pk, name=f"Name {number}")
    record_all()
    reader = Client(headers=bearer(key_of(owner, project.organization)))

    with django_assert_max_num_queries(6):
        answer = reader.get("/api/v1/audit/", {"organization": str(project.organization_id), "limit": 100})

    assert len(answer.json()["results"]) == rows


@pytest.mark.parametrize("cut", [1, 2, 20, 200])
def test_head_that_was_cut_short_stops_nothing_and_nothing_is_glued_to_it(cut, chain, project):
    audit.write_heads()
    path = audit.heads_path()
    whole = path.read_text()
    path.write_text(whole + whole[:-cut])  # a disk that was full in the middle of a line

    assert audit.verify()[1] == []
    projects.change_project(actor=actor_of(owner_of(project)), project_id=project.pk, name="More")
    record_all()
    audit.write_heads()

    assert [line for line in path.read_text().splitlines() if not line.endswith("}")] == []
    assert audit.verify()[1] == []


def test_line_of_the_heads_that_cannot_be_read_is_said_and_stops_nothing(chain):
    audit.write_heads()
    path = audit.heads_path()
    path.write_text('{"organization": "{"\n[]\n' + path.read_text())

    audit.write_heads()

    assert [(each.organization_id, each.reason) for each in audit.verify()[1]] == [
        (audit.INSTANCE, "a line of the signed heads cannot be read")
    ]
