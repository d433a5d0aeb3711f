"""Erasing people and organizations: nothing of them is left, what they wrote stays, the audit chain stays valid."""

import json

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.test import Client

from apps.accounts import audit
from apps.accounts.models import ApiKey, AuditEntry, Organization, OrganizationMember, Pseudonym, User, UserSession
from apps.accounts.services import erasure, invitations, operators
from apps.accounts.types import SYSTEM, LastOperator, LastOwner, OrganizationRole
from apps.agents.services import create_agent
from apps.conversations.models import Message
from apps.core.doors.exporters import ExportScope, exporters
from apps.core.errors import Forbidden, NotFound
from apps.core.eventlog.consumers import logged
from apps.core.models import Event, StoredSetting
from apps.files.models import File
from tests.accounts.factories import (
    PASSWORD,
    ProjectFactory,
    UserFactory,
    actor_of,
    bearer,
    join,
    key_of,
    member_of,
)
from tests.conversations.factories import say, start
from tests.files.factories import upload
from tests.llm.factories import ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db

NAME, EMAIL = "Mafalda Quintanilha", "mafalda.quintanilha@example.org"


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def project():
    return ProjectFactory(owner=UserFactory())


@pytest.fixture
def person(project):
    """Somebody who has left traces everywhere a person leaves them."""
    user = UserFactory(name=NAME, email=EMAIL)
    join(user, project.organization)
    conversation = start(actor_of(user), project)
    attached = upload(user, project, name="kept.txt")
    say(actor_of(user), conversation, "My words", attachments=[attached.pk])
    upload(user, project, b"Other words.\n", name="left.txt")
    key_of(user, project.organization)
    host = UserFactory()
    elsewhere = ProjectFactory(owner=host).organization_id
    invitations.invite(actor=actor_of(host), organization_id=elsewhere, email=EMAIL)
    operators.send_sign_in_link(actor=SYSTEM, user_id=user.pk)
    Client().post("/api/v1/auth/token/", {"email": EMAIL, "password": "wrong"}, content_type="application/json")
    StoredSetting.objects.create(key="web.theme", level="user", target_id=user.pk, value="dark", changed_by_id=user.pk)
    return user


@pytest.fixture
def operator():
    user = UserFactory()
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    return actor_of(User.objects.get(pk=user.pk))


def record_audit():
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        audit.record(logged(row))


def tables_with(*words):
    found = []
    for model in apps.get_models():
        with connection.cursor() as cursor:
            for word in words:
                cursor.execute(
                    f'SELECT count(*) FROM "{model._meta.db_table}" t WHERE strpos(lower(t::text), %s) > 0',
                    [word.lower()],
                )
                if cursor.fetchone()[0]:
                    found.append((model._meta.db_table, word))
    return found


def rows_of(user):
    return list(User.objects.filter(pk=user.pk).values()), OrganizationMember.objects.count(), ApiKey.objects.count()


def test_nothing_names_the_person_afterwards(person, operator):
    signed_in = Client()
    signed_in.force_login(person)
    assert tables_with(NAME, EMAIL) != []

    touched = erasure.erase_person(actor=operator, user_id=person.pk)

    assert touched > 8
    assert tables_with(NAME, EMAIL) == []
    assert not Session.objects.filter(pk=signed_in.session.session_key).exists()
    assert signed_in.get("/api/v1/me/").status_code == 401
    gone = User.objects.get(pk=person.pk)
    assert (gone.is_active, gone.has_usable_password(), gone.anonymized_at is None) == (False, False, False)
    for model in (UserSession, ApiKey, OrganizationMember):
        assert not model.objects.filter(user=person.pk).exists()


def test_words_stay_and_have_an_author(person, operator):
    erasure.erase_person(actor=operator, user_id=person.pk)

    assert Message.objects.filter(author=person.pk, content="My words").count() == 1
    assert list(File.objects.filter(owner=person.pk).values_list("name", flat=True)) == ["kept.txt"]
    assert User.objects.get(pk=person.pk).display_name == "Former member"


def test_audit_chain_stays_valid_and_knows_them_no_more(person, operator):
    record_audit()
    known = Pseudonym.objects.get(user=person.pk).pk
    entries = AuditEntry.objects.filter(Q(actor=known) | Q(subject_id=known)).count()

    erasure.erase_person(actor=operator, user_id=person.pk)
    record_audit()

    count, broken = audit.verify()
    assert (count, broken) == (AuditEntry.objects.count(), [])
    assert AuditEntry.objects.filter(Q(actor=known) | Q(subject_id=known)).count() == entries > 0
    assert not Pseudonym.objects.filter(pk=known).exists()
    assert AuditEntry.objects.filter(action="accounts.user_erased").count() == 1


def test_repeating_adds_nothing(person, operator):
    erasure.erase_person(actor=operator, user_id=person.pk)
    facts = Event.objects.filter(type="accounts.user_erased").count()

    assert erasure.erase_person(actor=operator, user_id=person.pk) == 0
    assert Event.objects.filter(type="accounts.user_erased").count() == facts == 1


def test_people_erase_themselves_and_nobody_else(project):
    first, second = member_of(project), member_of(project)
    before = rows_of(second)

    with pytest.raises(Forbidden):
        erasure.erase_person(actor=actor_of(first), user_id=second.pk)
    erasure.erase_person(actor=actor_of(first), user_id=first.pk)

    assert rows_of(second)[0] == before[0]
    assert User.objects.get(pk=first.pk).anonymized_at is not None


def test_unknown_person(operator):
    with pytest.raises(NotFound):
        erasure.erase_person(actor=operator, user_id=ProjectFactory().pk)


def test_only_owner_names_a_successor_first(project, operator):
    owner = User.objects.get(pk=OrganizationMember.objects.get(organization=project.organization).user_id)
    heir = member_of(project)
    before = rows_of(owner)

    with pytest.raises(LastOwner):
        erasure.erase_person(actor=operator, user_id=owner.pk)
    assert rows_of(owner) == before

    join(heir, project.organization, role=OrganizationRole.OWNER)
    erasure.erase_person(actor=operator, user_id=owner.pk)
    assert OrganizationMember.objects.get(organization=project.organization).user_id == heir.pk


def test_organization_of_one_goes_with_them(project, operator):
    owner = OrganizationMember.objects.get(organization=project.organization).user_id

    erasure.erase_person(actor=operator, user_id=owner)

    assert Organization.objects.get(pk=project.organization_id).deleted_at is not None
    assert not OrganizationMember.objects.filter(organization=project.organization).exists()


def test_only_operator_stays(operator):
    with pytest.raises(LastOperator):
        erasure.erase_person(actor=operator, user_id=operator.user_id)

    assert User.objects.get(pk=operator.user_id).is_superuser


def test_organization_leaves_nothing_but_its_audit(person, project, operator):
    other = ProjectFactory(owner=UserFactory())
    owner = User.objects.get(pk=OrganizationMember.objects.get(organization=project.organization, role="owner").user_id)
    create_agent(actor=actor_of(owner), project_id=project.pk, name="gone")
    ModelFactory(provider=ProviderFactory(organization=project.organization))
    record_audit()
    organization = project.organization_id
    audited = AuditEntry.objects.filter(organization_id=organization).count()

    erasure.erase_organization(actor=operator, organization_id=organization)

    connection.check_constraints()
    left = {
        model._meta.db_table: model.objects.filter(organization_id=organization).count()
        for model in apps.get_models()
        if model.__module__.startswith("apps.")
        and any(each.attname == "organization_id" for each in model._meta.fields)
    }
    assert {table for table, count in left.items() if count} == {"accounts_auditentry", "core_event"}
    assert AuditEntry.objects.filter(organization_id=organization).count() == audited > 0
    assert audit.verify()[1] == []
    assert list(Organization.objects.filter(pk__in=[organization, other.organization_id])) == [other.organization]
    with pytest.raises(NotFound):
        erasure.erase_organization(actor=operator, organization_id=organization)


def test_members_erase_no_organization(person, project):
    with pytest.raises(Forbidden):
        erasure.erase_organization(actor=actor_of(person), organization_id=project.organization_id)

    assert Organization.objects.filter(pk=project.organization_id).exists()


def exported(viewer, organization_id, **more):
    scope = ExportScope(viewer, organization_id, **more)
    return {name: list(exporters.get(name).rows(scope)) for name in ("accounts.projects", "accounts.members", "files")}


def test_export_has_what_the_viewer_may_read(person, project):
    stranger = UserFactory()
    ProjectFactory(owner=stranger)

    seen = exported(actor_of(person), project.organization_id)
    hidden = exported(actor_of(stranger), project.organization_id)

    assert [row["name"] for row in seen["accounts.projects"]] == [project.name]
    assert EMAIL in [row["email"] for row in seen["accounts.members"]]
    assert [(row["name"], row["text"]) for row in seen["files"]] == [
        ("kept.txt", "Some words.\n"),
        ("left.txt", "Other words.\n"),
    ]
    assert json.dumps(seen)
    assert hidden == {"accounts.projects": [], "accounts.members": [], "files": []}


def test_export_of_a_project_has_nothing_of_another(person, project):
    other = ProjectFactory(organization=project.organization)

    seen = exported(actor_of(person), project.organization_id, project_id=other.pk)

    assert [row["id"] for row in seen["accounts.projects"]] == [str(other.pk)]
    assert (seen["accounts.members"], seen["files"]) == ([], [])
    assert PASSWORD not in json.dumps(seen)


def test_keys_of_the_erased_open_nothing(project, operator):
    user = member_of(project)
    headers = bearer(key_of(user, project.organization))
    assert Client().get("/api/v1/projects/", headers=headers).status_code == 200

    erasure.erase_person(actor=operator, user_id=user.pk)

    assert Client().get("/api/v1/projects/", headers=headers).status_code == 401
