"""Identity providers and rules over the API and in the admin site: who may, what is kept, and that the secret is never read."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import IdentityProvider, Organization, UserSession
from apps.accounts.services import sessions
from apps.accounts.types import SessionEnd, SessionKind, SignInMethod
from apps.core.models import Event
from tests.accounts.factories import ProjectFactory, UserFactory, bearer, key_of, make_stale, member_of

pytestmark = pytest.mark.django_db

LIST = "/api/v1/identity-providers/"
SECRET = "very-secret-client-secret"


class Api:
    def __init__(self, user=None, headers=None):
        self.client = Client(headers=headers or {})
        if user is not None:
            self.client.force_login(user)

    def __call__(self, method, path, body=None, **headers):
        return self.client.generic(method, path, data=_json(body), content_type="application/json", headers=headers)


def _json(body):

    return json.dumps(body) if body is not None else ""


@pytest.fixture
def owner():
    return UserFactory()


@pytest.fixture
def project(owner):
    project = ProjectFactory(owner=owner)
    Organization.objects.filter(pk=project.organization_id).update(is_home=True)
    return project


@pytest.fixture
def row(project):
    return IdentityProvider.objects.create(
        organization=project.organization,
        kind="oidc",
        slug="sand",
        name="Sand",
        issuer="https://id.sand.example",
        client_id="x",
        client_secret=SECRET,
        domains=["sand.example"],
    )


def body_of(project, **changes):
    return {
        "organization": str(project.organization_id),
        "kind": "oidc",
        "slug": "dune",
        "name": "Dune",
        "issuer": "https://id.dune.example",
        "client_id": "parlance",
        "client_secret": SECRET,
        "domains": ["dune.example"],
        "joins_as": "guest",
    } | changes


def test_owner_makes_changes_and_deletes_one_and_never_reads_its_secret(owner, project):
    api = Api(owner)

    made = api("POST", LIST, body_of(project))
    path = f"{LIST}{made.json()['id']}/"
    read = api("GET", path)
    changed = api("PATCH", path, {"name": "Dunes", "is_enabled": False}, **{"If-Match": '"1"'})
    late = api("PATCH", path, {"name": "D"}, **{"If-Match": '"1"'})
    listed = api("GET", LIST)

    assert (made.status_code, made["ETag"]) == (201, '"1"')
    assert made.json()["callback_url"].endswith("/accounts/sso/dune/callback/")
    assert (made.json()["has_secret"], made.json()["joins_as"]) == (True, "guest")
    assert (changed.status_code, changed.json()["version"], changed.json()["is_enabled"]) == (200, 2, False)
    assert late.status_code == 412
    assert [each["name"] for each in listed.json()["results"]] == ["Dunes"]
    assert all(SECRET.encode() not in answer.content for answer in (made, read, changed, listed))
    assert IdentityProvider.objects.get().client_secret == SECRET
    assert api("DELETE", path).status_code == 204
    assert not IdentityProvider.objects.exists()
    kinds = Event.objects.filter(type__startswith="accounts.identity_provider").order_by("insertion")
    assert list(kinds.values_list("type", flat=True)) == [
        "accounts.identity_provider_made",
        "accounts.identity_provider_changed",
        "accounts.identity_provider_removed",
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "http://127.0.0.1/"}, "address_refused"),
        ({"slug": "google"}, "slug_taken"),
        ({"slug": "Not A Slug"}, "invalid"),
        ({"joins_as": "owner"}, "invalid"),
        ({"domains": ["a b"]}, "invalid"),
        ({"domains": ["domain!!"]}, "domain"),
        ({"name": "Go\u202eelgoo"}, "name"),
        ({"client_id": "a\x07"}, "name"),
        ({"surprise": 1}, "unknown_field"),
    ],
)
def test_what_is_refused(owner, project, changes, code):
    answer = Api(owner)("POST", LIST, body_of(project, **changes))

    assert 400 <= answer.status_code < 500
    assert code in answer.content.decode()
    assert not IdentityProvider.objects.exists()


def test_who_may_not(owner, project, row):
    stranger = UserFactory()
    elsewhere = ProjectFactory(owner=stranger)
    path, rules = f"{LIST}{row.pk}/", f"/api/v1/organizations/{project.organization_id}/sign-in-rules/"
    apis = {
        "member": Api(member_of(project)),
        "stranger": Api(stranger),
        "key with scopes": Api(headers=bearer(key_of(owner, project.organization, scopes=("organizations:write",)))),
        "key of a project": Api(headers=bearer(key_of(owner, project.organization, project=project))),
    }
    found = {
        name: [
            api("GET", path).status_code,
            api("PATCH", path, {"is_enabled": False}).status_code,
            api("DELETE", path).status_code,
            api("POST", LIST, body_of(project)).status_code,
            api("GET", rules).status_code,
            api("PATCH", rules, {"session_hours": 500}).status_code,
        ]
        for name, api in apis.items()
    }

    assert found == {
        "member": [404, 404, 404, 403, 403, 403],
        "stranger": [404] * 6,
        "key with scopes": [403, 403, 403, 403, 403, 200],  # it may write the organization, and read nothing
        "key of a project": [404, 404, 404, 403, 403, 403],
    }
    own = Api(stranger)("POST", LIST, body_of(elsewhere))
    assert own.status_code == 403  # only the home organization says whose word counts for which addresses
    row.refresh_from_db()
    assert row.is_enabled
    assert Api(member_of(project))("GET", LIST).json()["results"] == []
    assert Api()("GET", LIST).status_code == 401


def test_rules_are_read_and_changed_and_end_what_falls_short(owner, project):
    person = member_of(project)
    session = sessions.begin_session(user=person, kind=SessionKind.TOKEN)
    api, path = Api(owner), f"/api/v1/organizations/{project.organization_id}/sign-in-rules/"
    before = api("GET", path).json()

    changed = api("PATCH", path, {"require_second_factor": True, "idle_minutes": 30})

    assert before == {
        "require_second_factor": False,
        "sso_only": False,
        "mail_domains": [],
        "session_hours": 0,
        "idle_minutes": 0,
    }
    assert changed.json() == before | {"require_second_factor": True, "idle_minutes": 30, "ended_sessions": 2}
    assert UserSession.objects.get(pk=session.pk).end_reason == SessionEnd.RULES


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_costs_the_same_for_any_number(count, owner, project, django_assert_num_queries):
    for number in range(count):
        IdentityProvider.objects.create(organization=project.organization, kind="google", slug=f"s{number}", name="S")
    api = Api(owner)
    api("GET", LIST)

    with django_assert_num_queries(2):
        api("GET", LIST)


# Operators


def test_operator_adds_switches_off_and_removes_one_of_any_organization(owner, project):
    operator = UserFactory(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(operator)
    form = body_of(project) | {"domains": "dune.example", "is_enabled": "on"}
    form |= {"of_organization": form.pop("organization"), "new_secret": form.pop("client_secret")}

    added = client.post(reverse("admin:accounts_identityprovider_add"), form)

    row = IdentityProvider.objects.get()
    assert added.status_code == 302
    assert (row.client_secret, row.domains) == (SECRET, ["dune.example"])
    session = sessions.begin_session(
        user=owner, kind=SessionKind.TOKEN, method=SignInMethod.SSO, identity_provider_id=row.pk
    )
    page = client.get(reverse("admin:accounts_identityprovider_change", args=[row.pk]))
    assert SECRET.encode() not in page.content
    client.post(
        reverse("admin:accounts_identityprovider_change", args=[row.pk]),
        {"name": "Dunes", "issuer": row.issuer, "client_id": "y", "domains": "dune.example", "is_enabled": "on"},
    )
    row.refresh_from_db()
    assert (row.name, row.client_id, row.client_secret) == ("Dunes", "y", SECRET)
    act = {"action": "switch_off", "_selected_action": str(row.pk)}
    client.post(reverse("admin:accounts_identityprovider_changelist"), act)
    row.refresh_from_db()
    session.refresh_from_db()
    assert (row.is_enabled, session.end_reason) == (False, SessionEnd.RULES)
    client.post(reverse("admin:accounts_identityprovider_changelist"), act | {"action": "remove"})
    assert not IdentityProvider.objects.exists()


def test_operator_whose_proof_is_old_is_asked_for_one(row):
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    make_stale(client)
    act = {"action": "switch_off", "_selected_action": str(row.pk)}

    answers = [
        client.post(reverse("admin:accounts_identityprovider_changelist"), act),
        client.post(
            reverse("admin:accounts_identityprovider_change", args=[row.pk]),
            {"name": "Dunes", "issuer": row.issuer, "client_id": "y", "domains": "dune.example", "is_enabled": "on"},
        ),
    ]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert all(answer["Location"].startswith("/accounts/reauthenticate/") for answer in answers)
    row.refresh_from_db()
    assert (row.is_enabled, row.name == "Dunes") == (True, False)


def test_providers_take_a_fresh_proof_and_no_key(owner, project, row):
    client, path = Client(), f"{LIST}{row.pk}/"
    client.force_login(owner)
    make_stale(client)
    key = Api(headers=bearer(key_of(owner, project.organization)))
    add = {"form": "add", "kind": "oidc", "name": "Evil", "slug": "evil", "issuer": "https://id.evil.example"}
    add |= {"client_id": "c", "client_secret": "s", "domains": "example.org"}

    refused = [
        (answer.status_code, answer.json()["code"])
        for answer in (
            client.post(LIST, body_of(project), content_type="application/json"),
            client.patch(path, {"is_enabled": False}, content_type="application/json"),
            client.delete(path),
        )
    ]
    pages = [
        client.post("/settings/sign-in/", body)["Location"]
        for body in (add, {"form": "remove", "provider": row.pk}, {"form": "switch", "provider": row.pk, "on": "0"})
    ]
    by_key = [key("POST", LIST, body_of(project)), key("PATCH", path, {"is_enabled": False}), key("DELETE", path)]

    assert refused == [(403, "fresh_sign_in_needed")] * 3
    assert [page.startswith("/accounts/reauthenticate/") for page in pages] == [True] * 3
    assert [answer.status_code for answer in by_key] == [403] * 3
    assert list(IdentityProvider.objects.values_list("pk", "is_enabled")) == [(row.pk, True)]
