"""A14-A16, A18-A23, A26-A30, A34 and A62 as far as accounts go: through the real addresses, and nothing changes."""

import json
import uuid

import pytest
from django.conf import settings as django_settings

from apps.accounts import actors
from apps.accounts.models import ApiKey, Invitation, OrganizationMember, Project, User
from apps.accounts.services import denials, invitations, people, service_accounts, sessions
from apps.accounts.types import SYSTEM, OrganizationRole, ProjectRole, TokenInAddress
from apps.core.models import Event
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    key_of,
    member_of,
    reader_of,
)
from tests.attacks.caller import Client

pytestmark = pytest.mark.django_db

C = "canary.example"


@pytest.fixture
def adm():
    return UserFactory()


@pytest.fixture
def project(adm):
    return ProjectFactory(owner=adm)


@pytest.fixture
def a(project):
    return member_of(project)


def signed_in(user, **kwargs):
    client = Client(**kwargs)
    client.force_login(user)
    return client


def send(client, method, path, body=None, **headers):
    return client.generic(
        method,
        path,
        data=json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers=headers,
    )


def refusals(code):
    return Event.objects.filter(is_refusal=True, payload__code=code).count()


def rows():
    """What must be the same before and after an attack."""
    return (
        list(User.objects.order_by("pk").values("pk", "email", "password", "is_staff", "is_superuser", "epoch")),
        list(OrganizationMember.objects.order_by("pk").values("pk", "role")),
        Project.objects.count(),
        ApiKey.objects.count(),
        list(Invitation.objects.order_by("pk").values("pk", "accepted_at", "revoked_at")),
    )


@pytest.mark.parametrize(
    "field",
    [
        "role",
        "organization",
        "organizations",
        "is_staff",
        "is_superuser",
        "is_operator",
        "email",
        "email_verified",
        "sso_exempt",
        "quota",
        "id",
        "epoch",
        "password",
        "is_active",
    ],
)
def test_a14_me_takes_no_rights(a, field):
    client = signed_in(a)
    before = rows()

    answer = send(client, "PATCH", "/api/v1/me/", {"name": "New", field: True})

    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"field": field, "code": "unknown_field", "detail": "This field is not known here."}],
    )
    assert rows() == before
    assert refusals("invalid") == 1


@pytest.mark.parametrize(
    ("who", "body"),
    [
        ("a", {"scopes": ["models:write"]}),
        ("a", {"scopes": ["conversations:read", "audit:read"]}),
        ("a", {"scopes": ["no:such"]}),
        ("guest", {"scopes": ["agents:write"]}),
        ("reader", {"scopes": ["conversations:write"], "project": True}),
    ],
)
def test_a15_key_beyond_own_role_is_refused(who, body, a, project):
    guest = member_of(project, role=OrganizationRole.GUEST)
    person = {"a": a, "guest": guest, "reader": reader_of(project)}[who]
    before = rows()
    if body.get("project"):
        body = {**body, "project": str(project.pk)}

    answer = send(
        signed_in(person),
        "POST",
        "/api/v1/api-keys/",
        {"organization": str(project.organization_id), "name": "x", **body},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "key_not_grantable")
    assert rows() == before
    assert refusals("key_not_grantable") == 1


def test_a15_key_makes_no_keys(a, project):
    answer = send(
        Client(),
        "POST",
        "/api/v1/api-keys/",
        {"organization": str(project.organization_id), "name": "x"},
        **bearer(key_of(a, project.organization)),
    )

    assert (answer.status_code, ApiKey.objects.count()) == (403, 1)


def test_a15_key_loses_what_its_owner_loses(a, project):
    headers = bearer(key_of(a, project.organization))
    assert send(Client(), "GET", f"/api/v1/projects/{project.pk}/", **headers).json()["role"] == "editor"

    add_to_project(a, project, role=ProjectRole.VIEWER)
    assert send(Client(), "GET", f"/api/v1/projects/{project.pk}/", **headers).json()["role"] == "viewer"
    OrganizationMember.objects.filter(user=a).delete()

    assert send(Client(), "GET", f"/api/v1/projects/{project.pk}/", **headers).status_code == 404


def test_a15_program_does_no_more_than_its_role_and_never_its_maker(adm, project):
    organization = project.organization
    other = ProjectFactory(owner=adm)
    account = service_accounts.create_service_account(
        actor=actor_of(adm), organization_id=organization.pk, name="Program", role=OrganizationRole.GUEST
    )
    body = {"organization": str(organization.pk), "name": "k", "service_account": str(account.pk)}
    headers = bearer(send(signed_in(adm), "POST", "/api/v1/api-keys/", body).json()["key"])
    before = rows()

    made = send(Client(), "POST", "/api/v1/api-keys/", body, **headers)
    seen = [send(Client(), "GET", f"/api/v1/projects/{each.pk}/", **headers) for each in (project, other)]
    started = send(
        Client(), "POST", "/api/v1/projects/", {"organization": body["organization"], "name": "p"}, **headers
    )
    elsewhere = send(signed_in(adm), "POST", "/api/v1/api-keys/", body | {"organization": str(other.organization_id)})

    assert [answer.status_code for answer in (made, *seen, started, elsewhere)] == [403, 404, 404, 403, 403]
    assert rows() == before


def test_a15_denial_takes_from_keys_what_it_takes_from_their_owner(adm, a, project):
    headers = bearer(key_of(a, project.organization))
    assert send(Client(), "GET", f"/api/v1/projects/{project.pk}/", **headers).status_code == 200

    denials.deny(actor=actor_of(adm), organization_id=project.organization_id, user_id=a.pk)

    assert send(Client(), "GET", f"/api/v1/projects/{project.pk}/", **headers).status_code == 404
    assert send(Client(), "GET", "/api/v1/projects/", **headers).json()["results"] == []


@pytest.mark.parametrize("address", ["203.0.113.9", "::ffff:203.0.113.9", "2001:db9::1", "192.0.3.0", ""])
def test_a16_key_from_outside_its_networks_is_unknown_on_every_way(adm, project, address):
    token = key_of(adm, project.organization)
    ApiKey.objects.update(allowed_networks=["192.0.2.0/24", "2001:db8::/32"])
    claims = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-IP": "192.0.2.1"}

    unknown = Client().get("/api/v1/me/", headers=bearer("pk_unknown"), REMOTE_ADDR=address)
    answers = [
        Client().get("/api/v1/me/", headers=headers | claims, REMOTE_ADDR=address)
        for headers in (bearer(token), {"X-API-Key": token})
    ]
    spoken = Client().get("/v1/models", headers=bearer(token) | claims, REMOTE_ADDR=address)
    scope = {"headers": [(b"x-api-key", token.encode()), (b"x-forwarded-for", b"192.0.2.1")], "client": (address, 1)}
    credential = actors.credential_from_scope(scope)

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (unknown.status_code, unknown.json()["code"])
    ] * 2
    assert (unknown.status_code, spoken.status_code) == (401, 401)
    assert not actors.actors_for_sockets([credential])[credential].is_somebody
    assert ApiKey.objects.get().last_used_at is None
    assert Client().get("/api/v1/me/", headers=bearer(token), REMOTE_ADDR="192.0.2.1").status_code == 200


def test_a16_limited_key_is_refused_alike_on_every_way(adm, project):
    token = key_of(adm, project.organization, scopes=("models:read",))
    path = "/api/v1/projects/"
    ways = [{"Authorization": f"Bearer {token}"}, {"X-API-Key": token}]

    answers = [send(Client(), "GET", path, **headers) for headers in ways]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "scope_missing")] * 2
    sockets = [
        {"headers": [(b"authorization", f"Bearer {token}".encode())]},
        {"headers": [(b"x-api-key", token.encode())]},
        {"subprotocols": [f"bearer.{token}"]},
    ]
    for scope in sockets:
        credential = actors.credential_from_scope(scope)
        assert actors.actors_for_sockets([credential]) == {credential: None}


@pytest.mark.parametrize("name", ["api_key", "token", "access_token", "key"])
def test_a16_key_in_query_or_cookie_opens_nothing(adm, project, name):
    token = key_of(adm, project.organization)
    client = Client()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = token

    in_query = send(Client(), "GET", f"/api/v1/me/?{name}={token}")
    in_cookie = send(client, "GET", "/api/v1/me/")

    assert (in_query.status_code, in_query.json()["code"]) == (401, "token_in_address")
    assert in_cookie.status_code == 401
    with pytest.raises(TokenInAddress):
        actors.credential_from_scope({"query_string": f"{name}={token}".encode(), "headers": []})


def test_a16_new_route_is_closed_to_limited_keys(adm, project):
    token = key_of(adm, project.organization, scopes=("conversations:read", "projects:read"))

    assert send(Client(), "GET", "/api/v1/audit/", **bearer(token)).status_code == 403
    assert send(Client(), "PATCH", "/api/v1/me/", {"name": "x"}, **bearer(token)).status_code == 403


def test_a18_sign_up_never_makes_an_operator(settings):
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"
    token = people.start_first().link_token

    for number in range(3):
        Client().post(
            "/accounts/signup/", {"name": "P", "email": f"p{number}@example.org", "password1": "correct horse battery"}
        )
    wrong = Client().post(
        f"/accounts/link/{token[:-1]}x/", {"name": "X", "email": "x@example.org", "password": "correct horse battery"}
    )

    assert wrong.status_code == 400
    assert not User.objects.exists()

    owner = people.claim_instance(token=token, email="owner@example.org", password="correct horse battery", name="Ann")
    Client().post("/accounts/signup/", {"name": "P", "email": "p@example.org", "password1": "correct horse battery"})

    assert User.objects.count() == 2
    assert User.objects.get(is_superuser=True) == owner


@pytest.mark.parametrize("case", ["used", "other address", "revoked", "expired", "unknown", "already member"])
def test_a19_invitation_is_good_once_for_one_person(case, adm, project):
    person = UserFactory(email="invited@example.org")
    invited = invitations.invite(
        actor=actor_of(adm), organization_id=project.organization_id, email="invited@example.org"
    )
    token = invited.link.rstrip("/").rsplit("/", 1)[1]
    expected = (400, "invitation_not_valid")
    match case:
        case "used":
            send(signed_in(person), "POST", "/api/v1/invitations/accept/", {"token": token})
        case "other address":
            person = UserFactory()
        case "revoked":
            invitations.revoke_invitation(actor=actor_of(adm), invitation_id=invited.invitation.pk)
        case "expired":
            Invitation.objects.update(expires_at="2026-01-01T00:00Z")
        case "unknown":
            token = token[::-1]
        case "already member":
            OrganizationMember.objects.create(organization=project.organization, user=person)
            expected = (409, "already_member")
    before = rows()

    answer = send(signed_in(person), "POST", "/api/v1/invitations/accept/", {"token": token})

    assert (answer.status_code, answer.json()["code"]) == expected
    assert rows() == before
    assert refusals("invitation_not_valid") == (1 if expected[0] == 400 else 0)


def test_a19_invitation_cannot_be_redirected_to_another_organization(adm, project):
    elsewhere = ProjectFactory(owner=UserFactory())

    answer = send(
        signed_in(adm),
        "POST",
        "/api/v1/invitations/",
        {"organization": str(project.organization_id), "email": "x@example.org", "project": str(elsewhere.pk)},
    )

    assert (answer.status_code, Invitation.objects.count()) == (404, 0)


def test_a34_cookie_needs_csrf_json_and_our_origin(a):
    client = signed_in(a, enforce_csrf_checks=True)
    before = rows()

    without = client.patch("/api/v1/me/", {"name": "x"}, content_type="application/json")
    as_text = client.post("/api/v1/organizations/", json.dumps({"name": "x"}), content_type="text/plain")
    foreign = client.patch(
        "/api/v1/me/", {"name": "x"}, content_type="application/json", headers={"Origin": f"https://{C}"}
    )
    page = client.post("/settings/sessions/", {"form": "end_others"})

    assert [r.status_code for r in (without, as_text, foreign, page)] == [403] * 4
    assert without.json()["code"] == "csrf"
    assert rows() == before
    assert refusals("csrf") >= 1


def test_a34_text_plain_json_is_no_json_even_with_a_key(a, project):
    answer = Client().post(
        "/api/v1/organizations/",
        json.dumps({"name": "x"}),
        content_type="text/plain",
        headers=bearer(key_of(a, project.organization)),
    )

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a34_no_origin_is_allowed_in():
    answer = Client().options(
        "/api/v1/me/",
        headers={
            "Origin": f"https://{C}",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization",
        },
    )

    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_link_for_somebody_is_of_no_use_for_the_claim(a):
    people.start_first()
    token = sessions.make_sign_in_link(actor=SYSTEM, user=a)

    answer = Client().post(
        f"/accounts/link/{token}/", {"name": "X", "email": "x@example.org", "password": "correct horse battery"}
    )

    assert answer.status_code == 302
    assert not User.objects.filter(email="x@example.org").exists()
    a.refresh_from_db()
    assert not a.is_superuser


def test_random_id_and_foreign_object_get_the_same_answer(a):
    foreign = ProjectFactory(owner=UserFactory())
    client = signed_in(a)

    answers = [send(client, "GET", f"/api/v1/projects/{pk}/") for pk in (foreign.pk, uuid.uuid4())]

    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]
    assert bodies[0]["status"] == 404
