"""Sessions and devices on one page; what asks for a fresh proof; sessions that nobody uses."""

import re
from datetime import timedelta

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db.models import F
from django.test import Client
from django.utils import timezone

from apps.accounts import actors, tokens
from apps.accounts.models import Device, Organization, OrganizationMember, User, UserSession
from apps.accounts.services import fresh_proofs, second_factors, sessions, sign_in_rules
from apps.accounts.types import SessionKind, SignInMethod
from apps.core.models import MailMessage
from tests.accounts.factories import (
    PASSWORD,
    ProjectFactory,
    UserFactory,
    actor_of,
    bearer,
    join,
    key_of,
    make_stale,
)

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
PAGE = "/settings/sessions/"


@pytest.fixture
def ann():
    user = UserFactory()
    ProjectFactory(owner=user)
    return user


@pytest.fixture
def here(ann):
    return signed_in(ann)


def signed_in(user, **kwargs):
    client = Client(HTTP_USER_AGENT=FIREFOX, **kwargs)
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return client


def without_password(user):
    """Somebody who came through an identity provider; ``force_login`` leaves no proof behind."""
    user.set_unusable_password()
    user.save()
    client = Client(HTTP_USER_AGENT=FIREFOX)
    client.force_login(user)
    return client


def organization_of(user):
    return Organization.objects.get(pk__in=OrganizationMember.objects.filter(user=user).values("organization"))


def is_in(client):
    return actors.actor_for(session_key=client.session.session_key).is_somebody


def mailed_code():
    return re.search(r"^ {4}(\d{4} \d{4})$", MailMessage.objects.latest("created_at").text, re.MULTILINE)[1]


def test_page_says_of_each_session_where_how_and_since_when(here, ann):
    sessions.begin_session(
        user=ann,
        kind=SessionKind.TOKEN,
        method=SignInMethod.PASSKEY,
        auth_level=2,
        address="198.51.100.7",
        user_agent="curl/8.5",
    )
    key_of(ann, organization_of(ann))

    text = " ".join(re.sub(r"<[^>]+>", " ", here.get(PAGE).content.decode()).split())

    assert "Firefox · Linux · 127.0.0.1 Password · one proof This session" in text
    assert "curl · 198.51.100.7 Program · Passkey · two proofs last seen" in text
    assert "Firefox · Linux This device · 1 session" in text
    assert "1 key of yours acts for you without a session." in text


def test_others_end_at_once_after_a_recent_proof(here, ann):
    there = signed_in(ann)

    answer = here.post(PAGE, {"form": "end_others"})

    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert (is_in(here), is_in(there)) == (True, False)


@pytest.mark.parametrize("form", ["end_others", "end_session", "forget"])
def test_old_proof_is_asked_again_and_then_done_what_was_asked(here, ann, form):
    there = signed_in(ann)
    session = UserSession.objects.get(session_key=there.session.session_key)
    make_stale(here)
    body = {"form": form, "session": str(session.pk), "device": str(session.device_id)}

    asked = here.post(PAGE, body)

    assert asked["Location"] == f"/accounts/reauthenticate/?next={PAGE.replace('/', '%2F')}"
    assert is_in(there)
    wrong = here.post(asked["Location"], {"password": "wrong"})
    assert (wrong.status_code, is_in(there)) == (200, True)
    done = here.post(asked["Location"], {"password": PASSWORD})
    assert (done.status_code, done["Location"]) == (302, PAGE)
    assert (is_in(here), is_in(there)) == (True, False)
    assert fresh_proofs.is_fresh(actor=actors.actor_for(session_key=here.session.session_key))


def test_api_says_that_the_proof_is_old(ann):
    mine = sessions.begin_session(user=ann, kind=SessionKind.TOKEN)
    other = sessions.begin_session(user=ann, kind=SessionKind.TOKEN)
    headers = bearer(tokens.pair_for(mine).access)
    UserSession.objects.filter(pk=mine.pk).update(created_at=F("created_at") - timedelta(minutes=16))
    client = Client(headers=headers)

    refused = [client.delete(path) for path in ("/api/v1/me/sessions/", f"/api/v1/me/sessions/{other.pk}/")]

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "fresh_sign_in_needed")] * 2
    assert UserSession.objects.filter(ended_at=None).count() == 2
    UserSession.objects.filter(pk=mine.pk).update(proved_at=timezone.now())
    assert client.delete("/api/v1/me/sessions/").status_code == 204
    assert list(UserSession.objects.filter(ended_at=None)) == [mine]
    UserSession.objects.filter(pk=mine.pk).update(proved_at=None)
    assert client.delete(f"/api/v1/me/sessions/{mine.pk}/").status_code == 204  # its own, always


def test_another_address_takes_a_fresh_proof(here, ann):
    make_stale(here)
    body = {"email": "other@example.org", "action_add": ""}

    asked = here.post("/accounts/email/", body)

    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not MailMessage.objects.filter(recipient="other@example.org").exists()
    here.post(asked["Location"], {"password": PASSWORD})
    assert MailMessage.objects.filter(recipient="other@example.org").count() == 1


def test_person_without_password_proves_it_with_a_mailed_code_and_erases_the_account(ann):
    person = UserFactory()
    join(person, organization_of(ann))
    client = without_password(person)
    assert client.get("/settings/erase/").status_code == 200  # signed in just now
    make_stale(client)

    asked = client.get("/settings/erase/")
    page = client.get(asked["Location"])
    client.post(asked["Location"], {"send": "1"})
    wrong = client.post(asked["Location"], {"code": "0000 0000"})
    proved = client.post(asked["Location"], {"code": mailed_code()})

    assert asked["Location"] == "/accounts/reauthenticate/code/?next=%2Fsettings%2Ferase%2F"
    assert "Mail a code to" in page.content.decode()
    assert wrong.status_code == 200
    assert (proved.status_code, proved["Location"]) == (302, "/settings/erase/")
    assert client.get("/settings/erase/").status_code == 200
    assert client.post("/settings/erase/", {"form": "erase"})["Location"] == "/accounts/login/"
    assert User.objects.get(pk=person.pk).anonymized_at is not None


def test_mailed_code_is_good_once_and_not_guessed(ann):
    client = without_password(ann)
    make_stale(client)
    path = client.get("/settings/erase/").headers.get("Location") or "/accounts/reauthenticate/code/"
    client.post(path, {"send": "1"})
    right = mailed_code()

    wrong = [client.post(path, {"code": f"{number:08}"}).status_code for number in range(6)]

    assert wrong == [200] * 5 + [429]
    assert client.post(path, {"code": right}).status_code == 429
    second_factors.CodeGuess.objects.all().delete()
    assert client.post(path, {"code": right}).status_code == 302
    assert client.post(path, {"code": right}).status_code == 200


def test_first_password_takes_a_fresh_proof(ann):
    client = without_password(ann)
    make_stale(client)
    body = {"password1": "another horse battery", "password2": "another horse battery"}

    asked = client.post("/accounts/password/set/", body)

    ann.refresh_from_db()
    assert asked["Location"].startswith("/accounts/reauthenticate/code/")
    assert not ann.has_usable_password()
    client.post(asked["Location"], {"send": "1"})
    client.post(asked["Location"], {"code": mailed_code()})
    ann.refresh_from_db()
    assert ann.check_password("another horse battery")
    assert is_in(client)


def test_who_has_a_password_is_not_let_off_with_a_mailed_code(here, ann):
    make_stale(here)

    answer = here.post("/accounts/reauthenticate/code/", {"send": "1"})

    assert answer["Location"] == "/accounts/reauthenticate/"
    assert not MailMessage.objects.filter(recipient=ann.email, subject__contains="code").exists()


# Sessions that nobody uses


def test_session_that_nobody_used_is_over_by_cookie_token_and_socket(here, ann):
    session = UserSession.objects.get()
    assert session.idle_after == timedelta(days=14)
    actor = actors.actor_for(session_key=here.session.session_key)

    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=14, minutes=1))

    assert not is_in(here)
    assert not actors.renew(actor).is_somebody
    assert here.get(PAGE)["Location"].startswith("/accounts/login/")


def test_organization_asks_for_less_and_open_sessions_follow(here, ann):
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(minutes=20))
    organization = organization_of(ann)

    sign_in_rules.change_rules(actor=actor_of(ann), organization_id=organization.pk, idle_minutes=15)

    assert not is_in(here)
    assert sessions.begin_session(user=ann, kind=SessionKind.TOKEN).idle_after == timedelta(minutes=15)
    sign_in_rules.change_rules(actor=actor_of(ann), organization_id=organization.pk, idle_minutes=1)
    assert sessions.begin_session(user=ann, kind=SessionKind.TOKEN).idle_after == timedelta(minutes=5)


def test_installation_may_do_without(ann, settings):
    settings.PARLANCE_SESSION_IDLE_MINUTES = 0

    assert sessions.begin_session(user=ann, kind=SessionKind.TOKEN).idle_after is None


# Who and how many


def test_strangers_end_nothing(here, ann):
    stranger = signed_in(UserFactory())
    session = UserSession.objects.get(user=ann)
    SocialAccount.objects.create(user=ann, provider="sand", uid="1")

    answers = [
        stranger.post(PAGE, {"form": "end_session", "session": str(session.pk)}),
        stranger.post(PAGE, {"form": "forget", "device": str(session.device_id)}),
        stranger.post("/settings/security/", {"form": "disconnect", "account": SocialAccount.objects.get().pk}),
        stranger.post("/settings/security/", {"form": "disconnect", "account": "x"}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert is_in(here)
    assert SocialAccount.objects.exists()
    assert Client().get(PAGE)["Location"].startswith("/accounts/login/")


def test_lists_of_any_length_are_shown_in_parts_and_this_session_is_first(here, ann):
    mine = UserSession.objects.get(user=ann)
    later, over = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(days=1)
    devices = Device.objects.bulk_create(
        Device(user=ann, token_hash=f"{number}".encode(), last_seen_at=later) for number in range(101)
    )
    UserSession.objects.bulk_create(
        UserSession(user=ann, epoch=mine.epoch, device=device, last_seen_at=later, expires_at=over)
        for device in devices
    )

    first, second = (here.get(PAGE + query).context for query in ("", "?page=2&devices=2"))

    assert (first["sessions"][0].id, first["sessions"][0].is_current) == (mine.pk, True)
    assert [len(each["sessions"]) for each in (first, second)] == [100, 2]
    assert [len(each["devices"]) for each in (first, second)] == [100, 2]
    assert second["devices"][-1].is_current
    assert {each.id for each in first["sessions"]}.isdisjoint({each.id for each in second["sessions"]})
    assert 'href="?devices=2"' in here.get(PAGE).content.decode()


@pytest.mark.parametrize("count", [1, 3, 30])
def test_page_costs_the_same_for_any_number_of_rows(count, here, ann, django_assert_max_num_queries):
    for number in range(count):
        device = Device.objects.create(user=ann, token_hash=str(number).encode())
        sessions.begin_session(user=ann, kind=SessionKind.COOKIE, device=device)
        SocialAccount.objects.create(user=ann, provider=f"sand{number}", uid="1")

    for path, most in ((PAGE, 20), ("/settings/security/", 18)):
        with django_assert_max_num_queries(most):
            assert here.get(path).status_code == 200
