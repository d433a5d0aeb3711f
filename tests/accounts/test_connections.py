"""One's identities at other providers: connected, disconnected, and as a fresh proof."""

import re
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as django_settings
from django.test import Client

from apps.accounts import actors
from apps.accounts.models import UserSession
from apps.accounts.services import fresh_proofs, sign_in_rules
from apps.accounts.types import LastWayIn, SessionEnd
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, UserFactory, actor_of, join, make_stale
from tests.accounts.test_sso import issuer, owner, project, provider_at

__all__ = ["issuer", "owner", "project"]
pytestmark = pytest.mark.django_db
SECURITY = "/settings/security/"


@pytest.fixture(autouse=True)
def _local_issuer(settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]


@pytest.fixture
def ada(issuer, project, owner):
    """Somebody who came through the provider and has no password."""
    provider_at(issuer, project, owner, joins_as="member")
    client = Client()
    issuer.sign_in(client, "sand")
    return client


def disconnect(client):
    return client.post(SECURITY, {"form": "disconnect", "account": SocialAccount.objects.get().pk})


def connect_query(client):
    """Of the link on the page of who is signed in."""
    page = client.get(SECURITY).content.decode()
    return re.search(r'href="/accounts/sso/sand/(\?process=connect[^"]+)"', page)[1].replace("&amp;", "&")


def prove_again(client, issuer, *, next_url=SECURITY, **person):
    """What a browser does that the provider asks to sign in once more: it forgets who was there (``prompt=login``)."""
    away = client.get(f"/accounts/sso/sand/again/?next={next_url}")
    assert "prompt=login" in away["Location"]
    assert "max_age=0" in away["Location"]
    with closing(issuer.browser(**person)) as there:
        asked = there.get(away["Location"])
        assert "/reauthenticate/" in asked.headers["Location"], asked.text[:500]
        there.post("/script", json={"sub": "ada", "email": "ada@sand.example"} | person).raise_for_status()
        back = there.get(httpx.URL(asked.headers["Location"]).params["next"])
    parts = urlsplit(back.headers["Location"])
    assert back.headers["Location"].startswith(django_settings.PARLANCE_URL), back.text[:500]
    return client.get(f"{parts.path}?{parts.query}")


def test_last_way_in_stays_until_there_is_another(ada):
    refused = disconnect(ada)

    assert (refused.status_code, LastWayIn.code) == (302, "last_way_in")
    assert "Nothing else would let you in." in ada.get(SECURITY).content.decode()
    assert SocialAccount.objects.count() == 1
    body = {"password1": "another horse battery", "password2": "another horse battery"}
    ada.post("/accounts/password/set/", body)
    MailMessage.objects.all().delete()

    disconnect(ada)

    assert not SocialAccount.objects.exists()
    assert Event.objects.filter(type="accounts.identity_unlinked").count() == 1
    letter = MailMessage.objects.get()
    assert (letter.recipient, "removed: Sand" in letter.subject, bool(letter.html)) == ("ada@sand.example", True, True)
    assert "Sand" in ada.get(SECURITY).content.decode()  # may be connected again


def test_disconnecting_ends_the_sessions_that_came_through_it(ada, issuer):
    there = Client()
    issuer.sign_in(there, "sand")
    ada.post("/accounts/password/set/", {"password1": "another horse battery", "password2": "another horse battery"})
    issuer.sign_in(there, "sand")

    disconnect(ada)

    assert UserSession.objects.filter(end_reason=SessionEnd.REVOKED).count() >= 1
    assert not actors.actor_for(session_key=there.session.session_key).is_somebody
    assert actors.actor_for(session_key=ada.session.session_key).is_somebody


def test_single_sign_on_only_counts_no_password(ada, project, owner):
    ada.post("/accounts/password/set/", {"password1": "another horse battery", "password2": "another horse battery"})
    sign_in_rules.change_rules(actor=actor_of(owner), organization_id=project.organization_id, sso_only=True)

    disconnect(ada)

    assert SocialAccount.objects.count() == 1


def test_who_is_signed_in_connects_an_identity_and_is_told(issuer, project, owner):
    provider_at(issuer, project, owner)
    person = UserFactory(email="ben@sand.example")
    join(person, project.organization)
    client = Client()
    client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    assert "not connected" in client.get(SECURITY).content.decode()
    make_stale(client)
    asked = client.get("/accounts/sso/sand/?process=connect")
    assert asked["Location"] == "/accounts/reauthenticate/?next=%2Fsettings%2Fsecurity%2F"
    client.post(asked["Location"], {"password": PASSWORD})

    answer = issuer.sign_in(client, "sand", query=connect_query(client), sub="ben", email="ben@sand.example")

    assert (answer.status_code, answer["Location"]) == (302, SECURITY)
    assert SocialAccount.objects.get().user == person
    assert Event.objects.filter(type="accounts.identity_linked").count() == 1
    assert "added: Sand" in MailMessage.objects.get(recipient=person.email).subject
    page = client.get(SECURITY).content.decode()
    assert "connected" in page
    assert "not connected" not in page
    other = UserFactory()
    stranger = Client()
    stranger.force_login(other)
    query = connect_query(stranger)
    assert issuer.sign_in(stranger, "sand", query=query, sub="ben", email="ben@sand.example").status_code == 403


def test_link_of_another_site_connects_nothing(issuer, project, owner):
    """A browser that is mallory's at the provider would give them a way into the account for good."""
    provider_at(issuer, project, owner)
    ben = UserFactory(email="ben@sand.example")
    join(ben, project.organization)
    client, other = Client(), Client()
    client.force_login(ben)
    other.force_login(owner)
    used = connect_query(client)
    client.get(f"/accounts/sso/sand/{used}")  # its word is good once

    for query in ("?process=connect", "?process=connect&word=", connect_query(other), used):
        sent = client.get(f"/accounts/sso/sand/{query}", headers={"Sec-Fetch-Site": "cross-site"})
        assert (sent.status_code, sent["Location"]) == (302, SECURITY), query
    again = client.get("/accounts/sso/sand/again/", headers={"Sec-Fetch-Site": "cross-site"})
    assert (again.status_code, again["Location"]) == (302, SECURITY)
    assert not SocialAccount.objects.exists()


def test_link_of_another_site_signs_nobody_in_without_a_click(issuer, project, owner):
    provider_at(issuer, project, owner)
    path = "/accounts/sso/sand/?next=/settings/"

    asked = Client().get(path, headers={"Sec-Fetch-Site": "cross-site"})

    assert asked.status_code == 200
    assert f'href="{path}"' in asked.content.decode()
    assert Client().get(path, headers={"Sec-Fetch-Site": "same-origin"})["Location"].startswith(issuer.url)


@pytest.mark.parametrize("person", [{"email": "mallory@sand.example"}, {"sub": "ben-too"}])
def test_identity_of_another_address_or_a_second_one_is_not_connected(issuer, project, owner, person):
    provider_at(issuer, project, owner)
    ben = UserFactory(email="ben@sand.example")
    join(ben, project.organization)
    client = Client()
    client.force_login(ben)
    query = connect_query(client)
    if "sub" in person:
        SocialAccount.objects.create(user=ben, provider="sand", uid="ben")
    before = SocialAccount.objects.count()

    answer = issuer.sign_in(client, "sand", query=query, **({"sub": "m", "email": ben.email} | person))

    assert answer.status_code == 403
    assert SocialAccount.objects.count() == before


def test_fresh_proof_through_the_provider(ada, issuer):
    make_stale(ada)
    asked = disconnect(ada)
    assert asked["Location"].startswith("/accounts/reauthenticate/code/")
    assert "Continue with Sand" in ada.get(asked["Location"]).content.decode()

    back = prove_again(ada, issuer, next_url="/settings/erase/")
    done = ada.get(back["Location"])

    assert back["Location"] == "/accounts/reauthenticate/done/?next=%2Fsettings%2Ferase%2F"
    assert (done.status_code, done["Location"]) == (302, "/settings/erase/")
    assert ada.get("/settings/erase/").status_code == 200
    assert fresh_proofs.is_fresh(actor=actors.actor_for(session_key=ada.session.session_key))


@pytest.mark.parametrize("person", [{"sub": "eve", "email": "eve@sand.example"}, {"id_token": {"auth_time": 1}}])
def test_proof_of_somebody_else_or_of_long_ago_is_none(ada, issuer, person):
    make_stale(ada)

    answer = prove_again(ada, issuer, **person)

    assert answer.status_code == 403
    assert ada.get("/settings/erase/")["Location"].startswith("/accounts/reauthenticate/code/")
    assert ada.get("/api/v1/me/").json()["email"] == "ada@sand.example"
    assert SocialAccount.objects.count() == 1
