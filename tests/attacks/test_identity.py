"""A25, A26 and A44 where people sign in elsewhere: forged tokens, a forged host at the start, an issuer inside our network."""

import time
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings
from django.test import RequestFactory

from apps.accounts.identity.adapter import app_of, asked
from apps.accounts.identity.known import find_known
from apps.accounts.identity.protocols import OpenIDConnect
from apps.accounts.models import IdentityProvider, Organization, OrganizationMember
from apps.accounts.types import SsoRefused
from apps.core.models import Event
from tests.accounts.factories import ProjectFactory, UserFactory
from tests.accounts.test_sso import provider_at
from tests.attacks.caller import Client
from tests.attacks.test_accounts import C
from tests.issuer.fixtures import issuer

__all__ = ["issuer"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def project(owner):
    project = ProjectFactory(owner=owner)
    Organization.objects.filter(pk=project.organization_id).update(is_home=True)
    return project


@pytest.mark.in_process("an issuer on this machine, which settings allow")
def test_a26_sign_in_elsewhere_comes_back_to_the_configured_address(issuer, project, owner, settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    provider_at(issuer, project, owner)

    forged = Client().get("/accounts/sso/sand/", HTTP_HOST=C)
    forwarded = Client().get("/accounts/sso/sand/", HTTP_X_FORWARDED_HOST=C)

    assert forged.status_code == 400
    assert forwarded.status_code == 302
    asked = parse_qs(urlsplit(forwarded["Location"]).query)
    assert asked["redirect_uri"] == [f"{django_settings.PARLANCE_URL}/accounts/sso/sand/callback/"]
    assert C not in forwarded["Location"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::ffff:7f00:1]/",
        "https://0x7f.1/",
    ],
)
def test_a44_organization_names_no_issuer_inside(project, address):
    admin = Client()
    admin.force_login(project_owner(project))
    more = {"client_secret": "s", "domains": "sand.example"}
    form = {"form": "add", "kind": "oidc", "name": "Inside", "slug": "inside", "issuer": address, "client_id": "x"}

    answer = admin.post("/settings/sign-in/", form | more)
    honest = admin.post("/settings/sign-in/", form | more | {"issuer": "https://id.sand.example"})

    assert (answer.status_code, honest.status_code) == (400, 302)
    assert IdentityProvider.objects.get().issuer == "https://id.sand.example"


def project_owner(project):
    member = OrganizationMember.objects.select_related("user").get(organization=project.organization_id, role="owner")
    member.user.is_staff = member.user.is_superuser = False
    member.user.save()
    return member.user


@pytest.mark.parametrize(
    "claims", [{"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"aud": ["x", "y"]}]
)
@pytest.mark.in_process("an issuer on this machine, which settings allow")
def test_a25_token_for_others_from_others_or_of_yesterday_signs_nobody_in(issuer, project, owner, settings, claims):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    provider_at(issuer, project, owner, joins_as="member")
    client = Client()

    answer = issuer.sign_in(client, "sand", id_token=claims)

    assert (answer.status_code, client.get("/api/v1/me/").status_code) == (403, 401)
    assert Event.objects.filter(is_refusal=True, payload__code="sso_refused").count() == 1


@pytest.mark.parametrize("how", ["another key", "none", "shared secret"])
@pytest.mark.in_process("an issuer on this machine, which settings allow")
def test_a25_token_that_the_issuer_did_not_sign_is_refused(issuer, project, owner, settings, how):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    provider_at(issuer, project, owner)
    known = find_known("sand")
    mark = asked.set(known)
    protocol = OpenIDConnect(RequestFactory().get("/"), known)
    kid = httpx.get(protocol.openid_config["jwks_uri"]).json()["keys"][0].get("kid")
    now = int(time.time())
    claims = {
        "sub": "ada",
        "iss": protocol.openid_config["issuer"],
        "aud": known.client_id,
        "iat": now,
        "exp": now + 60,
    }
    match how:
        case "another key":
            token = jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": kid})
        case "none":
            token = jwt.encode(claims, None, "none", headers={"kid": kid})
        case "shared secret":
            token = jwt.encode(claims, issuer.secret.ljust(32), "HS256", headers={"kid": kid})

    with pytest.raises(SsoRefused):
        protocol._claims(app_of(known), token)
    asked.reset(mark)
