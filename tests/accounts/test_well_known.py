"""Google, Microsoft and GitHub, spoken to over HTTP with the product's own code, at addresses on this machine."""

from contextlib import ExitStack

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client

from apps.accounts.identity import outbound
from apps.accounts.models import Organization, User, UserSession
from apps.accounts.services import identity
from apps.accounts.types import SignInMethod
from apps.core.models import Event
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.issuer import well_known
from tests.issuer.well_known import CLIENT_ID, SECRET, TENANT

pytestmark = pytest.mark.django_db

EMAIL = "ada@sand.example"
#: What each says of somebody whose address it has confirmed.
SAYS = {
    "google": {"sub": "1077", "email": EMAIL, "email_verified": True, "name": "Ada Sand", "hd": "sand.example"},
    "microsoft": {"sub": "AAAx", "tid": TENANT, "email": EMAIL, "name": "Ada Sand", "xms_edov": True},
    "github": {"id": 583231, "login": "ada", "name": "Ada Sand", "email": None},
}
EMAILS = [
    {"email": "spam@elsewhere.example", "primary": False, "verified": False, "visibility": None},
    {"email": "ada@private.example", "primary": False, "verified": True, "visibility": None},
    {"email": EMAIL, "primary": True, "verified": True, "visibility": "private"},
]
UID = {"google": "1077", "microsoft": "AAAx", "github": "583231"}
WALK = {
    "google": ["/.well-known/openid-configuration", "/o/oauth2/v2/auth", "/token", "/oauth2/v3/certs", "/v1/userinfo"],
    "microsoft": [
        "/common/v2.0/.well-known/openid-configuration",
        "/common/oauth2/v2.0/authorize",
        "/common/oauth2/v2.0/token",
        "/common/discovery/v2.0/keys",
        "/oidc/userinfo",
    ],
    "github": ["/login/oauth/authorize", "/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails"],
}


@pytest.fixture(scope="module")
def server():
    with well_known.running() as server:
        yield server


@pytest.fixture
def says(server, settings):
    """``says("google", email_verified=False)``: the platform's provider of that kind is the server, and says this."""
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    settings.PARLANCE_SIGN_UP = "open"
    UserFactory(is_staff=True, is_superuser=True)

    def say(kind, *, emails=EMAILS, profile=None, **changes):
        settings.PARLANCE_IDENTITY_PROVIDERS = {
            kind: {
                "name": kind.title(),
                "kind": kind,
                "issuer": server.issuer(kind),
                "client_id": CLIENT_ID,
                "secret": SECRET,
            }
        }
        server.claims, server.emails, server.profile = SAYS[kind] | changes, emails, profile or {}
        server.asked.clear()
        return server

    return say


def refusals():
    return list(Event.objects.filter(is_refusal=True).values_list("payload__code", flat=True))


@pytest.mark.parametrize("kind", SAYS)
def test_person_signs_in_with_a_confirmed_address(kind, says):
    server, client = says(kind), Client()

    answer = server.sign_in(client, kind)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    ada = User.objects.get(email=EMAIL)
    session = UserSession.objects.get(user=ada)
    assert (ada.name, session.method, session.auth_level) == ("Ada Sand", SignInMethod.SSO, 1)
    assert list(SocialAccount.objects.values_list("provider", "uid")) == [(kind, UID[kind])]
    assert SocialToken.objects.count() == 0
    assert list(dict.fromkeys(server.paths())) == WALK[kind]
    asked = dict(server.asked)[WALK[kind][0 if kind == "github" else 1]]
    assert asked["code_challenge_method"] == "S256"
    assert set(asked["scope"].split()) == ({"user:email"} if kind == "github" else {"openid", "profile", "email"})
    again = Client()
    server.sign_in(again, kind)
    assert again.get("/api/v1/me/").json()["email"] == EMAIL
    assert User.objects.filter(email=EMAIL).count() == 1


@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        ("google", {"email_verified": False}, "address not confirmed"),
        ("google", {"aud": "another-client"}, "token for somebody else's client"),
        ("google", {"iss": "https://accounts.google.com.evil.example"}, "token of another issuer"),
        ("google", {"exp": 1}, "token that is over"),
        ("microsoft", {"xms_edov": None}, "nobody says that the domain's owner was verified"),
        ("microsoft", {"xms_edov": False}, "the domain's owner was not verified"),
        ("microsoft", {"xms_edov": None, "email_verified": True}, "Microsoft does not say that of an address"),
        ("microsoft", {"email": None, "profile": {"email": EMAIL}}, "the profile's address is what its person typed"),
        (
            "google",
            {"email": None, "profile": {"email": EMAIL, "email_verified": None}},
            "confirmed is another address",
        ),
        ("microsoft", {"tid": "00000000-0000-0000-0000-000000000000"}, "tenant and issuer differ"),
        ("github", {"emails": [EMAILS[0] | {"primary": True}]}, "address not confirmed"),
        ("github", {"emails": [], "email": EMAIL}, "the public address is a claim of the person's own"),
    ],
)
def test_word_that_proves_nothing_lets_nobody_in(kind, changes, why, says):
    server = says(kind, **changes)

    answer = server.sign_in(Client(), kind)

    assert answer.status_code == 403, why
    assert refusals() == ["sso_refused"]
    assert not SocialAccount.objects.exists()
    assert not UserSession.objects.filter(method=SignInMethod.SSO).exists()


@pytest.mark.parametrize("kind", ["google", "microsoft"])
def test_word_about_the_tokens_address_is_none_about_the_profiles(kind, says):
    """Microsoft's profile holds any address that its person typed; elsewhere too the two documents may speak of two."""
    UserFactory(email="victim@sand.example")
    other = {"email": "victim@sand.example", "email_verified": None}
    client = Client()

    answer = says(kind, profile=other).sign_in(client, kind)

    assert (answer.status_code, client.get("/api/v1/me/").json()["email"]) == (302, EMAIL)


def test_profile_may_say_by_itself_that_its_address_is_confirmed(says):
    client = Client()
    profile = {"email": EMAIL, "email_verified": True}

    says("google", email=None, email_verified=None, profile=profile).sign_in(client, "google")

    assert client.get("/api/v1/me/").json()["email"] == EMAIL


@pytest.mark.parametrize("kind", SAYS)
def test_account_with_the_same_address_is_not_taken_over(kind, says):
    UserFactory(email=EMAIL)

    answer = says(kind).sign_in(Client(), kind)

    assert (answer.status_code, refusals()) == (403, ["sso_not_linked"])
    assert not SocialAccount.objects.exists()


def test_what_a_provider_publishes_is_not_asked_for_at_every_click(says):
    server = says("google")
    for _ in range(3):
        Client().get("/accounts/sso/google/")
        server.sign_in(Client(), "google")

    published = [path for path in server.paths() if path in {WALK["google"][0], WALK["google"][3]}]
    assert published == [WALK["google"][0], WALK["google"][3]]


def test_provider_that_changed_its_keys_is_asked_again(says, server, monkeypatch):
    server = says("google")
    server.sign_in(Client(), "google")
    monkeypatch.setattr("apps.accounts.identity.published.AGAIN_SECONDS", 0)
    monkeypatch.setattr(server, "key_id", "2")
    client = Client()

    server.sign_in(client, "google")

    assert client.get("/api/v1/me/").status_code == 200
    assert server.paths().count(WALK["google"][3]) == 2


def test_provider_that_does_not_answer_is_left_alone_for_a_moment(says, settings):
    server = says("google")
    settings.PARLANCE_IDENTITY_PROVIDERS["google"]["issuer"] = f"{server.url}/gone"

    answers = [Client().get("/accounts/sso/google/").status_code for _ in range(3)]

    assert answers == [503, 503, 503]
    assert len(server.paths()) == 1


def test_providers_never_hold_all_threads(says, settings):
    """Anybody may begin the way to one that hangs."""
    server = says("google")
    with ExitStack() as others:
        for _ in range(settings.REQUEST_THREADS * 3 // 4):
            others.enter_context(outbound.slot())

        refused = Client().get("/accounts/sso/google/")

    assert (refused.status_code, server.paths()) == (503, [])
    assert Client().get("/accounts/sso/google/").status_code == 302


def test_code_is_no_good_without_the_browser_that_began(says):
    server, client = says("github"), Client()
    away = client.get("/accounts/sso/github/")
    back = server.authorize(away["Location"])

    assert Client().get(back).status_code == 401
    server.granted.clear()  # the provider has taken the code already
    assert client.get(back).status_code == 401
    assert not User.objects.filter(email=EMAIL).exists()


def test_organization_is_told_the_address_in_its_own_domain(says, server):
    """Of the three that GitHub lists, the organization's provider speaks for one."""
    says("github")
    owner = UserFactory(is_staff=True)
    project = ProjectFactory(owner=owner)
    Organization.objects.filter(pk=project.organization_id).update(is_home=True)
    identity.make_provider(
        actor=actor_of(owner),
        organization_id=project.organization_id,
        kind="github",
        slug="hub",
        name="Hub",
        issuer=server.url,
        client_id=CLIENT_ID,
        client_secret=SECRET,
        domains=["private.example"],
        joins_as="member",
    )

    answer = server.sign_in(Client(), "hub")

    assert answer.status_code == 302
    assert User.objects.filter(email="ada@private.example").count() == 1
