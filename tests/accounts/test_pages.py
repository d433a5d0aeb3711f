import re
from dataclasses import replace
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.test import Client
from django.utils import timezone

from apps.accounts import audit, policies
from apps.accounts.models import ApiKey, Invitation, OrganizationMember, Project, ProjectMember, UserSession
from apps.accounts.pages import forms, once, settings
from apps.accounts.services import invitations
from apps.accounts.types import OrganizationRole
from apps.core import preferences
from apps.core.events import event_kinds
from apps.core.models import StoredSetting
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of, join, key_of, member_of, reader_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


@pytest.fixture
def browser(owner, project):
    client = Client()
    client.force_login(owner)
    return client


PAGES = ["profile/", "organization/", "people/", "projects/", "keys/", "projects/{project}/"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", ["owner", "reader", "guest"])
def test_settings_pages_open_for_everybody_in_the_organization(page, who, owner, project):
    person = {
        "owner": lambda: owner,
        "reader": lambda: reader_of(project),
        "guest": lambda: member_of(project, role=OrganizationRole.GUEST),
    }[who]()
    client = Client()
    client.force_login(person)

    answer = client.get("/settings/" + page.format(project=project.pk))

    assert answer.status_code == (404 if who == "guest" and "{" in page else 200)
    if who != "owner":
        assert b'value="invite"' not in answer.content


@pytest.mark.parametrize("page", PAGES)
def test_settings_ask_strangers_to_sign_in(client, page, project):
    answer = client.get("/settings/" + page.format(project=project.pk))

    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")


def test_sign_in_page_has_one_link_for_a_forgotten_password(client):
    page = client.get("/accounts/login/").content.decode()

    assert page.count("/accounts/password/reset/") == 1


def test_refused_password_still_says_what_a_password_must_be(browser, owner):
    answer = browser.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": "short", "password2": "short"}
    )

    page = answer.content.decode()
    assert "This password is too short." in page
    assert str(forms.PASSWORD_HINT) in page
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_address_is_changed_by_the_link_to_the_new_one_and_not_before(browser, owner, is_confirmed):
    before = owner.email
    EmailAddress.objects.create(user=owner, email=before, primary=True, verified=is_confirmed)

    browser.post("/accounts/email/", {"email": "wrong@example.org", "action_add": ""})
    answer = browser.post("/accounts/email/", {"email": "new@example.org", "action_add": ""}, follow=True)

    assert "A link is on its way to new@example.org." in answer.content.decode()
    owner.refresh_from_db()
    assert owner.email == before
    assert set(EmailAddress.objects.values_list("email", flat=True)) == {before, "new@example.org"}

    browser.post("/accounts/email/", {"email": before, "action_remove": ""})
    key = EmailConfirmationHMAC(EmailAddress.objects.get(email="new@example.org")).key
    browser.post(f"/accounts/confirm-email/{key}/")

    owner.refresh_from_db()
    assert owner.email == "new@example.org"
    assert EmailAddress.objects.get().email == "new@example.org"


def test_profile_saves_person_and_taste(browser, owner):
    answer = browser.post(
        "/settings/profile/",
        {
            "form": "profile",
            "name": "Anna",
            "language": "de",
            "time_zone": "Europe/Berlin",
            "theme": "dark",
            "send_key": "mod-enter",
        },
    )

    owner.refresh_from_db()
    assert answer.status_code == 302
    assert (owner.name, owner.language, owner.time_zone) == ("Anna", "de", "Europe/Berlin")
    preferences.forget_kept()
    assert preferences.get("web.theme", user=owner.pk) == "dark"
    assert preferences.get("web.single_keys", user=owner.pk) is False


def test_profile_shows_what_is_wrong(browser, owner):
    answer = browser.post("/settings/profile/", {"form": "profile", "name": "", "language": "xx"})

    owner.refresh_from_db()
    assert answer.status_code == 400
    assert owner.name == "Ann"


def test_new_key_begins_with_reading_and_says_what_opens(browser):
    page = browser.get("/settings/keys/").content.decode()

    ticked = re.findall(r'name="scopes" value="([^"]+)"[^>]*checked', page)
    assert "conversations:read" in ticked
    assert [scope for scope in ticked if not scope.endswith(":read")] == []
    assert "conversations:read · GET /api/v1/ " in page
    nothing = browser.post("/settings/keys/", {"form": "create", "name": "Report"})
    assert (nothing.status_code, ApiKey.objects.count()) == (400, 0)
    browser.post("/settings/keys/", {"form": "create", "name": "Report", "reach": "all", "scopes": ["models:read"]})
    assert ApiKey.objects.get().scopes == []


def test_key_that_waited_for_a_fresh_proof_is_shown_at_its_own_page(browser, owner):
    UserSession.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    asked = browser.post("/settings/keys/", {"form": "create", "name": "Report", "reach": "all"})

    proved = browser.post(asked["Location"], {"password": PASSWORD})
    shown = browser.get(proved["Location"])
    assert b"<b>Report</b>" in shown.content
    again = browser.post(asked["Location"], {"password": PASSWORD})

    assert (proved.status_code, proved["Location"].split("?")[0], again["Location"]) == (
        302,
        "/settings/keys/",
        "/settings/keys/",
    )
    assert b"pk_" in shown.content
    assert b"pk_" not in browser.get("/settings/keys/").content
    assert ApiKey.objects.get().name == "Report"


def test_key_that_nobody_came_for_is_shown_no_more(browser, monkeypatch):
    made = browser.post("/settings/keys/", {"form": "create", "name": "Report", "reach": "all"})
    assert "shown_once" in browser.session
    monkeypatch.setattr(once, "KEPT_SECONDS", 0)

    browser.get("/settings/profile/")

    assert "shown_once" not in browser.session
    assert b"pk_" not in browser.get(made["Location"]).content


def test_two_secrets_made_in_one_moment_are_both_shown_each_with_its_name(browser):
    invite = {"form": "invite", "role": "member", "project": ""}
    made = [
        browser.post("/settings/keys/", {"form": "create", "name": name, "reach": "all"}) for name in ("One", "Two")
    ]
    made += [browser.post("/settings/people/", {**invite, "email": f"{name}@example.org"}) for name in ("eva", "jo")]

    pages = [browser.get(answer["Location"]).content.decode() for answer in made]

    named = [
        re.findall(r"<b>([^<]+)</b> ·[^<]*<span class=\"handover\".*?<code[^>]*>([^<]+)<", page, re.DOTALL)
        for page in pages
    ]
    assert [[name for name, _secret in each] for each in named] == [
        ["One"],
        ["Two"],
        ["eva@example.org"],
        ["jo@example.org"],
    ]
    assert len({secret for ((_name, secret),) in named}) == 4
    hints = {key.name: key.hint for key in ApiKey.objects.all()}
    assert all(secret.endswith(hints[name]) for ((name, secret),) in named[:2])
    assert "shown_once" not in browser.session


@pytest.mark.parametrize("path", ["/settings/keys/", "/settings/sign-in/"])
def test_what_outlasts_a_session_takes_a_fresh_proof(path, browser, owner):
    UserSession.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    asked = {
        "/settings/keys/": {"form": "create", "name": "Report", "reach": "all"},
        "/settings/sign-in/": {"form": "rules", "session_hours": "8", "idle_minutes": "0"},
    }[path]

    answer = browser.post(path, asked)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not ApiKey.objects.exists()
    assert not StoredSetting.objects.exists()


def test_key_is_shown_once_and_withdrawn(browser, owner):
    made = browser.post("/settings/keys/", {"form": "create", "name": "Report", "scopes": ["conversations:read"]})
    key = ApiKey.objects.get()
    kept = str(browser.session.items())
    elsewhere = browser.get(f"/settings/keys/{key.pk}/")
    elsewhere_too = browser.get(f"/settings/profile/{made['Location'].removeprefix('/settings/keys/')}")
    shown = browser.get(made["Location"])

    assert (made.status_code, made["Location"].split("=")[0], made.content) == (302, "/settings/keys/?made", b"")
    assert b"pk_" not in elsewhere_too.content
    assert ("shown_once" in kept, "pk_" in kept) == (True, False)
    assert b"pk_" not in elsewhere.content
    assert b"pk_" in shown.content
    assert shown["Cache-Control"] == "no-store"
    assert b"pk_" not in browser.get(made["Location"]).content
    assert "shown_once" not in browser.session
    assert key.scopes == ["conversations:read"]
    browser.post("/settings/keys/", {"form": "revoke", "key": str(key.pk)})
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_people_are_invited_changed_and_removed(browser, project):
    made = browser.post(
        "/settings/people/", {"form": "invite", "email": "new@example.org", "role": "member"}, follow=True
    )
    again = browser.post(
        "/settings/people/", {"form": "invite", "email": project_owner_email(project), "role": "member"}
    )
    invitation = Invitation.objects.get()
    browser.post("/settings/people/", {"form": "revoke", "invitation": str(invitation.pk)})
    member = join(UserFactory(), project.organization)
    browser.post("/settings/people/", {"form": "role", "member": str(member.pk), "role": "admin"})
    member.refresh_from_db()
    invitation.refresh_from_db()

    assert b"/accounts/invitation/" in made.content
    assert again.status_code == 400
    assert invitation.revoked_at is not None
    assert member.role == OrganizationRole.ADMIN
    browser.post(f"/settings/people/{member.pk}/leave/", {"form": "remove"})
    assert not OrganizationMember.objects.filter(pk=member.pk).exists()


@pytest.mark.parametrize(
    ("backend", "said", "unsaid"),
    [
        ("console", "No mail server is set up", "on its way by mail"),
        ("smtp", "on its way by mail", "No mail server is set up"),
    ],
)
def test_invitation_says_whether_it_is_mailed(backend, said, unsaid, browser, project, settings):
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"

    asked = {"form": "invite", "email": "new@example.org", "role": "member"}
    page = browser.post("/settings/people/", asked, follow=True)

    assert said in page.content.decode()
    assert unsaid not in page.content.decode()
    assert b"/accounts/invitation/" in page.content


def test_guest_is_invited_to_a_project(browser, project):
    body = {"form": "invite", "email": "guest@example.org", "role": "guest"}

    without = browser.post("/settings/people/", body)
    with_it = browser.post("/settings/people/", body | {"project": str(project.pk)})

    assert (without.status_code, with_it.status_code) == (400, 302)
    assert Invitation.objects.get().project == project


def project_owner_email(project):
    return OrganizationMember.objects.get(organization=project.organization).user.email


def test_project_is_made_changed_and_shared(browser, project):
    browser.post("/settings/projects/", {"name": "Spring", "description": "", "access": "restricted"})
    made = Project.objects.get(name="Spring")
    path = f"/settings/projects/{made.pk}/"
    person = member_of(project)

    browser.post(path, {"form": "project", "name": "Summer", "description": "Sun", "access": "restricted"})
    browser.post(path, {"form": "member", "user": str(person.pk), "role": "viewer"})
    assert ProjectMember.objects.get(user=person).role == "viewer"
    browser.post(path, {"form": ["member", "remove"], "user": str(person.pk), "role": "viewer"})
    browser.post(path, {"form": "archive"})

    made.refresh_from_db()
    assert (made.name, made.archived_at is not None) == ("Summer", True)
    assert not ProjectMember.objects.filter(user=person).exists()


@pytest.mark.parametrize(
    ("page", "body"),
    [
        ("organization/", {"name": "x", "time_zone": "UTC"}),
        ("people/", {"form": "invite", "email": "x@example.org", "role": "member"}),
        ("projects/{project}/", {"form": "project", "name": "x", "access": "restricted"}),
        ("projects/{project}/", {"form": "archive"}),
    ],
)
def test_reader_is_refused_and_nothing_changes(page, body, project):
    client = Client()
    client.force_login(reader_of(project))

    answer = client.post("/settings/" + page.format(project=project.pk), body)

    project.refresh_from_db()
    assert answer.status_code == 403
    assert (project.version, project.organization.version, Invitation.objects.count()) == (1, 1, 0)


def test_unknown_form_is_refused(browser):
    assert browser.post("/settings/people/", {"form": "nonsense"}).status_code == 400
    assert browser.post("/settings/keys/", {"form": "revoke", "key": "not-an-id"}).status_code == 404


def test_signed_in_person_accepts_only_their_own_invitation(project, owner):
    invited = invitations.invite(
        actor=actor_of(owner), organization_id=project.organization_id, email="right@example.org"
    )
    path = invited.link.split("8000", 1)[-1]
    path = "/accounts/invitation/" + path.rstrip("/").rsplit("/", 1)[1] + "/"
    wrong, right = UserFactory(email="wrong@example.org"), UserFactory(email="right@example.org")

    answers = []
    for person in (wrong, right):
        client = Client()
        client.force_login(person)
        answers.append(client.post(path).status_code)

    assert answers == [400, 302]
    assert OrganizationMember.objects.filter(user=right).exists()
    assert not OrganizationMember.objects.filter(user=wrong).exists()


def test_every_scope_has_words():
    assert forms.SCOPE_LABELS.keys() == policies.SCOPES.keys()


def test_pages_and_sign_in_work_while_redis_is_away(settings, no_redis, owner, project):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": settings.REDIS_URL}}
    client = Client()

    signed_in = client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    page = client.get("/settings/profile/")
    changed = client.post("/settings/organization/", {"name": "Harbour", "time_zone": "UTC"})

    assert [answer.status_code for answer in (signed_in, page, changed)] == [302, 200, 302]
    project.organization.refresh_from_db()
    assert project.organization.name == "Harbour"


def test_audit_page_lists_filters_and_checks_the_chain(settings, tmp_path):
    from apps.accounts.services import projects
    from apps.core.eventlog.consumers import logged
    from apps.core.models import Event

    settings.DATA_DIR = tmp_path
    ann, ben = UserFactory(name="Ann"), UserFactory(name="Ben")
    project = ProjectFactory(owner=ann)
    join(ben, project.organization, role=OrganizationRole.ADMIN)
    for number in range(60):
        projects.change_project(actor=actor_of(ann), project_id=project.pk, name=f"Name {number}")
    projects.change_project(actor=actor_of(ben), project_id=project.pk, name="By Ben")
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        by_a_job = {"actor_kind": "system"} if row.actor_id == ben.pk else {}
        audit.record(replace(logged(row), **by_a_job))
    client = Client()
    client.force_login(ann)
    address = "/settings/audit/"

    first = client.get(address)
    assert [entry.number for entry in first.context["entries"]] == list(range(61, 11, -1))
    assert first.context["entries"][0].who == "Ben"
    assert ("Done by", "a job") in first.context["entries"][0].details
    assert "Done by" not in dict(first.context["entries"][1].details)
    second = client.get(address + first.context["next_url"])
    assert [entry.number for entry in second.context["entries"]] == list(range(11, 0, -1))

    assert (first.context["entries"][0].label, first.context["entries"][0].code) == (
        "Changed a project",
        "accounts.project_changed",
    )
    assert '<option value="accounts.signed_in">Signed in</option>' in first.content.decode()
    by_ben = client.get(address, {"person": str(ben.pk), "action": "accounts.project_changed"})
    assert [entry.who for entry in by_ben.context["entries"]] == ["Ben"]
    nothing = client.get(address, {"until": "2001-01-01"})
    assert "No entry fits these filters" in nothing.content.decode()
    assert client.get(address, {"person": "x", "since": "2026-99-99", "outcome": "y"}).status_code == 200

    assert "61 entries were read" in client.post(address).content.decode()
    audit.write_heads()
    audit.heads_path().write_text(audit.heads_path().read_text().replace('"number": 61', '"number": 60'))
    assert "The chain is broken at entry 60" in client.post(address).content.decode()


def test_everything_that_is_audited_has_words():
    wordless = [kind.name for kind in event_kinds() if audit.is_audited(kind.name) and not str(kind.label)]

    assert wordless == []


def test_audit_page_is_for_those_who_manage(settings):
    project = ProjectFactory()
    ben = UserFactory()
    join(ben, project.organization)
    client = Client()
    client.force_login(ben)

    assert client.get("/settings/audit/").status_code == 403
    assert client.post("/settings/audit/").status_code == 403
    assert "/settings/audit/" not in client.get("/settings/profile/").content.decode()


@pytest.mark.parametrize("count", [1, 3, 30])
def test_audit_page_takes_the_same_few_queries(count, django_assert_max_num_queries):
    from apps.accounts.services import projects
    from apps.core.eventlog.consumers import logged
    from apps.core.models import Event

    ann = UserFactory()
    project = ProjectFactory(owner=ann)
    for number in range(count):
        projects.change_project(actor=actor_of(ann), project_id=project.pk, name=f"Name {number}")
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        audit.record(logged(row))
    client = Client()
    client.force_login(ann)
    client.get("/settings/audit/")

    with django_assert_max_num_queries(22):  # the shell with its sidebar, and four of the page's own
        client.get("/settings/audit/")


def test_long_lists_of_keys_and_invitations_come_in_parts(browser, owner, project, monkeypatch):
    monkeypatch.setattr(settings, "SHOWN", 2)
    for number in range(3):
        invitations.invite(
            actor=actor_of(owner), organization_id=project.organization_id, email=f"i{number}@example.org"
        )
        key_of(owner, project.organization)
    hints = list(ApiKey.objects.order_by("-created_at", "pk").values_list("hint", flat=True))

    keys = [browser.get(f"/settings/keys/?page={part}").content.decode() for part in (1, 2)]
    people = [browser.get(f"/settings/people/?invitations={part}").content.decode() for part in (1, 2)]

    assert [[hint in page for hint in hints] for page in keys] == [[True, True, False], [False, False, True]]
    assert [[f"i{number}@example.org" in page for number in range(3)] for page in people] == [
        [True, True, False],
        [False, False, True],
    ]
    assert "?invitations=2" in people[0]


def test_who_is_added_to_another_project_stays_where_they_are(browser, owner, project):
    here = browser.get("/settings/projects/").context["project"]

    ProjectFactory(owner=owner, name="0 comes first by name")

    assert browser.get("/settings/projects/").context["project"] == here == project


def test_settings_stand_under_headings(browser):
    page = browser.get("/settings/profile/").content.decode()

    headings = re.findall(r'class="nav-heading"[^>]*>([^<]+)<', page)
    assert headings == ["You", "Organization", "Projects", "Models and limits"]
    found = browser.get("/search/palette/?q=organization").content.decode()
    assert "/settings/teams/" in found


@pytest.mark.parametrize("way", ["cancelled", "error"])
def test_sign_in_elsewhere_that_came_to_nothing_leads_back(client, way):
    page = client.get(f"/accounts/linked/login/{way}/").content.decode()

    assert 'href="/accounts/login/"' in page
    assert "This could not be done" in page
