"""Through another identity provider: a real issuer in a process of its own says who somebody is."""

import html
import re
from contextlib import closing

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.test import Client

from apps.accounts import rules
from apps.accounts.models import IdentityProvider, Organization, OrganizationMember, User, UserSession
from apps.accounts.services import identity, organizations, sign_in_rules
from apps.accounts.types import OrganizationRole, ProviderUnreachable, SignInMethod, SlugTaken
from apps.core.errors import Forbidden
from apps.core.models import Event
from apps.core.rules import RuleBroken
from tests.accounts.factories import OrganizationFactory, ProjectFactory, UserFactory, actor_of, join, member_of
from tests.issuer.fixtures import issuer, second_issuer

__all__ = ["issuer", "second_issuer"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _local_issuer(settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]


@pytest.fixture
def owner():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def project(owner):
    project = ProjectFactory(owner=owner)
    Organization.objects.filter(pk=project.organization_id).update(is_home=True)
    return project


def provider_at(issuer, project, owner, **values):
    defaults = {"slug": "sand", "name": "Sand", "domains": ["sand.example"]}
    return identity.make_provider(
        actor=actor_of(owner),
        organization_id=project.organization_id,
        kind="oidc",
        issuer=issuer.url,
        client_id=issuer.client_id,
        client_secret=issuer.secret,
        **(defaults | values),
    )


def is_in(client):
    return client.get("/api/v1/me/").status_code == 200


def test_stranger_joins_where_the_provider_lets_them(issuer, project, owner):
    row = provider_at(issuer, project, owner, joins_as="member")
    client = Client()
    client.cookies["time_zone"] = "Europe/Lisbon"

    answer = issuer.sign_in(client, "sand", name="Ada Sand")

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_in(client)
    ada = User.objects.get(email="ada@sand.example")
    session = UserSession.objects.get(user=ada)
    assert (session.method, session.identity_provider_id, session.auth_level) == (SignInMethod.SSO, row.pk, 1)
    assert OrganizationMember.objects.get(user=ada).role == OrganizationRole.MEMBER
    assert (ada.name, ada.has_usable_password(), ada.is_staff) == ("Ada Sand", False, False)
    assert ada.time_zone == "Europe/Lisbon"
    assert EmailAddress.objects.get(user=ada).verified
    assert SocialToken.objects.count() == SocialApp.objects.count() == 0
    again = Client()
    issuer.sign_in(again, "sand")
    assert is_in(again)
    assert User.objects.filter(email="ada@sand.example").count() == 1


def test_account_of_an_address_that_was_never_confirmed_opens_by_the_provider_alone_from_then_on(
    issuer, project, owner
):
    """Whoever signed up with the address before only typed it."""
    provider_at(issuer, project, owner)
    ada = UserFactory(email="ada@sand.example")
    join(ada, project.organization)
    EmailAddress.objects.create(user=ada, email=ada.email, primary=True)
    stranger = Client()
    stranger.force_login(ada)
    SocialAccount.objects.create(user=ada, provider="google", uid="stranger")
    client = Client()

    issuer.sign_in(client, "sand")

    assert (is_in(client), is_in(stranger)) == (True, False)
    ada.refresh_from_db()
    assert not ada.has_usable_password()
    assert EmailAddress.objects.get(user=ada).verified
    assert [each.provider for each in SocialAccount.objects.all()] == ["sand"]
    assert Event.objects.get(type="accounts.mailbox_proved").payload["how"] == "sso"


def test_page_says_who_loses_a_way_in_before_a_provider_is_removed(issuer, project, owner):
    row = provider_at(issuer, project, owner, joins_as="member")
    provider_at(issuer, project, owner, slug="unused", name="Unused")
    issuer.sign_in(Client(), "sand")
    SocialAccount.objects.create(user=UserFactory(), provider="sand", uid="else")
    client = Client()
    client.force_login(owner)

    page = client.get("/settings/sign-in/").content.decode()

    sand, unused = (page.split(f'<dialog class="dialog" id="remove-{slug}"')[1] for slug in ("sand", "unused"))
    sand, unused = sand.partition("</dialog>")[0], unused.partition("</dialog>")[0]
    assert f'name="provider" value="{row.pk}"' in sand
    assert "2 people sign in through it" in sand
    assert "1 of them has no password" in sand
    assert "sign in through it" not in unused
    assert page.count('value="remove"') == 2  # in the two questions, and nowhere else


def test_link_on_another_site_asks_before_it_begins(issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")
    client = Client()

    asked = client.get("/accounts/sso/sand/?next=/search/", headers={"Sec-Fetch-Site": "cross-site"})
    begun = client.get("/accounts/sso/sand/?next=/search/", headers={"Sec-Fetch-Site": "same-origin"})

    assert asked.status_code == 200
    assert 'href="/accounts/sso/sand/?next=/search/"' in asked.content.decode()
    assert begun["Location"].startswith(issuer.url)


def test_second_factor_at_the_provider_counts(issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")

    issuer.sign_in(Client(), "sand", id_token={"amr": ["pwd", "mfa"]})

    assert UserSession.objects.get(method=SignInMethod.SSO).auth_level == 2


def test_stranger_stays_out_where_it_does_not(issuer, project, owner):
    provider_at(issuer, project, owner)
    client = Client()

    answer = issuer.sign_in(client, "sand")

    assert (answer.status_code, is_in(client)) == (403, False)
    assert Event.objects.get(is_refusal=True).payload["code"] == "sso_refused"
    assert not User.objects.filter(email="ada@sand.example").exists()


def test_member_is_linked_by_a_confirmed_address_in_the_domain(issuer, project, owner):
    provider_at(issuer, project, owner)
    ada = UserFactory(email="ada@sand.example")
    join(ada, project.organization)
    client = Client()

    issuer.sign_in(client, "sand")

    assert client.get("/api/v1/me/").json()["email"] == "ada@sand.example"
    assert SocialAccount.objects.get(user=ada).provider == "sand"
    assert Event.objects.filter(type="accounts.identity_linked").count() == 1


@pytest.mark.parametrize(
    ("person", "member", "why"),
    [
        ({"email_verified": False}, True, "not confirmed"),
        ({"email": "ada@elsewhere.example"}, True, "outside the provider's domains"),
        ({}, False, "of somebody who does not belong to the organization"),
    ],
)
def test_a25_word_about_an_address_links_nothing(issuer, project, owner, person, member, why):
    provider_at(issuer, project, owner, joins_as="member")
    ada = UserFactory(email=person.get("email", "ada@sand.example"))
    if member:
        join(ada, project.organization)
    client = Client()

    answer = issuer.sign_in(client, "sand", **person)

    assert (answer.status_code, is_in(client)) == (403, False), why
    code = "sso_refused" if member else "sso_not_linked"
    assert Event.objects.filter(is_refusal=True, payload__code=code).count() == 1
    assert not SocialAccount.objects.exists()
    assert not UserSession.objects.exists()


@pytest.mark.parametrize("role", [OrganizationRole.ADMIN, OrganizationRole.OWNER, "operator", "owner elsewhere"])
def test_a25_address_alone_opens_nobodys_rights_over_others(issuer, project, owner, role):
    provider_at(issuer, project, owner, joins_as="member")
    boss = UserFactory(email="boss@sand.example", is_staff=role == "operator")
    join(boss, project.organization, role=role if role in OrganizationRole.values else OrganizationRole.MEMBER)
    if role == "owner elsewhere":
        member_of(ProjectFactory(owner=boss))
    client = Client()

    answer = issuer.sign_in(client, "sand", sub="evil", email=boss.email)

    assert (answer.status_code, is_in(client)) == (403, False)
    assert Event.objects.get(is_refusal=True).payload["code"] == "sso_not_linked"
    assert not SocialAccount.objects.exists()


def test_a25_address_that_was_given_away_again_is_another_person(issuer, project, owner):
    provider_at(issuer, project, owner)
    ada = UserFactory(email="ada@sand.example")
    join(ada, project.organization)
    issuer.sign_in(Client(), "sand", sub="ada-so-far")
    client = Client()

    answer = issuer.sign_in(client, "sand", sub="another-ada")

    assert (answer.status_code, is_in(client)) == (403, False)
    assert Event.objects.get(is_refusal=True).payload["code"] == "sso_not_linked"
    assert list(SocialAccount.objects.values_list("uid", flat=True)) == ["ada-so-far"]


def test_another_issuer_knows_nobody_of_those_the_old_one_named(issuer, project, owner):
    row = provider_at(issuer, project, owner, joins_as="member")
    client = Client()
    issuer.sign_in(client, "sand")
    identity.change_provider(actor=actor_of(owner), provider_id=row.pk, name="Dunes", issuer=f"{issuer.url}/")
    assert is_in(client)

    identity.change_provider(actor=actor_of(owner), provider_id=row.pk, issuer="https://id.elsewhere.example")

    assert not is_in(client)
    assert not SocialAccount.objects.exists()


def test_another_client_at_microsoft_names_people_anew(project, owner):
    row = IdentityProvider.objects.create(
        organization=project.organization, kind="microsoft", slug="ms", name="M", client_id="a", client_secret="b"
    )
    SocialAccount.objects.create(user=owner, provider="ms", uid="x")

    identity.change_provider(actor=actor_of(owner), provider_id=row.pk, client_id="c")

    assert not SocialAccount.objects.exists()


def test_only_owners_say_whose_word_counts(issuer, project, owner):
    """Whose word counts for an owner's address could be an owner."""
    admin = member_of(project, role=OrganizationRole.ADMIN)
    with pytest.raises(Forbidden):
        provider_at(issuer, project, admin)
    row = provider_at(issuer, project, member_of(project, role=OrganizationRole.OWNER))

    for act in (
        lambda: identity.change_provider(actor=actor_of(admin), provider_id=row.pk, issuer="https://evil.example"),
        lambda: identity.remove_provider(actor=actor_of(admin), provider_id=row.pk),
    ):
        with pytest.raises(Forbidden):
            act()

    row.refresh_from_db()
    assert row.issuer == issuer.url
    client = Client()
    client.force_login(admin)
    page = client.get("/settings/sign-in/").content.decode()
    assert 'value="add"' not in page
    assert 'value="remove"' not in page


def test_a25_same_address_and_same_name_at_a_second_issuer_open_nothing(issuer, second_issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")
    issuer.sign_in(Client(), "sand")
    elsewhere = ProjectFactory(owner=owner)
    provider_at(second_issuer, elsewhere, owner, slug="other", joins_as="member")
    client = Client()

    answer = second_issuer.sign_in(client, "other", sub="ada")

    assert Event.objects.get(is_refusal=True).payload["code"] == "sso_not_linked"

    assert (answer.status_code, is_in(client)) == (403, False)
    assert list(SocialAccount.objects.values_list("provider", "uid")) == [("sand", "ada")]


def test_a25_answer_that_comes_again_signs_nobody_in(issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")
    client = Client()
    away = client.get("/accounts/sso/sand/")
    with closing(issuer.browser()) as there:
        back = there.get(away["Location"]).headers["Location"]
    path = back[back.index("/accounts/") :]
    thief = Client()

    assert thief.get(path).status_code == 401  # another browser never began this
    assert client.get(path).status_code == 302
    Client().post("/accounts/logout/")
    client.post("/accounts/logout/")
    assert client.get(path).status_code == 401
    assert not is_in(client)


def test_profile_of_somebody_else_than_the_token_names_is_refused(issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")

    answer = issuer.sign_in(Client(), "sand", userinfo={"sub": "mallory"})

    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()


def test_who_was_removed_does_not_come_back_by_the_link(issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")
    client = Client()
    issuer.sign_in(client, "sand")
    ada = User.objects.get(email="ada@sand.example")
    member = OrganizationMember.objects.get(user=ada)

    organizations.remove_member(actor=actor_of(owner), member_id=member.pk)

    assert not is_in(client)
    assert issuer.sign_in(Client(), "sand").status_code == 403


def test_single_sign_on_only_lets_the_provider_in_and_key_creation_too(issuer, project, owner):
    provider_at(issuer, project, owner, joins_as="member")
    sign_in_rules.change_rules(actor=actor_of(owner), organization_id=project.organization_id, sso_only=True)
    client = Client()

    issuer.sign_in(client, "sand")

    body = {"organization": str(project.organization_id), "name": "x"}
    assert client.post("/api/v1/api-keys/", body, content_type="application/json").status_code == 201


def test_provider_that_is_switched_off_ends_its_sessions(issuer, project, owner):
    row = provider_at(issuer, project, owner, joins_as="member")
    client = Client()
    issuer.sign_in(client, "sand")

    identity.change_provider(actor=actor_of(owner), provider_id=row.pk, is_enabled=False)

    assert not is_in(client)
    assert client.get("/accounts/sso/sand/").status_code == 404


def test_platform_provider_makes_accounts_where_sign_up_is_open(issuer, project, owner, settings):
    settings.PARLANCE_IDENTITY_PROVIDERS = {
        "oidc": {
            "name": "Ours",
            "kind": "oidc",
            "issuer": issuer.url,
            "client_id": issuer.client_id,
            "secret": issuer.secret,
        }
    }
    settings.PARLANCE_SIGN_UP = "invitation"
    assert issuer.sign_in(Client(), "oidc", email="new@any.example").status_code == 403
    settings.PARLANCE_SIGN_UP = "open"
    client = Client()

    issuer.sign_in(client, "oidc", email="new@any.example")

    assert client.get("/api/v1/me/").json()["email"] == "new@any.example"
    assert "Ours" in Client().get("/accounts/login/").content.decode()
    UserFactory(email="here@any.example")
    assert issuer.sign_in(Client(), "oidc", sub="eve", email="here@any.example").status_code == 403


def test_issuer_inside_is_not_reached_for_an_organization(issuer, project, owner, settings):
    provider_at(issuer, project, owner)
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = []

    answer = Client().get("/accounts/sso/sand/")

    assert (answer.status_code, ProviderUnreachable.code) == (503, "identity_provider_unreachable")
    assert "identity provider does not answer" in answer.content.decode()


def test_secret_is_sealed_and_only_those_who_may_make_providers(issuer, project, owner):
    row = provider_at(issuer, project, owner)
    stored = IdentityProvider.objects.filter(pk=row.pk).values_list("client_secret", flat=True).get()
    assert issuer.secret not in stored.stored
    with pytest.raises(Forbidden):
        provider_at(issuer, project, member_of(project), slug="mine")
    elsewhere = ProjectFactory(organization=OrganizationFactory(), owner=(stranger := UserFactory()))
    with pytest.raises(Forbidden):
        provider_at(issuer, elsewhere, stranger, slug="theirs")
    with pytest.raises(SlugTaken) as taken:
        provider_at(issuer, project, owner)
    assert taken.value.code == "slug_taken"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "Go\u202eelgoo", "name"),
        ("slug", "a slug", "slug"),
        ("issuer", "https://name:word@id.sand.example", "url"),
        ("domains", "domain!!", "domain"),
    ],
)
def test_words_are_those_of_the_rules_at_every_door(issuer, project, owner, field, value, code):
    """The name is on the sign-in page of everybody."""
    values = {"slug": "sand", "name": "S", "issuer": issuer.url, "client_id": "c", "client_secret": "s", "domains": []}
    values |= {field: [value] if field == "domains" else value}
    with pytest.raises(RuleBroken) as broken:
        identity.make_provider(actor=actor_of(owner), organization_id=project.organization_id, kind="oidc", **values)
    assert [(each.field, each.code) for each in broken.value.fields] == [(field, code)]
    client = Client()
    client.force_login(owner)

    answer = client.post("/settings/sign-in/", {"form": "add", "kind": "oidc", "joins_as": ""} | values)
    admin = {"kind": "oidc", "of_organization": project.organization_id, "new_secret": "s"} | values
    added = client.post("/admin/accounts/identityprovider/add/", admin)

    assert (answer.status_code, added.status_code) == (400, 200)
    assert not IdentityProvider.objects.exists()


def test_page_shows_rules_and_adds_a_provider(issuer, project, owner):
    client = Client()
    client.force_login(owner)
    form = {
        "form": "add",
        "kind": "oidc",
        "name": "Sand",
        "slug": "sand",
        "issuer": "https://id.sand.example",
        "client_id": "x",
        "client_secret": "very-secret",
        "domains": "sand.example, Dune.example",
    }

    assert client.post("/settings/sign-in/", form).status_code == 302

    page = client.get("/settings/sign-in/").content.decode()
    assert "/accounts/sso/sand/callback/" in page
    assert "very-secret" not in page
    row = IdentityProvider.objects.get()
    assert row.domains == ["sand.example", "dune.example"]
    assert client.post("/settings/sign-in/", form).status_code == 400  # the short name is taken
    client.post("/settings/sign-in/", {"form": "switch", "provider": row.pk, "on": "0"})
    row.refresh_from_db()
    assert not row.is_enabled
    client.post(
        "/settings/sign-in/",
        {"form": "rules", "mail_domains": "sand.example", "session_hours": "8", "idle_minutes": "0"},
    )
    assert rules.rules_of(owner.pk).hours == 8
    client.post("/settings/sign-in/", {"form": "remove", "provider": row.pk})
    assert not IdentityProvider.objects.exists()
    member = Client()
    member.force_login(member_of(project))
    assert member.get("/settings/sign-in/").status_code == 403


def test_rules_that_somebody_else_changed_meanwhile_stay(project, owner):
    client = Client()
    client.force_login(owner)
    page = client.get("/settings/sign-in/").content.decode()
    shown = html.unescape(re.search(r'name="shown" value="([^"]*)"', page)[1])
    values = {"form": "rules", "mail_domains": "", "session_hours": "0", "idle_minutes": "0"}

    client.post("/settings/sign-in/", values | {"mail_domains": "sand.example"})
    client.post("/settings/sign-in/", values | {"session_hours": "8", "shown": shown})

    assert rules.rules_of(owner.pk).hours == 8
    assert rules.mail_domains(project.organization_id) == ["sand.example"]
