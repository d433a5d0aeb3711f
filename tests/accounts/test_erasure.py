"""Erasing people and organizations: by command, in the admin site, and by oneself. Nothing of them is left, all else stays."""

import io
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts import audit, erasing
from apps.accounts.models import (
    ApiKey,
    Erasure,
    Invitation,
    Organization,
    OrganizationMember,
    Pseudonym,
    TenantModel,
    User,
    UserSession,
)
from apps.accounts.services import erasure, invitations
from apps.accounts.types import SYSTEM, HomeStays, LastOperator, LastOwner, OrganizationRole, ProjectRole
from apps.agents.models import Agent
from apps.conversations import services
from apps.conversations.models import Conversation, Message
from apps.conversations.sweeps import erase_what_nobody_restored
from apps.core import preferences
from apps.core.doors.erasers import erasers
from apps.core.doors.settings import Level
from apps.core.errors import Forbidden, NotFound
from apps.core.mail import queue_mail
from apps.core.models import Event, MailMessage
from apps.files.models import File
from apps.llm.models import Budget, ModelDefaults
from tests.accounts.factories import (
    PASSWORD,
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    join,
    key_of,
    member_of,
)
from tests.accounts.test_audit import record_all
from tests.conversations.factories import answer, say, start
from tests.files.factories import upload
from tests.llm.factories import ModelFactory

pytestmark = pytest.mark.django_db

NAME, EMAIL = "Inês Quintela Duarte", "ines.quintela@example.org"
#: Rows that may only ever be added to: they hold ids, and no name.
KEPT = {"core_event", "core_topic", "accounts_auditentry", "accounts_erasure"}


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.MEDIA_ROOT, settings.DATA_DIR = tmp_path / "files", tmp_path


@pytest.fixture
def owner():
    return UserFactory(is_superuser=True, is_staff=True)


@pytest.fixture
def ines(project):
    """Somebody who has left traces wherever a person can."""
    user = UserFactory(name=NAME, email=EMAIL)
    join(user, project.organization)
    add_to_project(user, project, role=ProjectRole.EDITOR)
    actor = actor_of(user)
    shared = start(actor, project, title="Shared")
    answer(say(actor, shared, "Words that stay", attachments=[upload(user, project, b"shown", "shown.txt").pk]))
    services.pin_conversation(actor=actor, conversation_id=shared.pk, pinned=True)
    private = start(actor, project, title="Private", visibility="private")
    answer(say(actor, private, "Words that go", attachments=[upload(user, project, b"hidden", "hidden.txt").pk]))
    upload(user, project, b"unused", "unused.txt")
    key_of(user, project.organization)
    Client().post(reverse("account_login"), {"login": EMAIL, "password": PASSWORD})
    preferences.change_setting(actor=actor, key="web.theme", level=Level.USER, target_id=user.pk, value="dark")
    queue_mail(recipient=EMAIL, subject="A link", text="for you")
    invitations.invite(
        actor=actor_of(User.objects.get(is_superuser=True)),
        organization_id=ProjectFactory(owner=User.objects.get(is_superuser=True)).organization_id,
        email=EMAIL,
        role=OrganizationRole.MEMBER,
    )
    return user


def everything():
    """All rows of all tables as text, by table."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1')
            found[table] = [row[0] for row in cursor.fetchall()]
    return found


def test_person_is_forgotten_and_what_they_wrote_keeps_an_author(ines, project, owner):
    record_all()
    entries = audit.verify()[0]

    receipt = erasure.erase_person(actor=SYSTEM, user_id=ines.pk)

    left = everything()
    assert [
        (table, row) for table, rows in left.items() for row in rows if NAME in row or EMAIL in row or "quintela" in row
    ] == []
    words = Message.objects.get(content="Words that stay")
    assert (words.author_id, words.author.display_name) == (ines.pk, "Somebody who was erased")
    assert not OrganizationMember.objects.filter(user=ines).exists()
    assert not UserSession.objects.filter(user=ines).exists()
    assert ApiKey.objects.get(user=ines).revoked_at is not None
    assert not Pseudonym.objects.filter(user=ines).exists()
    assert set(File.objects.filter(owner=ines).values_list("name", flat=True)) == {"shown.txt", "hidden.txt"}
    kept = Erasure.objects.get()
    assert (kept.pk, kept.kind, kept.subject_id, kept.requested_by) == (receipt.id, "person", ines.pk, "command")
    assert kept.rows == receipt.rows
    assert kept.rows.keys() == {"accounts", "conversations", "core", "files"}
    record_all()
    assert audit.verify() == (audit.AuditEntry.objects.count(), [])
    assert audit.AuditEntry.objects.count() > entries

    erase_what_nobody_restored()

    assert list(Conversation.objects.values_list("title", flat=True)) == ["Shared"]
    page = Client()
    page.force_login(owner)
    shared = Conversation.objects.get()
    assert "Somebody who was erased" in page.get(f"/c/{shared.pk}/").content.decode()


def test_erased_person_comes_in_by_no_way(ines, project):
    token = key_of(ines, project.organization)
    browser = Client()
    browser.force_login(ines)

    erasure.erase_person(actor=SYSTEM, user_id=ines.pk)

    assert Client(headers=bearer(token)).get("/api/v1/me/").status_code == 401
    assert browser.get("/settings/profile/").status_code == 302
    assert not Client().login(email=EMAIL, password=PASSWORD)
    for address in (EMAIL, User.objects.get(pk=ines.pk).email):
        tried = Client().post(
            "/api/v1/auth/token/", {"email": address, "password": PASSWORD}, content_type="application/json"
        )
        assert tried.json()["code"] == "sign_in_failed"
    with pytest.raises(NotFound):
        erasure.erase_person(actor=SYSTEM, user_id=ines.pk)


def test_address_of_an_erased_person_is_free_again(ines):
    erasure.erase_person(actor=SYSTEM, user_id=ines.pk)

    again = UserFactory(email=EMAIL)

    assert again.pk != ines.pk


def test_trial_counts_and_changes_nothing(ines, project):
    before = everything()

    trial = erasure.erase_person(actor=SYSTEM, user_id=ines.pk, is_trial=True)
    whole = erasure.count_organization(actor=SYSTEM, organization_id=project.organization_id)

    assert trial.id is whole.id is None
    assert everything() == before
    assert erasure.erase_person(actor=SYSTEM, user_id=ines.pk).rows == trial.rows


def test_person_takes_along_an_organization_that_nobody_else_is_in(ines):
    alone = ProjectFactory(owner=ines)
    start(actor_of(ines), alone, title="Mine")

    counted = erasure.erase_person(actor=SYSTEM, user_id=ines.pk, is_trial=True)
    erasure.erase_person(actor=SYSTEM, user_id=ines.pk)
    assert Organization.objects.get(pk=alone.organization_id).erased_for == "command"
    erasing.go_on(alone.organization_id)

    assert counted.rows["conversations"] > 1
    assert set(Erasure.objects.values_list("subject_id", flat=True)) == {ines.pk, alone.organization_id}
    assert not Organization.objects.filter(pk=alone.organization_id).exists()
    assert not Conversation.objects.filter(title="Mine").exists()


def refused(error, **who):
    before = everything()
    with pytest.raises(error):
        erasure.erase_person(**who)
    assert everything() == before


def test_last_owner_and_last_operator_stay(project, owner):
    ines = UserFactory()
    join(ines, (shared := ProjectFactory(owner=ines)).organization)
    OrganizationMember.objects.filter(user=ines).update(role=OrganizationRole.OWNER)
    member_of(shared)

    refused(LastOwner, actor=SYSTEM, user_id=ines.pk)
    refused(LastOperator, actor=SYSTEM, user_id=owner.pk)


def test_only_operators_and_oneself_erase(ines, project, owner):
    other = member_of(project)
    for actor in (actor_of(other), actor_of(User.objects.get(pk=other.pk))):
        refused(Forbidden, actor=actor, user_id=ines.pk)
    for actor in (actor_of(ines), actor_of(other)):
        for refused_to in (erasing.erase_organization, erasure.count_organization, erasure.end_organization):
            with pytest.raises(Forbidden):
                refused_to(actor=actor, organization_id=project.organization_id)
        with pytest.raises(Forbidden):
            erasure.erase_piece(actor=actor, organization_id=project.organization_id, limit=1)
    assert Organization.objects.filter(pk=project.organization_id).exists()


def test_home_stays(project):
    Organization.objects.filter(pk=project.organization_id).update(is_home=True)

    with pytest.raises(HomeStays):
        erasing.erase_organization(actor=SYSTEM, organization_id=project.organization_id)


def tenant_tables():
    return [model for model in apps.get_models() if issubclass(model, TenantModel) and not model._meta.abstract]


def test_every_app_that_keeps_rows_of_organizations_forgets_them():
    keepers = {model._meta.app_label for model in tenant_tables()} - {"accounts"}

    assert keepers - set(erasers.names()) == set()


def test_organization_is_forgotten_and_its_neighbour_is_not(
    ines, project, owner, settings, django_capture_on_commit_callbacks
):
    organization = project.organization
    model = ModelFactory(provider__organization=organization, organization=organization)
    ModelDefaults.objects.create(organization=organization, default=model)
    Budget.objects.create(organization=organization, month="2026-11-01", limit=5)
    Agent.objects.create(organization=organization, project=project, name="Noir", model=model)
    neighbour = ProjectFactory(owner=UserFactory())
    start(actor_of(owner_of(neighbour)), neighbour, title="Next door")
    paths = list(Path(settings.MEDIA_ROOT).glob("??/??/*"))
    before = {each: each.objects.filter(organization=neighbour.organization).count() for each in tenant_tables()}
    record_all()

    with django_capture_on_commit_callbacks(execute=True):
        receipt = erasing.erase_organization(actor=SYSTEM, organization_id=organization.pk)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert len(paths) == 3
    assert not list(Path(settings.MEDIA_ROOT).glob("??/??/*"))
    assert [each for each in tenant_tables() if each.objects.filter(organization=organization.pk).exists()] == []
    named = str(organization.pk)
    assert [table for table, rows in everything().items() if table not in KEPT and named in str(rows)] == []
    assert {
        each: each.objects.filter(organization=neighbour.organization).count() for each in tenant_tables()
    } == before
    assert receipt.rows.keys() == {"accounts", "agents", "conversations", "files", "llm"}
    assert User.objects.get(pk=ines.pk).name == NAME
    record_all()
    assert audit.verify()[1] == []
    assert Event.objects.filter(type="accounts.organization_erased", subject_id=organization.pk).exists()


def owner_of(project):
    return User.objects.get(
        pk=OrganizationMember.objects.get(organization=project.organization, role=OrganizationRole.OWNER).user_id
    )


# Commands


def run(*arguments, **options):
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def test_command_counts_first_and_asks_for_the_address(ines, monkeypatch):
    assert run("erase_person", EMAIL, dry_run=True).startswith(f"would erase person {ines.pk}\n")
    monkeypatch.setattr("builtins.input", lambda _prompt: "somebody@example.org")
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("erase_person", EMAIL)
    assert User.objects.get(pk=ines.pk).email == EMAIL
    monkeypatch.setattr("builtins.input", lambda _prompt: EMAIL)

    said = run("erase_person", EMAIL.upper())

    assert f"\nerased person {ines.pk}\n" in said
    assert said.endswith(f"receipt: {Erasure.objects.get().pk}\n")
    with pytest.raises(CommandError, match="Nobody here"):
        run("erase_person", EMAIL)


def test_command_erases_an_organization(ines, project, owner):
    slug = project.organization.slug
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("erase_organization", slug, confirm="other")

    said = run("erase_organization", slug, confirm=slug)

    assert said.endswith(f"receipt: {Erasure.objects.get().pk}\n")
    assert not Organization.objects.filter(slug=slug).exists()
    with pytest.raises(CommandError, match="no organization"):
        run("erase_organization", slug)


def test_command_says_why_it_does_not(owner, project):
    with pytest.raises(CommandError, match="only operator"):
        run("erase_person", owner.email, confirm=owner.email)


# The admin site


def test_operator_erases_after_typing_the_name(ines, project, owner):
    browser = Client()
    browser.force_login(owner)
    for model, row, typed in (("user", ines, EMAIL), ("organization", project.organization, project.organization.slug)):
        address = reverse(f"admin:accounts_{model}_changelist")
        chosen = {"action": "erase", "_selected_action": [str(row.pk)]}

        asked = browser.post(address, chosen)
        wrong = browser.post(address, chosen | {"typed": "other"})

        assert asked.status_code == wrong.status_code == 200
        assert "accounts: " in asked.content.decode()
        assert "Nothing was changed" in wrong.content.decode()
        assert not Erasure.objects.filter(subject_id=row.pk).exists()
        done = browser.post(address, chosen | {"typed": typed}, follow=True)
        if model == "user":
            assert "Erased for good" in done.content.decode()
        else:
            assert "it is being erased" in done.content.decode()
            erasing.go_on(row.pk)
        assert Erasure.objects.get(subject_id=row.pk).requested_by == "operator"


def test_admin_erases_one_at_a_time_and_for_nobody_else(ines, owner):
    browser, stranger = Client(), Client()
    browser.force_login(owner)
    stranger.force_login(UserFactory())
    address = reverse("admin:accounts_user_changelist")

    several = browser.post(
        address, {"action": "erase", "_selected_action": [str(ines.pk), str(owner.pk)], "typed": EMAIL}, follow=True
    )
    outside = stranger.post(address, {"action": "erase", "_selected_action": [str(ines.pk)], "typed": EMAIL})

    assert "Choose exactly one" in several.content.decode()
    assert outside.status_code == 302
    assert not Erasure.objects.exists()


# One's own account


def test_page_tells_an_only_owner_before_they_type_a_password():
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    member_of(project)
    browser = Client()
    browser.force_login(owner)

    page = browser.get("/settings/erase/").content.decode()

    assert f"{project.organization.name} would be left without an owner." in page
    assert 'type="password"' not in page
    join(UserFactory(), project.organization, role=OrganizationRole.OWNER)
    assert 'type="password"' in browser.get("/settings/erase/").content.decode()


def test_page_lets_go_who_owns_an_organization_of_their_own_alone():
    alone = UserFactory()
    ProjectFactory(owner=alone)
    browser = Client()
    browser.force_login(alone)

    assert 'type="password"' in browser.get("/settings/erase/").content.decode()


def test_person_erases_their_own_account_with_the_password(ines):
    browser = Client()
    browser.force_login(ines)
    assert reverse("accounts:settings_erase") in browser.get("/settings/profile/").content.decode()
    assert browser.get("/settings/erase/").status_code == 200
    wrong = browser.post("/settings/erase/", {"form": "erase", "password": "not it"})
    assert (wrong.status_code, Erasure.objects.count()) == (400, 0)
    assert "This is not your password." in wrong.content.decode()

    done = browser.post("/settings/erase/", {"form": "erase", "password": PASSWORD}, follow=True)

    assert done.redirect_chain == [("/accounts/login/", 302)]
    assert "Your account was erased." in done.content.decode()
    assert Erasure.objects.get().requested_by == "self"
    assert User.objects.get(pk=ines.pk).anonymized_at is not None
    assert not MailMessage.objects.filter(recipient=EMAIL).exists()
    assert not Invitation.objects.filter(email=EMAIL).exists()


def test_own_account_page_is_for_the_signed_in_and_says_what_holds_them(project, owner):
    assert Client().get("/settings/erase/").status_code == 302
    assert Client().post("/settings/erase/", {"form": "erase", "password": PASSWORD}).status_code == 302
    browser = Client()
    browser.force_login(owner)
    page = browser.get("/settings/erase/").content.decode()
    assert "only operator" in page
    assert 'name="password"' not in page

    held = browser.post("/settings/erase/", {"form": "erase", "password": PASSWORD}, follow=True)

    assert "only operator" in held.content.decode()
    assert User.objects.get(pk=owner.pk).anonymized_at is None
    UserFactory(is_superuser=True)
    assert 'name="password"' in browser.get("/settings/erase/").content.decode()
