"""The page of secrets: who manages the project keeps and deletes them; nobody reads them, and nobody else comes near."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts import audit
from apps.accounts.models import AuditEntry
from apps.core import preferences
from apps.core.eventlog.consumers import logged
from apps.core.models import Event
from apps.workflows import selectors, services
from apps.workflows.models import Secret
from apps.workflows.types import MAX_SECRETS, SecretKind
from tests.accounts.factories import ProjectFactory, UserFactory, member_of, reader_of

pytestmark = pytest.mark.django_db
PAGE = "/workflows/secrets/"
CANARY = "canary-51d0-open-sesame"
TOKEN = {"kind": "bearer", "bearer-name": "office", "bearer-token": CANARY}
LOGIN = {"kind": "basic", "basic-name": "office", "basic-username": "marta", "basic-password": CANARY}
CLIENT = {
    "kind": "oauth2",
    "oauth2-name": "office",
    "oauth2-authority": "https://login.example.org",
    "oauth2-client_id": "parlance",
    "oauth2-client_secret": CANARY,
    "oauth2-scopes": "read write",
}


@pytest.fixture
def page(client, owner, project):
    client.force_login(owner)
    return client


def kept(project, name="office"):
    return selectors.open_secret(project_id=project.pk, name=name)


@pytest.mark.parametrize(
    ("given", "value", "kind"),
    [
        (TOKEN, {"token": CANARY}, SecretKind.BEARER),
        (LOGIN, {"username": "marta", "password": CANARY}, SecretKind.BASIC),
        (
            CLIENT,
            {
                "authority": "https://login.example.org",
                "grant": "client_credentials",
                "client": {"id": "parlance", "secret": CANARY},
                "scopes": ["read", "write"],
            },
            SecretKind.OAUTH2,
        ),
    ],
)
def test_keeps_a_secret_and_shows_its_name_kind_and_who(page, owner, project, given, value, kind):
    answer = page.post(PAGE, given)
    shown = page.get(PAGE).content.decode()

    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert kept(project) == value
    assert SecretKind.of(value) == kind
    assert "<code>office</code>" in shown
    assert f"{kind.label} ·" in shown
    assert owner.display_name in shown
    assert CANARY not in shown


def test_replaces_under_the_same_name(page, project):
    page.post(PAGE, LOGIN)
    prefilled = page.get(f"{PAGE}?name=office&kind=bearer").content.decode()

    page.post(PAGE, TOKEN)

    assert 'value="office"' in prefilled
    assert kept(project) == {"token": CANARY}
    assert Secret.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bearer-name": "not a name"}, "A secret is called by letters, digits and underscores."),
        ({"bearer-name": ""}, "bearer-name"),
        ({"bearer-token": ""}, "bearer-token"),
    ],
)
def test_what_is_wrong_stands_beside_it_and_no_secret_comes_back(page, changes, says):
    answer = page.post(PAGE, TOKEN | changes)

    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert CANARY not in answer.content.decode()
    assert not Secret.objects.exists()


def test_no_more_than_the_project_keeps(page, actor, project):
    for number in range(MAX_SECRETS):
        services.keep_secret(actor=actor, project_id=project.pk, name=f"n{number}", value={"token": "x"})

    answer = page.post(PAGE, TOKEN)

    assert answer.status_code == 400
    assert "at most 50 secrets" in answer.content.decode()


def test_kind_that_there_is_not_is_not_found(page):
    assert page.post(PAGE, {"kind": "magic"}).status_code == 404


def test_deletes(page, actor, project):
    secret = services.keep_secret(actor=actor, project_id=project.pk, name="office", value={"token": CANARY})
    asked = page.get(PAGE).content.decode()

    answer = page.post(f"{PAGE}{secret.pk}/delete/")

    assert f'action="{PAGE}{secret.pk}/delete/"' in asked
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert not Secret.objects.exists()


def test_audit_log_names_the_secret_and_says_nothing_of_it(page, actor, project):
    page.post(PAGE, TOKEN)
    secret = Secret.objects.get()
    kept_now = logged(Event.objects.get(type="workflows.secret_kept"))
    audit.record(kept_now)
    services.delete_secret(actor=actor, secret_id=secret.pk)
    audit.record(logged(Event.objects.get(type="workflows.secret_deleted")))

    entries = AuditEntry.objects.filter(subject_id=secret.pk).order_by("number")
    assert [entry.action for entry in entries] == ["workflows.secret_kept", "workflows.secret_deleted"]
    assert entries[0].details["name"] == "office"
    assert CANARY not in str([entry.details for entry in entries])
    assert all(audit.is_audited(entry.action) for entry in entries)


@pytest.mark.parametrize("who", [member_of, reader_of])
def test_who_does_not_manage_the_project_is_refused(client, actor, project, who):
    secret = services.keep_secret(actor=actor, project_id=project.pk, name="office", value={"token": CANARY})
    client.force_login(who(project))

    answers = [client.get(PAGE), client.post(PAGE, TOKEN), client.post(f"{PAGE}{secret.pk}/delete/")]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert all("office" not in answer.content.decode() for answer in answers)
    assert PAGE not in client.get("/workflows/").content.decode()
    assert kept(project) == {"token": CANARY}


def test_strangers_see_their_own_project_only(client, actor, project):
    secret = services.keep_secret(actor=actor, project_id=project.pk, name="office", value={"token": CANARY})
    stranger = UserFactory()
    ProjectFactory(owner=stranger)
    client.force_login(stranger)

    assert "office" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{secret.pk}/delete/").status_code == 404
    assert kept(project) == {"token": CANARY}


def test_secret_that_is_of_no_kind_is_named(page, actor, project):
    services.keep_secret(actor=actor, project_id=project.pk, name="other", value={"something": CANARY})

    shown = page.get(PAGE).content.decode()

    assert "<code>other</code>" in shown
    assert CANARY not in shown


def test_as_many_questions_for_many(page, actor, project, monkeypatch):
    monkeypatch.setattr(preferences, "KEEP_SECONDS", 600)
    asked = {}
    for rows in (1, 3, 30):
        for number in range(rows):
            services.keep_secret(actor=actor, project_id=project.pk, name=f"n{number}", value={"token": "x"})
        page.get(PAGE)
        with CaptureQueriesContext(connection) as questions:
            page.get(PAGE)
        asked[rows] = len(questions)
        assert Secret.objects.count() == rows

    assert asked[1] == asked[3] == asked[30]


def test_form_keeps_to_the_project_that_it_was_made_for(page, owner, project):
    other = ProjectFactory(organization=project.organization, name="Another")
    shown = page.get(PAGE).content.decode()
    session = page.session
    session["project"] = str(other.pk)
    session.save()

    page.post(PAGE, TOKEN | {"project": str(project.pk)})

    assert f'name="project" value="{project.pk}"' in shown
    assert kept(project) == {"token": CANARY}
    assert Secret.objects.count() == 1


def test_project_of_others_is_hidden(page, project):
    theirs = ProjectFactory(owner=UserFactory())

    for named in (theirs.pk, "no id"):
        assert page.post(PAGE, TOKEN | {"project": str(named)}).status_code == 404
    assert not Secret.objects.exists()
