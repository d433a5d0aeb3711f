"""A26 and A44 where people sign in elsewhere: a forged host at the start, an issuer inside our network."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client

from apps.accounts.models import IdentityProvider, Organization, OrganizationMember
from tests.accounts.factories import ProjectFactory, UserFactory
from tests.accounts.test_sso import provider_at
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
