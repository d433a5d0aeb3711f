"""Cookies, tokens and keys: what they open, how many queries it costs, what ends them."""

import time
import uuid
from datetime import timedelta

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts import actors, tokens
from apps.accounts.models import ApiKey, Denial, Device, Invitation, Project, SignInAttempt, UserSession
from apps.accounts.services import devices, invitations, organizations, sessions
from apps.accounts.sessions import SessionStore, clear_expired
from apps.accounts.types import NOBODY, ActorKind, OrganizationRole, SessionEnd, SessionKind
from apps.core import coordinator
from tests.accounts.factories import (
    PASSWORD,
    OrganizationFactory,
    ProjectFactory,
    UserFactory,
    actor_of,
    deny,
    join,
    key_of,
    member_of,
)

pytestmark = pytest.mark.django_db


def post_json(client, path, body, **headers):
    return client.post(path, body, content_type="application/json", headers=headers)


def token_pair(client, user):
    return post_json(client, "/api/v1/auth/token/", {"email": user.email, "password": PASSWORD}).json()


def sign_in(client, user):
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})


def test_sign_in_begins_a_session_and_one_query_finds_the_actor(client, django_assert_num_queries, rf):
    user = UserFactory()

    answer = sign_in(client, user)
    request = rf.get("/")
    request.session = client.session

    assert answer.status_code == 302
    session = UserSession.objects.get(user=user)
    assert (session.kind, session.session_key, session.ended_at) == (
        SessionKind.COOKIE,
        client.session.session_key,
        None,
    )
    with django_assert_num_queries(1):
        actor = actors.actor_of_request(request)
        assert actors.cookie_session(request).user == user
    assert (actor.kind, actor.user_id, actor.session_id) == (ActorKind.MEMBER, user.pk, session.pk)


def test_sign_in_changes_a_session_id_that_was_fixed_before(client):
    user = UserFactory()
    client.get("/accounts/login/")
    fixed = client.session
    fixed["planted"] = True
    fixed.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = fixed.session_key

    sign_in(client, user)

    assert client.session.session_key != fixed.session_key
    assert actors.actor_for(session_key=fixed.session_key) == NOBODY


@pytest.mark.parametrize("how", ["logout", "password change", "role change", "ended elsewhere", "deactivated"])
def test_old_cookie_and_tokens_open_nothing_after(how, client):
    user = UserFactory()
    project = ProjectFactory(owner=UserFactory())
    member = join(user, project.organization)
    sign_in(client, user)
    cookie = client.session.session_key
    pair = token_pair(Client(), user)

    match how:
        case "logout":
            client.post("/accounts/logout/")
            tokens_survive = True
        case "password change":
            client.post(
                "/accounts/password/change/",
                {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"},
            )
            tokens_survive = False
        case "role change":
            owner = actor_of(organizations.OrganizationMember.objects.get(role=OrganizationRole.OWNER).user)
            organizations.change_member_role(actor=owner, member_id=member.pk, role=OrganizationRole.GUEST)
            tokens_survive = False
        case "ended elsewhere":
            mine = UserSession.objects.get(user=user, kind=SessionKind.COOKIE)
            sessions.end_session(actor=actor_of(user), session_id=mine.pk)
            tokens_survive = True
        case "deactivated":
            user.is_active = False
            user.save()
            tokens_survive = False

    assert actors.actor_for(session_key=cookie) == NOBODY
    assert actors.actor_for(authorization=f"Bearer {pair['access']}").is_somebody is tokens_survive


def test_password_change_keeps_the_session_that_made_it(client):
    user = UserFactory()
    sign_in(client, user)

    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "another horse battery", "password2": "another horse battery"},
    )

    assert actors.actor_for(session_key=client.session.session_key).user_id == user.pk


def test_refresh_rotates_and_a_used_token_ends_the_session(client):
    user = UserFactory()
    first = token_pair(client, user)

    second = post_json(client, "/api/v1/auth/token/refresh/", {"refresh": first["refresh"]})
    assert second.status_code == 200
    assert actors.actor_for(authorization=f"Bearer {second.json()['access']}").user_id == user.pk

    again = post_json(client, "/api/v1/auth/token/refresh/", {"refresh": first["refresh"]})

    assert again.status_code == 401
    assert UserSession.objects.get(user=user).end_reason == SessionEnd.REUSED
    assert actors.actor_for(authorization=f"Bearer {second.json()['access']}") == NOBODY


def test_revoke_ends_the_pair(client):
    pair = token_pair(client, UserFactory())

    answer = post_json(client, "/api/v1/auth/token/revoke/", {"refresh": pair["refresh"]})

    assert answer.status_code == 204
    assert actors.actor_for(authorization=f"Bearer {pair['access']}") == NOBODY


def test_forged_tokens_open_nothing():
    user = UserFactory()
    session = sessions.begin_session(user=user, kind=SessionKind.TOKEN)
    good = tokens.pair_for(session)
    key = django_settings.SIMPLE_JWT["SIGNING_KEY"]
    claims = jwt.decode(good.access, key, algorithms=["HS256"], audience="parlance")
    now = int(time.time())

    def signed(headers=None, algorithm="HS256", secret=key, **changes):
        return jwt.encode(claims | changes, secret, algorithm=algorithm, headers=headers)

    forged = {
        "none": jwt.encode(claims, None, algorithm="none"),
        "other key": signed(secret="x" * 64),
        "other algorithm": signed(algorithm="HS512"),
        "kid path": signed(headers={"kid": "../../../../dev/null"}, secret="\0" * 64),
        "expired": signed(exp=now - 1),
        "audience": signed(aud="elsewhere"),
        "issuer": signed(iss="https://evil.example"),
        "type": good.refresh,
        "not yet": signed(nbf=now + 3600),
        "session of somebody else": signed(sub=str(UserFactory().pk)),
        "unknown session": signed(sid=str(uuid.uuid4())),
        "epoch": signed(epoch=claims["epoch"] + 1),
        "list as epoch": signed(epoch=[1]),
        "no sid": jwt.encode({k: v for k, v in claims.items() if k != "sid"}, key),
        "cut": good.access[:-3],
    }
    assert actors.actor_for(authorization=f"Bearer {signed()}").user_id == user.pk

    accepted = [name for name, token in forged.items() if actors.actor_for(authorization=f"Bearer {token}") != NOBODY]

    assert accepted == []


def test_key_gives_an_actor_with_its_limits_in_one_query(django_assert_num_queries):
    user = UserFactory()
    project = ProjectFactory(owner=user)
    token = key_of(user, project.organization, project=project, scopes=("conversations:read",))
    ApiKey.objects.update(last_used_at=timezone.now())

    with django_assert_num_queries(1):
        actor = actors.actor_for(api_key=token)

    assert actor.kind == ActorKind.KEY
    assert (actor.organization_id, actor.project_id) == (project.organization_id, project.pk)
    assert actor.scopes == {"conversations:read"}


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": "2026-01-01T00:00Z"},
        {"expires_at": "2026-01-01T00:00Z"},
    ],
)
def test_key_not_in_force_gives_nobody(change):
    user = UserFactory()
    token = key_of(user, OrganizationFactory())
    ApiKey.objects.update(**change)

    assert actors.actor_for(authorization=f"Bearer {token}") == NOBODY


def test_key_use_is_noted_once_a_minute(django_assert_num_queries):
    user = UserFactory()
    token = key_of(user, OrganizationFactory())

    with django_assert_num_queries(2):
        actors.actor_for(api_key=token)
    with django_assert_num_queries(1):
        actors.actor_for(api_key=token)

    assert timezone.now() - ApiKey.objects.get().last_used_at < timedelta(minutes=1)


def test_two_headers_that_differ_open_nothing():
    user = UserFactory()
    token = key_of(user, OrganizationFactory())

    assert actors.actor_for(authorization=f"Bearer {token}", api_key=token).is_somebody
    assert actors.actor_for(authorization=f"Bearer {token}", api_key=token + "x") == NOBODY


def test_renew_follows_the_session_and_the_key(client):
    user = UserFactory()
    session = sessions.begin_session(user=user, kind=SessionKind.TOKEN)
    by_session = actors.member(user, session=session)
    by_key = actors.actor_for(api_key=key_of(user, OrganizationFactory()))

    assert actors.renew(by_session).user_id == user.pk
    assert actors.renew(by_key).user_id == user.pk
    sessions.end_all_sessions(user_id=user.pk, reason=SessionEnd.OPERATOR)
    ApiKey.objects.update(revoked_at=timezone.now())

    assert actors.renew(by_session) == NOBODY
    assert actors.renew(by_key) == NOBODY


def test_socket_scope_takes_header_subprotocol_and_cookie(client):
    user = UserFactory()
    token = key_of(user, OrganizationFactory())
    sign_in(client, user)
    cookie = f"{django_settings.SESSION_COOKIE_NAME}={client.session.session_key}"

    ways = [
        {"headers": [(b"authorization", f"Bearer {token}".encode())]},
        {"headers": [(b"x-api-key", token.encode())]},
        {"subprotocols": ["parlance", f"bearer.{token}"]},
        {"headers": [(b"cookie", cookie.encode())]},
    ]

    credentials = [actors.credential_from_scope(scope) for scope in ways]
    nothing = actors.credential_from_scope({"headers": [(b"cookie", b"a=\x00; b")]})
    found = actors.actors_for_sockets([*credentials, nothing])

    assert [found[each].user_id for each in credentials] == [user.pk] * 4
    assert found[nothing] == NOBODY


def test_many_credentials_are_asked_for_together(client, django_assert_num_queries):
    users = [UserFactory() for _each in range(3)]
    organization = OrganizationFactory()
    for user in users:
        join(user, organization)
    keys = [actors.Credential(api_key=key_of(user, organization)) for user in users]
    pairs = [token_pair(client, user)["access"] for user in users]
    bearers = [actors.Credential(authorization=f"Bearer {token}") for token in pairs]
    sign_in(client, users[0])
    cookie = actors.Credential(session_key=client.session.session_key)
    ended = actors.Credential(authorization=f"Bearer {pairs[0]}", session_key=client.session.session_key)
    sessions.end_session(actor=actor_of(users[0]), session_id=tokens.read_access(pairs[0]).session_id)
    refused = [
        ended,
        actors.Credential(api_key="pk_nobody", session_key=client.session.session_key),
        actors.Credential(authorization="Basic abc", session_key=client.session.session_key),
        actors.Credential(authorization=f"Bearer {pairs[1]}", api_key=keys[1].api_key),
        actors.Credential(session_key="nothing"),
        actors.Credential(),
    ]
    everything = [*keys, *bearers[1:], cookie, *refused]
    actors.actors_for(everything)  # notes when each was seen

    with django_assert_num_queries(3):
        found = actors.actors_for(everything)

    assert [found[each].user_id for each in keys] == [user.pk for user in users]
    assert [found[each].user_id for each in bearers[1:]] == [user.pk for user in users[1:]]
    assert found[cookie].user_id == users[0].pk
    assert [found[each] for each in refused] == [NOBODY] * len(refused)


def test_unknown_people_and_wrong_passwords_get_one_answer(client):
    user = UserFactory()

    wrong = post_json(client, "/api/v1/auth/token/", {"email": user.email, "password": "wrong"})
    unknown = post_json(client, "/api/v1/auth/token/", {"email": "nobody@example.org", "password": "wrong"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
    assert wrong.json()["code"] == "sign_in_failed"


def test_guesses_from_elsewhere_do_not_lock_out_a_familiar_address(client):
    user = UserFactory()
    assert token_pair(client, user)["access"]

    strangers = [
        client.post(
            "/api/v1/auth/token/",
            {"email": user.email, "password": "wrong"},
            content_type="application/json",
            REMOTE_ADDR=f"198.51.100.{n}",
        ).status_code
        for n in range(14)
    ]

    assert strangers == [401] * 10 + [429] * 4
    assert "access" in token_pair(client, user)


def test_many_users_from_one_address_are_limited(client):
    statuses = [
        post_json(client, "/api/v1/auth/token/", {"email": f"p{n}@example.org", "password": "wrong"}).status_code
        for n in range(35)
    ]

    assert statuses == [401] * 30 + [429] * 5
    assert SignInAttempt.objects.count() == 35
    assert not UserSession.objects.exists()


def test_sign_up_brings_an_organization_and_a_project(client, settings):
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"
    UserFactory(is_superuser=True)

    answer = client.post(
        "/accounts/signup/", {"name": "Ann", "email": "ann@example.org", "password1": "correct horse battery"}
    )

    assert answer.status_code == 302
    project = Project.objects.get()
    assert project.organization.name == "Ann's organization"
    member = organizations.OrganizationMember.objects.get()
    assert (member.user.email, member.user.name, member.role) == ("ann@example.org", "Ann", OrganizationRole.OWNER)
    assert not member.user.is_staff


def test_sign_up_is_closed_until_somebody_owns_the_installation(client, settings):
    settings.PARLANCE_SIGN_UP = "open"

    page = client.get("/accounts/login/").content.decode()
    answer = client.post(
        "/accounts/signup/", {"name": "Ann", "email": "ann@example.org", "password1": "correct horse battery"}
    )

    assert "belongs to nobody yet" in page
    assert "/accounts/signup/" not in page
    assert "This Parlance is new" in answer.content.decode()
    assert not organizations.OrganizationMember.objects.exists()


def test_sign_up_is_closed_by_setting(client, settings):
    UserFactory(is_superuser=True)
    settings.PARLANCE_SIGN_UP = "invitation"

    page = client.get("/accounts/login/").content.decode()
    answer = client.post(
        "/accounts/signup/", {"name": "Ann", "email": "ann@example.org", "password1": "correct horse battery"}
    )

    assert "/accounts/signup/" not in page
    assert answer.status_code == 200
    assert not Project.objects.exists()


@pytest.mark.parametrize("how", ["cookie", "token", "key"])
def test_api_call_costs_one_query_for_who_asks(how, client, django_assert_num_queries):
    user = UserFactory()
    project = ProjectFactory(owner=user)
    headers = {}
    match how:
        case "cookie":
            sign_in(client, user)
        case "token":
            headers = {"Authorization": f"Bearer {token_pair(client, user)['access']}"}
        case "key":
            headers = {"X-API-Key": key_of(user, project.organization)}
            ApiKey.objects.update(last_used_at=timezone.now())

    with django_assert_num_queries(2):
        answer = client.get("/api/v1/projects/", headers=headers)

    assert [row["id"] for row in answer.json()["results"]] == [str(project.pk)]


def test_session_of_nobody_is_short_and_what_expired_is_cleared(client):
    store = SessionStore()
    store["asked"] = "for a page"
    store.save()
    user = UserFactory()
    client.force_login(user)
    rows = Session.objects.in_bulk()
    own = client.session.session_key

    assert rows[store.session_key].expire_date <= timezone.now() + timedelta(hours=1)
    assert rows[own].expire_date > timezone.now() + timedelta(days=20)

    Session.objects.filter(pk=store.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    clear_expired()

    assert set(Session.objects.values_list("pk", flat=True)) == {own}


def test_somebody_begins_the_sweep_of_expired_sessions():
    assert "expired sessions of browsers" in {name for name, _sweep in coordinator.sweeps.items()}


def test_what_ended_long_ago_names_nobody_any_more():
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    organization = project.organization_id
    long_ago = timezone.now() - timedelta(days=91)
    asked = [
        invitations.invite(actor=actor_of(owner), organization_id=organization, email=f"{name}@example.net").invitation
        for name in ("came", "never", "open")
    ]
    Invitation.objects.filter(pk__in=[each.pk for each in asked[:2]]).update(expires_at=long_ago)
    Invitation.objects.filter(pk=asked[0].pk).update(accepted_at=long_ago, accepted_by=owner)
    deny(member_of(project), project, expires_at=long_ago)
    kept = deny(member_of(project), project)
    for _number in range(3):
        key_of(owner, project.organization)
    withdrawn, over, in_force = ApiKey.objects.order_by("pk")
    ApiKey.objects.filter(pk=withdrawn.pk).update(revoked_at=long_ago)
    ApiKey.objects.filter(pk=over.pk).update(expires_at=long_ago)

    sessions.forget_old()

    assert set(Invitation.objects.values_list("pk", flat=True)) == {asked[0].pk, asked[2].pk}
    assert list(Denial.objects.values_list("pk", flat=True)) == [kept.pk]
    assert list(ApiKey.objects.values_list("pk", flat=True)) == [in_force.pk]


def test_device_that_was_seen_only_once_is_forgotten_before_one_that_came_back():
    ann = UserFactory()
    once, again = (devices.remember_device(user=ann, device_token=None)[0] for _each in range(2))
    begun = timezone.now() - timedelta(days=100)
    Device.objects.update(created_at=begun, last_seen_at=begun)
    Device.objects.filter(pk=again.pk).update(last_seen_at=begun + timedelta(days=2))

    devices.forget_unused_devices()

    assert list(Device.objects.values_list("pk", flat=True)) == [again.pk]
    assert once.pk != again.pk
